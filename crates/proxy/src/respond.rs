//! Every way a request can fail, and what the client is told: one table from fault to status, reason and challenge.

use std::{sync::Arc, time::Duration};

use access::{Denial, Scope};
use audit::{Decision, Outcome};
use engine::IdentityError;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use rest::{BodyRefusal, Inquiry, Refusal};
use serde::Serialize;

pub use crate::response_body::ResponseBody;
use crate::{
    authenticate::AuthenticationError,
    authorize::AuthorizationError,
    decisions::Because,
    errors,
    handles::HandleError,
    headers::text_value,
    inspect::{BodyFinding, Findings},
    intake::{IntakeError, REQUEST_ID},
    policies::PolicyRefusal,
    rate_limits::{self, Exceeded},
    record::Entry,
    snapshot::{Cluster, Destination},
    upstream::UpstreamError,
};

/// Seconds after which a client may try again when something behind us is away.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
/// Room for most refusals and for most challenges, in bytes.
const TYPICAL: usize = 512;
/// Where a refused client reads the id of the decision.
pub const DECISION_ID: HeaderName = HeaderName::from_static("x-decision-id");

/// Why a request gets no answer from the engine.
#[derive(Debug)]
pub enum Rejection {
    /// It has no single meaning.
    Intake(IntakeError),
    /// Its path or query could be read in two ways.
    Ambiguous(Refusal),
    /// Nobody is known to ask. Holds what was asked, to name the scope that would do.
    Unauthenticated(AuthenticationError, Option<Box<str>>),
    /// The caller asks too often.
    RateLimited(Exceeded),
    /// The caller may not.
    Unauthorized(AuthorizationError),
    /// There is no engine identity for it.
    Identity(IdentityError),
    /// The engine or Dashboards did not take the proxy's identity.
    IdentityRefused {
        /// The node that answered 401.
        node: String,
        /// Whose node that is.
        destination: Destination,
    },
    /// The engine had forgotten the token that the request went with. It has it again, or another, but the request cannot be sent
    /// again; the engine acted on none of it.
    TokenRenewed {
        /// The node that answered 401.
        node: String,
    },
    /// The client's body broke off before the engine answered, so the engine acted on none of it.
    Body {
        /// It stood still for longer than the limit.
        stalled: bool,
    },
    /// What stands in the body stopped it; the engine acted on none of it.
    Found(Arc<Findings>),
    /// The engine did not answer.
    Upstream(UpstreamError),
    /// A request of the proxy's own making is faulty; a defect here.
    Internal(String),
}

/// What a rejected request was for, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub struct Addressed<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What of it.
    pub destination: &'a Destination,
}

/// What a rejection looks like from outside.
#[derive(Debug)]
pub struct Verdict {
    /// The status.
    pub status: StatusCode,
    /// Denied by rule, or failed.
    pub decision: Decision,
    /// Which layer: `request`, `token`, `rate_limit`, `scope`, `policy`, `identity`, `engine`.
    pub layer: &'static str,
    /// The stable reason code.
    pub reason: &'static str,
    /// The reason in words, told to the client and kept in the audit record.
    pub detail: String,
    /// What only the operator should read; kept in the audit record and the log.
    pub cause: Option<String>,
    /// The scope that would allow it.
    pub scope: Option<String>,
    /// The `error` of RFC 6750 §3.1, when the failure is one of authentication or scope.
    pub oauth_error: Option<&'static str>,
    /// Whether a challenge belongs on the answer.
    challenge: bool,
    allow: Option<String>,
    /// How long until it is worth trying again, where that is known.
    wait: Option<Duration>,
    /// It is as if the thing that is named did not exist.
    absent: bool,
}

impl Verdict {
    fn new(status: StatusCode, layer: &'static str, reason: &'static str, detail: String) -> Self {
        let decision = if status.is_server_error() { Decision::Error } else { Decision::Deny };
        Self {
            status,
            decision,
            layer,
            reason,
            detail,
            cause: None,
            scope: None,
            oauth_error: None,
            challenge: false,
            allow: None,
            wait: None,
            absent: false,
        }
    }
}

