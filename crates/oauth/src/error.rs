//! What is answered when a request to the token service fails.

use std::fmt;

use serde::Serialize;

/// Longer descriptions are cut: they may quote what a client sent.
const MAX_DESCRIPTION: usize = 512;

/// The `error` of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCode {
    /// Malformed, repeated or missing parameters (RFC 6749 section 5.2).
    InvalidRequest,
    /// Client authentication failed or is missing (RFC 6749 section 5.2).
    InvalidClient,
    /// The presented token or code does not serve (RFC 6749 section 5.2).
    InvalidGrant,
    /// The client may not do this (RFC 6749 section 5.2).
    UnauthorizedClient,
    /// No such grant here (RFC 6749 section 5.2).
    UnsupportedGrantType,
    /// A scope that is malformed, or more than the caller may have (RFC 6749 section 5.2).
    InvalidScope,
    /// A `resource` or `audience` that is not served here (RFC 8707 section 2).
    InvalidTarget,
    /// The bearer token of the caller does not serve (RFC 6750 section 3.1).
    InvalidToken,
    /// The caller may not (RFC 6750 section 3.1).
    InsufficientScope,
    /// The person said no, or cannot say yes (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5).
    AccessDenied,
    /// Another `response_type` than `code` (RFC 6749 section 4.1.2.1).
    UnsupportedResponseType,
    /// The person must log in, and may not be asked to (OpenID Connect Core 1.0 section 3.1.2.6).
    LoginRequired,
    /// The person must agree, and may not be asked (OpenID Connect Core 1.0 section 3.1.2.6).
    ConsentRequired,
    /// Nobody has decided yet: ask again (RFC 8628 section 3.5).
    AuthorizationPending,
    /// Asked again too soon (RFC 8628 section 3.5).
    SlowDown,
    /// Nobody decided in time (RFC 8628 section 3.5).
    ExpiredToken,
    /// Nothing there, or nothing that the caller may know of. Not of an RFC.
    NotFound,
    /// The state of the thing does not allow it. Not of an RFC.
    Conflict,
    /// Another method is served at this path. Not of an RFC.
    MethodNotAllowed,
    /// A failure here (RFC 6749 section 4.1.2.1).
    ServerError,
    /// A failure that may pass (RFC 6749 section 4.1.2.1).
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// As it is written in answers; also the stable reason code of audit records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::AccessDenied
            | Self::UnsupportedResponseType
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::ExpiredToken => 400,
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
        }
    }
}

/// An error and what a developer should read about it. Holds nothing secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OAuthError {
    /// Which.
    pub code: ErrorCode,
    /// In words.
    pub description: String,
}

impl OAuthError {
    /// An error with its description.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    pub(crate) fn request(description: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// What it is about, as RFC 6749 section 5.2 lets it be written: printable ASCII without `"` and `\`.
    pub fn spoken(&self) -> String {
        speakable(&self.description)
    }

    /// The JSON body of RFC 6749 section 5.2.
    pub fn body(&self) -> Vec<u8> {
        let description = self.spoken();
        let body = Body { error: self.code.as_str(), error_description: &description };
        // Two strings can always be written as JSON.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl std::error::Error for OAuthError {}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// RFC 6749 section 5.2 allows printable ASCII without `"` and `\`.
fn speakable(text: &str) -> String {
    text.chars()
        .take(MAX_DESCRIPTION)
        .map(|character| match character {
            '"' | '\\' => '\'',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn descriptions_keep_to_the_characters_of_the_rfc(text in "\\PC{0,700}") {
            let body = OAuthError::new(ErrorCode::InvalidScope, text).body();
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let description = value["error_description"].as_str().unwrap();
            prop_assert!(description.len() <= MAX_DESCRIPTION);
            prop_assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'));
            prop_assert_eq!(&value["error"], "invalid_scope");
        }
    }
}
