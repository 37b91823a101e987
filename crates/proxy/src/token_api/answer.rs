//! Answers and faults of the token service, as responses and as audit records.

use audit::{Decision, Outcome};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use oauth::{ErrorCode, OAuthError};
use serde::Serialize;
use serde_json::{Value, json};

use super::{pages, reason_of};
use crate::{
    authenticate::AuthenticationError,
    headers::text_value,
    intake::REQUEST_ID,
    record::Entry,
    respond::{DECISION_ID, ResponseBody},
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    /// Anybody may read it, from any web page, and keep it for a while.
    public: bool,
    headers: HeaderMap,
}

impl Answer {
    /// 200 with JSON.
    pub(crate) fn json(body: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::internal(error.to_string()))?;
        Ok(Self::new(StatusCode::OK, body))
    }

    /// 200 with JSON that anybody may read and keep.
    pub(crate) fn public(body: Vec<u8>) -> Self {
        Self { public: true, ..Self::new(StatusCode::OK, body) }
    }

    /// 201 instead of 200.
    pub(crate) fn created(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        Self::new(StatusCode::NO_CONTENT, Vec::new())
    }

    /// 200 without a body (RFC 7009 section 2.2).
    pub(crate) fn done() -> Self {
        Self::new(StatusCode::OK, Vec::new())
    }

    /// A page for a person. Its form leads back here, and from here to `form_target` if that is given.
    pub(crate) fn page(html: String, form_target: Option<&str>) -> Self {
        let mut answer = Self::new(StatusCode::OK, html.into_bytes());
        answer.headers = page_headers(form_target);
        answer
    }

    /// 303: the browser goes there by GET (RFC 9700 section 4.12).
    pub(crate) fn redirect(location: &str) -> Result<Self, Fault> {
        let mut answer = Self::new(StatusCode::SEE_OTHER, Vec::new());
        answer.headers = redirect_headers(location)?;
        Ok(answer)
    }

    /// With a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a cookie to be set.
    pub(crate) fn with_cookie(mut self, cookie: HeaderValue) -> Self {
        self.headers.append(header::SET_COOKIE, cookie);
        self
    }

    /// Whether a cookie is set by it.
    pub(crate) fn has_cookie(&self) -> bool {
        self.headers.contains_key(header::SET_COOKIE)
    }

    /// With another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn new(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body, public: false, headers: HeaderMap::new() }
    }
}

fn redirect_headers(location: &str) -> Result<HeaderMap, Fault> {
    let location = HeaderValue::from_str(location)
        .map_err(|_| Fault::internal("an address to send the browser to cannot be a header"))?;
    Ok(HeaderMap::from_iter([
        (header::LOCATION, location),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]))
}