/// The scope that a request needs, to be named in a challenge.
pub fn needed_scope(ask: &Inquiry) -> Option<Box<str>> {
    let scopes: Vec<String> = ask.needs.iter().map(|need| Scope::for_need(need, None).to_string()).collect();
    (!scopes.is_empty()).then(|| scopes.join(" ").into_boxed_str())
}

impl Rejection {
    /// The table.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Intake(error) => {
                let status = match error {
                    IntakeError::Framing(violation) => {
                        StatusCode::from_u16(violation.status()).unwrap_or(StatusCode::BAD_REQUEST)
                    }
                    IntakeError::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
                    IntakeError::NoCluster => StatusCode::NOT_FOUND,
                    _ => StatusCode::BAD_REQUEST,
                };
                let mut verdict = Verdict::new(status, "request", error.reason(), error.to_string());
                if matches!(error, IntakeError::Form) {
                    verdict.oauth_error = Some("invalid_request");
                }
                if matches!(error, IntakeError::Method(_)) {
                    verdict.allow = Some("GET, HEAD, POST, PUT, PATCH, DELETE".to_owned());
                }
                verdict
            }
            Self::Ambiguous(refusal) => {
                let mut verdict = of_refusal(refusal);
                if matches!(refusal, Refusal::TokenInQuery) {
                    verdict.oauth_error = Some("invalid_request");
                }
                verdict
            }
            Self::Unauthenticated(error, scope) => {
                let mut verdict = of_authentication(error);
                verdict.scope = scope.as_deref().map(str::to_owned);
                verdict
            }
            Self::RateLimited(exceeded) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let mut verdict = Verdict::new(status, "rate_limit", "rate_limited", exceeded.to_string());
                verdict.wait = Some(exceeded.wait);
                verdict
            }
            Self::Unauthorized(error) => of_authorization(error),
            Self::Identity(error) => {
                let status =
                    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let detail = if status.is_server_error() {
                    "the proxy has no identity for this request at the engine; its operator finds the cause in the log"
                        .to_owned()
                } else {
                    error.to_string()
                };
                let mut verdict = Verdict::new(status, "identity", error.reason(), detail);
                verdict.cause = Some(errors::chain(error));
                verdict
            }
            Self::IdentityRefused { node, destination } => of_refused_identity(node, destination),
            Self::TokenRenewed { node } => {
                let detail = "the engine did not know the proxy's token, which has been renewed; send the request again";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let mut verdict = Verdict::new(status, "identity", "api_token_renewed", detail.to_owned());
                verdict.cause = Some(format!("node {node} answered 401"));
                verdict
            }
            Self::Body { stalled: true } => {
                let detail = "the body of the request stood still for too long".to_owned();
                Verdict::new(StatusCode::REQUEST_TIMEOUT, "request", "request_body_stalled", detail)
            }
            Self::Body { stalled: false } => {
                let detail = "the body of the request broke off".to_owned();
                Verdict::new(StatusCode::BAD_REQUEST, "request", "request_body_broken", detail)
            }
            Self::Found(findings) => of_findings(findings),
            Self::Upstream(error) => of_upstream(error),
            Self::Internal(cause) => {
                let detail = "the proxy failed; its operator finds the cause in the log".to_owned();
                let mut verdict =
                    Verdict::new(StatusCode::INTERNAL_SERVER_ERROR, "request", "internal", detail);
                verdict.cause = Some(cause.clone());
                verdict
            }
        }
    }

    /// What exactly was refused, for its explanation.
    fn because(&self) -> Because<'_> {
        match self {
            Self::Unauthorized(AuthorizationError::Scope(denial)) => Because::Scope(denial),
            Self::Unauthorized(AuthorizationError::Policy(refusal)) => because_of(refusal),
            Self::Found(findings) => match findings.stopped() {
                Some(BodyFinding::Denied(denial)) => Because::Scope(denial),
                Some(BodyFinding::Policy(refusal)) => because_of(refusal),
                _ => Because::Other,
            },
            _ => Because::Other,
        }
    }

    /// How the exchange has ended once the client has its answer.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Body { stalled: true } | Self::Upstream(UpstreamError::Timeout { .. }) => Outcome::TimedOut,
            Self::Body { stalled: false } => Outcome::RequestBroken,
            Self::Upstream(_) => Outcome::UpstreamBroken,
            _ => Outcome::Complete,
        }
    }

    /// The answer, with everything noted in `entry`.
    pub fn respond(&self, mut entry: Entry, addressed: Option<Addressed<'_>>) -> Response<ResponseBody> {
        let verdict = self.verdict();
        if verdict.decision == Decision::Error {
            tracing::warn!(
                request_id = entry.request_id(),
                reason = verdict.reason,
                cause = verdict.cause.as_deref().unwrap_or(&verdict.detail),
                "a request failed"
            );
        }
        entry.refused(
            verdict.decision,
            verdict.layer,
            verdict.reason,
            &verdict.detail,
            verdict.cause.as_deref(),
        );
        entry.because(self.because());
        entry.status(verdict.status);
        if let Self::Upstream(error) = self {
            entry.note(|record| record.node = Some(error.node().to_owned()));
        }

        let of_dashboards = addressed.is_some_and(|addressed| !addressed.destination.is_engine());
        let body = if of_dashboards {
            ErrorBody::Dashboards(DashboardsError::new(&verdict, &entry))
        } else {
            ErrorBody::Engine(EngineError::new(&verdict, &entry))
        };
        let mut text = Vec::with_capacity(TYPICAL);
        // Texts and numbers can always be encoded.
        let _ = serde_json::to_writer(&mut text, &body);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REQUEST_ID, text_value(entry.request_id()));
        headers.insert(DECISION_ID, text_value(&entry.decision_id().to_string()));
        if verdict.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge(&verdict, addressed));
        }
        if matches!(verdict.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let wait = verdict.wait.map_or(RETRY_AFTER, |wait| rate_limits::seconds(wait).into());
            headers.insert(header::RETRY_AFTER, wait);
        }
        if let Some(allow) = &verdict.allow {
            headers.insert(header::ALLOW, text_value(allow));
        }
        if matches!(self, Self::Intake(IntakeError::Framing(_))) {
            // After bytes of doubtful framing nothing on this connection can be trusted.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = Response::new(ResponseBody::own(text, entry, self.outcome()));
        *response.status_mut() = verdict.status;
        *response.headers_mut() = headers;
        response
    }
}

