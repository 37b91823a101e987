//! Answers and faults of the token service, as responses and as audit records.

use audit::{Decision, Outcome};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use oauth::{ErrorCode, OAuthError};
use serde::Serialize;

use super::reason_of;
use crate::{
    authenticate::AuthenticationError, headers::text_value, intake::REQUEST_ID, record::Entry,
    respond::ResponseBody,
};

const DECISION_ID: HeaderName = HeaderName::from_static("x-decision-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    /// Anybody may read it, from any web page, and keep it for a while.
    public: bool,
}

impl Answer {
    /// 200 with JSON.
    pub(crate) fn json(body: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::internal(error.to_string()))?;
        Ok(Self { status: StatusCode::OK, body, public: false })
    }

    /// 200 with JSON that anybody may read and keep.
    pub(crate) fn public(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body, public: true }
    }

    /// 201 instead of 200.
    pub(crate) fn created(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Vec::new(), public: false }
    }

    /// 200 without a body (RFC 7009 section 2.2).
    pub(crate) fn done() -> Self {
        Self { status: StatusCode::OK, body: Vec::new(), public: false }
    }
}

/// A refusal or a failure.
#[derive(Debug)]
pub(crate) struct Fault {
    error: OAuthError,
    layer: &'static str,
    reason: &'static str,
    /// For the operator.
    cause: Option<String>,
    /// The scope that would do.
    scope: Option<&'static str>,
    status: Option<StatusCode>,
}

impl Fault {
    /// A fault with the usual status of its code.
    pub(crate) fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        OAuthError::new(code, description).into()
    }

    /// The caller may see it, but not do it.
    pub(crate) fn needs(scope: &'static str) -> Self {
        let fault = Self::new(ErrorCode::InsufficientScope, format!("this needs the scope {scope}"));
        Self { scope: Some(scope), ..fault }
    }

    /// Nothing of that name that the caller may know of.
    pub(crate) fn unknown(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what} of this id that you may see"))
    }

    /// A failure here.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let description = "the proxy failed; its operator finds the cause in the log";
        Self { cause: Some(cause.into()), ..Self::new(ErrorCode::ServerError, description) }
    }

    /// With what only the operator should read.
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// A token that was presented as a parameter does not do.
    pub(crate) fn presented(code: ErrorCode, which: &str, error: &AuthenticationError) -> Self {
        let mut fault = Self::new(code, format!("{which}: {error}"));
        fault.reason = error.reason();
        fault.layer = "token";
        if error.is_unavailable() {
            fault.error.code = ErrorCode::TemporarilyUnavailable;
        }
        fault
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        let layer = match error.code {
            ErrorCode::InvalidClient | ErrorCode::InvalidGrant | ErrorCode::InvalidToken => "token",
            ErrorCode::InvalidScope | ErrorCode::InsufficientScope | ErrorCode::UnauthorizedClient => "scope",
            _ => "request",
        };
        let reason = reason_of(error.code);
        Self { error, layer, reason, cause: None, scope: None, status: None }
    }
}

/// The caller's own bearer token.
impl From<AuthenticationError> for Fault {
    fn from(error: AuthenticationError) -> Self {
        let (code, status) = match &error {
            AuthenticationError::SeveralCredentials => (ErrorCode::InvalidRequest, None),
            error if error.is_unavailable() => (ErrorCode::TemporarilyUnavailable, None),
            _ => (ErrorCode::InvalidToken, Some(StatusCode::UNAUTHORIZED)),
        };
        let mut fault = Self::new(code, error.to_string());
        fault.layer = "token";
        fault.reason = error.reason();
        fault.status = status;
        fault
    }
}

/// The response, with everything noted in `entry`.
pub(crate) fn respond(
    outcome: Result<Answer, Fault>,
    mut entry: Entry,
    allow: &str,
) -> Response<ResponseBody> {
    let mut headers = HeaderMap::new();
    headers.insert(REQUEST_ID, text_value(entry.request_id()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let (status, body) = match outcome {
        Ok(answer) => {
            entry.note(|record| record.decision = Decision::Allow);
            if answer.public {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            (answer.status, answer.body)
        }
        Err(fault) => {
            let status = note(&fault, &mut entry);
            headers.insert(DECISION_ID, text_value(&entry.decision_id().to_string()));
            describe(&fault, status, allow, &mut headers);
            (status, fault.error.body())
        }
    };
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, JSON);
    }
    entry.status(status);
    let mut response = Response::new(ResponseBody::own(body, entry, Outcome::Complete));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn note(fault: &Fault, entry: &mut Entry) -> StatusCode {
    let usual = StatusCode::from_u16(fault.error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let status = fault.status.unwrap_or(usual);
    let decision = if status.is_server_error() { Decision::Error } else { Decision::Deny };
    let detail = match &fault.cause {
        Some(cause) => format!("{}: {cause}", fault.error.description),
        None => fault.error.description.clone(),
    };
    if status.is_server_error() {
        tracing::warn!(request_id = entry.request_id(), reason = fault.reason, detail, "a request failed");
    }
    entry.refused(decision, fault.layer, fault.reason, detail);
    status
}

fn describe(fault: &Fault, status: StatusCode, allow: &str, headers: &mut HeaderMap) {
    match (status, fault.error.code) {
        // RFC 6749 section 5.2.
        (StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient) => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"oauth\""));
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code) => {
            // RFC 6750 section 3.1: nothing is wrong with a token that was not sent.
            let challenge = match (fault.reason, fault.scope) {
                ("no_token" | "other_scheme", _) => "Bearer".to_owned(),
                (_, Some(scope)) => format!("Bearer error=\"{}\", scope=\"{scope}\"", code.as_str()),
                _ => format!("Bearer error=\"{}\"", code.as_str()),
            };
            headers.insert(header::WWW_AUTHENTICATE, text_value(&challenge));
        }
        (StatusCode::METHOD_NOT_ALLOWED, _) => {
            headers.insert(header::ALLOW, text_value(allow));
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
}