fn page_headers(form_target: Option<&str>) -> HeaderMap {
    let fixed = HeaderValue::from_static;
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, fixed("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, pages::security_policy(form_target)),
        (header::X_FRAME_OPTIONS, fixed("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        // The address of a page may hold a code; and without any, browsers would call the origin of a form null.
        (header::REFERRER_POLICY, fixed("same-origin")),
    ])
}

/// A refusal or a failure.
#[derive(Debug)]
pub(crate) struct Fault {
    error: OAuthError,
    layer: &'static str,
    reason: &'static str,
    /// For the operator.
    cause: Option<Box<str>>,
    /// The scope that would do.
    scope: Option<&'static str>,
    status: Option<StatusCode>,
    /// What is wrong in what was sent, each by itself.
    faults: Option<Box<Value>>,
    /// Where a person's browser asked.
    in_browser: Option<Box<InBrowser>>,
}

/// How a fault is told to a browser.
#[derive(Debug, Default)]
struct InBrowser {
    /// To the client, by sending the browser there; without it, as a page.
    location: Option<String>,
    /// A cookie to be set.
    cookie: Option<HeaderValue>,
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

    /// It is another process that knows (RFC 9110 section 15.5.20).
    pub(crate) fn elsewhere(description: impl Into<String>) -> Self {
        let fault = Self::new(ErrorCode::NotFound, description);
        Self { reason: "decided_elsewhere", status: Some(StatusCode::MISDIRECTED_REQUEST), ..fault }
    }

    /// A failure here.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let description = "the proxy failed; its operator finds the cause in the log";
        Self { cause: Some(cause.into().into()), ..Self::new(ErrorCode::ServerError, description) }
    }

    /// With what only the operator should read.
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into().into()), ..self }
    }

    /// What is wrong, in words.
    pub(crate) fn description(&self) -> &str {
        &self.error.description
    }

    /// With another status than is usual for its code.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// With what is wrong in what was sent, as a list.
    pub(crate) fn with_faults(self, faults: Value) -> Self {
        Self { faults: Some(Box::new(faults)), ..self }
    }

    /// In a browser: as a page, unless it is told otherwise already.
    pub(crate) fn in_browser(self) -> Self {
        self.with(|_| {})
    }

    /// Told by sending the browser there.
    pub(crate) fn redirected(self, location: String) -> Self {
        self.with(|browser| browser.location = Some(location))
    }

    /// In a browser, with a cookie to be set.
    pub(crate) fn with_cookie(self, cookie: HeaderValue) -> Self {
        self.with(|browser| browser.cookie = Some(cookie))
    }

    fn with(mut self, change: impl FnOnce(&mut InBrowser)) -> Self {
        change(self.in_browser.get_or_insert_default());
        self
    }

    /// As RFC 6749 section 4.1.2.1 lets a client be told, which knows fewer codes than are used here.
    pub(crate) fn told_to_client(&self) -> OAuthError {
        let code = match self.error.code {
            code @ (ErrorCode::InvalidRequest
            | ErrorCode::UnauthorizedClient
            | ErrorCode::AccessDenied
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::LoginRequired
            | ErrorCode::ConsentRequired
            | ErrorCode::TemporarilyUnavailable) => code,
            ErrorCode::Conflict | ErrorCode::InvalidGrant => ErrorCode::AccessDenied,
            _ => ErrorCode::ServerError,
        };
        OAuthError::new(code, self.error.description.clone())
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
        Self { error, layer, reason, cause: None, scope: None, status: None, faults: None, in_browser: None }
    }
}

/// The caller's own bearer token.
impl From<AuthenticationError> for Fault {
    fn from(error: AuthenticationError) -> Self {
        let (code, status) = match &error {
            AuthenticationError::SeveralCredentials => (ErrorCode::InvalidRequest, None),
            AuthenticationError::TooManyFailures(_) => {
                (ErrorCode::TemporarilyUnavailable, Some(StatusCode::TOO_MANY_REQUESTS))
            }
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
            headers.extend(answer.headers);
            (answer.status, answer.body)
        }
        Err(fault) => {
            let status = note(&fault, &mut entry);
            let decision_id = entry.decision_id().to_string();
            headers.insert(DECISION_ID, text_value(&decision_id));
            tell(&fault, status, &decision_id, allow, &mut headers)
        }
    };
    if !body.is_empty() && !headers.contains_key(header::CONTENT_TYPE) {
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
    let (detail, cause) = (&*fault.error.description, fault.cause.as_deref());
    if status.is_server_error() {
        tracing::warn!(
            request_id = entry.request_id(),
            reason = fault.reason,
            detail,
            cause,
            "a request failed"
        );
    }
    entry.refused(decision, fault.layer, fault.reason, detail, cause);
    status
}

/// The fault as whoever is to see it does.
fn tell(
    fault: &Fault,
    status: StatusCode,
    decision_id: &str,
    allow: &str,
    headers: &mut HeaderMap,
) -> (StatusCode, Vec<u8>) {
    let Some(browser) = &fault.in_browser else {
        describe(fault, status, allow, headers);
        let body = match &fault.faults {
            None => fault.error.body(),
            Some(faults) => {
                let (code, description) = (fault.error.code.as_str(), fault.error.spoken());
                json!({"error": code, "error_description": description, "faults": faults})
                    .to_string()
                    .into_bytes()
            }
        };
        return (status, body);
    };
    headers.extend(browser.cookie.clone().map(|cookie| (header::SET_COOKIE, cookie)));
    if let Some(redirect) = browser.location.as_deref().and_then(|location| redirect_headers(location).ok()) {
        headers.extend(redirect);
        return (StatusCode::SEE_OTHER, Vec::new());
    }
    headers.extend(page_headers(None));
    let page = pages::Problem { description: &fault.error.description, decision_id };
    (status, page.to_string().into_bytes())
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