fn because_of(refusal: &PolicyRefusal) -> Because<'_> {
    match refusal {
        PolicyRefusal::Denied(denial) => Because::Policy(denial),
        PolicyRefusal::NamesUnknown => Because::Other,
    }
}

fn of_refusal(refusal: &Refusal) -> Verdict {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut verdict = Verdict::new(status, "request", refusal.reason(), refusal.to_string());
    verdict.allow = refusal.allow().map(str::to_owned);
    verdict
}

fn of_authentication(error: &AuthenticationError) -> Verdict {
    let (status, oauth_error) = match error {
        // RFC 6750 §3.1: no error code for a request without any credential that we know.
        AuthenticationError::NoToken | AuthenticationError::Token(oidc::TokenError::OtherScheme) => {
            (StatusCode::UNAUTHORIZED, None)
        }
        AuthenticationError::SeveralCredentials => (StatusCode::BAD_REQUEST, Some("invalid_request")),
        AuthenticationError::TooManyFailures(_) => (StatusCode::TOO_MANY_REQUESTS, None),
        error if error.is_unavailable() => (StatusCode::SERVICE_UNAVAILABLE, None),
        AuthenticationError::Token(error) if error.oauth_error() == "invalid_request" => {
            (StatusCode::BAD_REQUEST, Some("invalid_request"))
        }
        AuthenticationError::Token(error) => (StatusCode::UNAUTHORIZED, Some(error.oauth_error())),
        AuthenticationError::NotManaged(_)
        | AuthenticationError::Managed(_)
        | AuthenticationError::Revoked => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
    };
    let mut verdict = Verdict::new(status, "token", error.reason(), error.to_string());
    verdict.oauth_error = oauth_error;
    if let AuthenticationError::TooManyFailures(wait) = error {
        verdict.wait = Some(*wait);
    }
    verdict.challenge = status == StatusCode::UNAUTHORIZED || oauth_error.is_some();
    verdict
}

