//! Answers of the token service.

use serde::Serialize;

/// The token type of RFC 8693 section 3 for access tokens.
pub const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The token type of RFC 8693 section 3 for JWTs.
pub const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// An issued token (RFC 6749 section 5.1, RFC 8693 section 2.2.1).
///
/// Holds the secret: to be written once, into the body of the answer. Not `Debug` on purpose.
#[derive(Serialize)]
#[expect(missing_debug_implementations, reason = "it holds the secret")]
pub struct TokenAnswer<'a> {
    /// The secret.
    pub access_token: &'a str,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// The scopes granted, joined by spaces.
    pub scope: String,
    /// The public name of the token.
    pub token_id: String,
    /// For a token exchange, what was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// `pending` while the token waits for approval, `active` else.
    pub status: &'static str,
}

/// What a token means (RFC 7662 section 2.2).
#[derive(Debug, Default, Serialize)]
pub struct Introspection {
    /// Whether it counts now. If not, nothing else is said.
    pub active: bool,
    /// Scopes, joined by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The person for whom the client acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// When it expires, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// When it was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// The subject; unique within the issuer of the identity only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Who issued the identity that it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The public name of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

impl Introspection {
    /// The answer for a token that does not count, or that the asker may not know of (RFC 7662 section 2.2).
    pub fn inactive() -> Self {
        Self::default()
    }
}