fn of_authorization(error: &AuthorizationError) -> Verdict {
    match error {
        AuthorizationError::Operation(refusal) => of_refusal(refusal),
        AuthorizationError::Scope(denial) => of_denial(denial),
        AuthorizationError::Coding(coding) => {
            let detail = format!(
                "the body has to be read, and the content encoding `{coding}` is not; send it as gzip or uncompressed"
            );
            Verdict::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request", "body_encoding", detail)
        }
        AuthorizationError::NoRights => no_rights(),
        AuthorizationError::Xsrf(missing) => {
            Verdict::new(StatusCode::BAD_REQUEST, "request", "xsrf_missing", missing.to_string())
        }
        AuthorizationError::Tenancy(error) => {
            Verdict::new(StatusCode::FORBIDDEN, "identity", error.reason(), error.to_string())
        }
        AuthorizationError::NamesUnknown => names_unknown(),
        AuthorizationError::Policy(denial) => of_policy(denial),
        AuthorizationError::Handle(error) => of_handle(error),
    }
}

fn of_refused_identity(node: &str, destination: &Destination) -> Verdict {
    let status = StatusCode::BAD_GATEWAY;
    let mut verdict = match destination {
        Destination::Engine => {
            let detail = "the engine did not accept the proxy's identity; its operator should run \
                          `opensearch-oauth-proxy engine-setup --check`";
            Verdict::new(status, "engine", "engine_refused_identity", detail.to_owned())
        }
        Destination::Dashboards(_) => {
            let detail = "Dashboards, or the engine behind it, did not accept the proxy's identity; its operator should \
                          run `opensearch-oauth-proxy engine-setup --check` and look at `opensearch_security.auth.type` \
                          of Dashboards";
            Verdict::new(status, "engine", "dashboards_refused_identity", detail.to_owned())
        }
    };
    verdict.cause = Some(format!("node {node} answered 401"));
    verdict
}

fn no_rights() -> Verdict {
    let detail = "tokens of this provider count for nothing on this cluster".to_owned();
    Verdict::new(StatusCode::FORBIDDEN, "scope", "no_rights", detail)
}

fn names_unknown() -> Verdict {
    let detail = "requests for indices are judged by what is behind aliases here, and the proxy does not know that at this \
                  moment; try again";
    Verdict::new(StatusCode::SERVICE_UNAVAILABLE, "scope", "names_unknown", detail.to_owned())
}

fn of_denial(denial: &Denial) -> Verdict {
    let mut verdict = Verdict::new(StatusCode::FORBIDDEN, "scope", "insufficient_scope", denial.to_string());
    verdict.scope = Some(denial.would_allow.to_string());
    verdict.oauth_error = Some("insufficient_scope");
    verdict.challenge = true;
    verdict
}

fn of_policy(refusal: &PolicyRefusal) -> Verdict {
    let denial = match refusal {
        PolicyRefusal::Denied(denial) => denial,
        PolicyRefusal::NamesUnknown => return names_unknown(),
    };
    let mut verdict = Verdict::new(StatusCode::FORBIDDEN, "policy", denial.reason(), denial.to_string());
    verdict.cause = (!denial.failed.is_empty()).then(|| denial.failed.join("; "));
    verdict
}

fn of_handle(error: &HandleError) -> Verdict {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut verdict = Verdict::new(status, "request", error.reason(), error.to_string());
    verdict.absent = matches!(error, HandleError::Unknown);
    verdict
}

fn of_body(refusal: &BodyRefusal) -> Verdict {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    Verdict::new(status, "request", refusal.reason(), refusal.to_string())
}

fn of_findings(findings: &Findings) -> Verdict {
    match findings.stopped() {
        Some(BodyFinding::Denied(denial)) => of_denial(denial),
        Some(BodyFinding::Refused(refusal)) => of_body(refusal),
        Some(BodyFinding::Inflate(error)) => {
            Verdict::new(StatusCode::BAD_REQUEST, "request", error.reason(), error.to_string())
        }
        Some(BodyFinding::NamesUnknown) => names_unknown(),
        Some(BodyFinding::Policy(denial)) => of_policy(denial),
        Some(BodyFinding::NoRights) | None => no_rights(),
    }
}

fn of_upstream(error: &UpstreamError) -> Verdict {
    let (status, reason, detail) = match error {
        UpstreamError::Unreachable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "engine_unreachable", "no node of the cluster can be reached")
        }
        UpstreamError::Broken { .. } => (
            StatusCode::BAD_GATEWAY,
            "engine_broke_off",
            "the engine broke off before answering; the request may have taken effect",
        ),
        UpstreamError::Timeout { .. } => (
            StatusCode::GATEWAY_TIMEOUT,
            "engine_timeout",
            "the engine did not answer in time; the request may have taken effect",
        ),
    };
    let mut verdict = Verdict::new(status, "engine", reason, detail.to_owned());
    verdict.cause = Some(errors::chain(error));
    verdict
}

/// `WWW-Authenticate: Bearer` by RFC 6750 §3 and RFC 9728 §5.1.
fn challenge(verdict: &Verdict, addressed: Option<Addressed<'_>>) -> HeaderValue {
    const SCHEME: &str = "Bearer";
    let mut text = String::with_capacity(TYPICAL);
    text.push_str(SCHEME);
    let mut quoted = |name: &str, value: &str| {
        let before = if text.len() == SCHEME.len() { " " } else { ", " };
        text.extend([before, name, "=\""]);
        for (at, part) in value.split(['"', '\\']).enumerate() {
            text.extend([if at == 0 { "" } else { "'" }, part]);
        }
        text.push('"');
    };
    if let Some(error) = verdict.oauth_error {
        quoted("error", error);
        quoted("error_description", &verdict.detail);
    }
    if let Some(scope) = &verdict.scope {
        quoted("scope", scope);
    }
    if let Some(Addressed { cluster, destination }) = addressed {
        quoted("resource_metadata", cluster.resource_metadata(destination));
    }
    text_value(&text)
}

/// An error body of the shape that clients of the server asked for know, with what the proxy has to add.
#[derive(Serialize)]
#[serde(untagged)]
enum ErrorBody<'a> {
    Engine(EngineError<'a>),
    Dashboards(DashboardsError<'a>),
}

#[derive(Serialize)]
struct EngineError<'a> {
    error: Error<'a>,
    status: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DashboardsError<'a> {
    status_code: u16,
    error: &'static str,
    message: &'a str,
    attributes: Added<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    root_cause: [Cause<'a>; 1],
    #[serde(flatten)]
    cause: Cause<'a>,
    #[serde(flatten)]
    added: Added<'a>,
}

#[derive(Serialize)]
struct Added<'a> {
    layer: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    needed_scope: Option<&'a str>,
    decision_id: String,
    request_id: &'a str,
}

#[derive(Clone, Copy, Serialize)]
struct Cause<'a> {
    r#type: &'static str,
    reason: &'a str,
}

impl<'a> Added<'a> {
    fn new(verdict: &'a Verdict, entry: &'a Entry) -> Self {
        Self {
            layer: verdict.layer,
            code: verdict.reason,
            needed_scope: verdict.scope.as_deref(),
            decision_id: entry.decision_id().to_string(),
            request_id: entry.request_id(),
        }
    }
}

impl<'a> DashboardsError<'a> {
    fn new(verdict: &'a Verdict, entry: &'a Entry) -> Self {
        Self {
            status_code: verdict.status.as_u16(),
            error: verdict.status.canonical_reason().unwrap_or_default(),
            message: &verdict.detail,
            attributes: Added::new(verdict, entry),
        }
    }
}

impl<'a> EngineError<'a> {
    fn new(verdict: &'a Verdict, entry: &'a Entry) -> Self {
        let kind = match verdict.status {
            StatusCode::UNAUTHORIZED => "authentication_exception",
            StatusCode::FORBIDDEN => "authorization_exception",
            _ if verdict.absent => "resource_not_found_exception",
            status if status.is_server_error() => "proxy_exception",
            _ => "request_refused_exception",
        };
        let cause = Cause { r#type: kind, reason: &verdict.detail };
        Self {
            error: Error { root_cause: [cause], cause, added: Added::new(verdict, entry) },
            status: verdict.status.as_u16(),
        }
    }
}
