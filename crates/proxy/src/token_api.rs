//! Tokens that the proxy issues itself: the HTTP side of the token service.
//!
//! Requests for its paths never reach a cluster. Each is an [`Operation`] with one function; what is done is written into the
//! audit record of the request, and no secret is.

mod answer;
mod approve;
mod authorize;
mod browser;
mod caller;
mod clients;
mod consent;
mod consents;
mod device;
mod flow;
mod index;
mod intake;
mod introspect;
mod issue;
mod login;
mod manage;
mod notify;
mod pages;
mod policies;
mod redeem;
mod revoke;
mod route;
mod service;
mod view;

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use oauth::{ErrorCode, Form, ServerMetadata};

pub(crate) use self::answer::{Answer, Fault, respond};
use self::{caller::Caller, clients::Clients, intake::Body, policies::Replaces, route::Operation};
pub use self::{
    index::NodesError,
    route::owns,
    service::{OpenError, Rules, RulesError, TokenService, rules},
};
use crate::{
    authenticate::{self, AuthenticationError},
    intake as front,
    metrics::Metrics,
    record::Entry,
    respond::ResponseBody,
    snapshot::Snapshot,
};

/// The published description of this service.
const OPENAPI: &str = include_str!("../../../schema/token-api.openapi.json");

/// The stable reason code of an error of the token service that has no more exact one.
pub fn reason_of(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidRequest => "oauth_invalid_request",
        ErrorCode::InvalidClient => "oauth_invalid_client",
        ErrorCode::InvalidGrant => "oauth_invalid_grant",
        ErrorCode::UnauthorizedClient => "oauth_unauthorized_client",
        ErrorCode::UnsupportedGrantType => "oauth_unsupported_grant_type",
        ErrorCode::InvalidScope => "oauth_invalid_scope",
        ErrorCode::InvalidTarget => "oauth_invalid_target",
        ErrorCode::InvalidToken => "oauth_invalid_token",
        ErrorCode::InsufficientScope => "oauth_insufficient_scope",
        ErrorCode::AccessDenied => "oauth_access_denied",
        ErrorCode::UnsupportedResponseType => "oauth_unsupported_response_type",
        ErrorCode::LoginRequired => "oauth_login_required",
        ErrorCode::ConsentRequired => "oauth_consent_required",
        ErrorCode::AuthorizationPending => "oauth_authorization_pending",
        ErrorCode::SlowDown => "oauth_slow_down",
        ErrorCode::ExpiredToken => "oauth_expired_token",
        ErrorCode::NotFound => "oauth_not_found",
        ErrorCode::Conflict => "oauth_conflict",
        ErrorCode::MethodNotAllowed => "oauth_method_not_allowed",
        ErrorCode::ServerError => "oauth_server_error",
        ErrorCode::TemporarilyUnavailable => "oauth_temporarily_unavailable",
    }
}

/// What the operations work with.
struct Api<'s> {
    service: &'s TokenService,
    snapshot: &'s Snapshot,
    /// Where the request comes from.
    source: IpAddr,
}

impl<'s> Api<'s> {
    /// The proxy as others call it: a URL without a slash at its end.
    fn issuer(&self) -> String {
        self.snapshot.config().public_url.as_str().trim_end_matches('/').to_owned()
    }

    /// The proxy's own clients; 404 without any.
    fn clients(&self) -> Result<&'s Clients, Fault> {
        self.service.clients().ok_or_else(|| {
            Fault::new(ErrorCode::NotFound, "this service has no clients of its own (tokens.authorization)")
        })
    }

    /// A token of this owner has been ended, and with it what the engine has made for its client. What still acts for the client has
    /// that made anew.
    fn token_ended(&self, owner: &tokens::Party) {
        if let Some(client) = &owner.client_id {
            self.client_ended(|provider| *provider.name == *owner.provider, client);
        }
    }

    /// This client of these providers is not to act any more.
    fn client_ended(&self, of: impl Fn(&config::model::Provider) -> bool, client_id: &str) {
        let engines = self.snapshot.clusters().iter().filter_map(|cluster| cluster.identity().api_tokens());
        for engine in engines {
            for provider in self.snapshot.config().providers.iter().filter(|provider| of(provider)) {
                engine.end_client(&provider.name, client_id);
            }
        }
    }
}

/// Answers a request for one of the service's paths.
pub async fn answer(
    service: &TokenService,
    snapshot: &Snapshot,
    source: IpAddr,
    request: Request<Incoming>,
    mut entry: Entry,
    metrics: &Metrics,
) -> Response<ResponseBody> {
    let path = request.uri().path();
    let allow = route::allowed(path);
    let operation = route::find(request.method(), path).map_or("none", |(route, _)| route.name);
    if let Some((before, _)) = path.split_once(tokens::PREFIX) {
        // Where an id belongs somebody has put the secret, which is not to be kept.
        let before = format!("{before}{}…", tokens::PREFIX);
        entry.note(|record| record.path = before);
    }
    let for_people =
        route::find(request.method(), path).is_ok_and(|(route, _)| route.operation.is_for_people());
    let outcome = run(&Api { service, snapshot, source }, request, &mut entry).await;
    let outcome = outcome.map_err(|fault| if for_people { fault.in_browser() } else { fault });
    let response = respond(outcome, entry, &allow);
    metrics.token_operation(operation, response.status());
    response
}

async fn run(api: &Api<'_>, request: Request<Incoming>, entry: &mut Entry) -> Result<Answer, Fault> {
    let (parts, incoming) = request.into_parts();
    let (route, named) = route::find(&parts.method, parts.uri.path())?;
    let (id, version) = (named.id.unwrap_or_default(), named.version.unwrap_or_default());
    // The name of the thing, if it can be one: never what else may stand in its place.
    let named = ["tok_", "rev_", "con_"].iter().any(|prefix| id.starts_with(prefix));
    entry.asked(route.name, route.operation.of(), if named { vec![id.to_owned()] } else { Vec::new() });
    front::host(&parts.headers, parts.uri.authority(), parts.version)
        .map_err(|error| Fault::new(ErrorCode::InvalidRequest, error.to_string()))?;
    let query = intake::query(parts.uri.query())?;
    let body = Body::new(&parts.headers, incoming, api.snapshot.limits().body_idle)?;
    match route.operation {
        Operation::Metadata => return metadata(api),
        Operation::OpenApi => return Ok(Answer::public(OPENAPI.as_bytes().to_vec())),
        Operation::Issue => {
            let authorization = one_authorization(&parts.headers)?;
            return issue::token(api, authorization, &body.form().await?, entry).await;
        }
        // Needs no bearer token: the token that is to end speaks for itself.
        Operation::RevokeSecret => return revoke::secret(api, &body.form().await?, entry).await,
        Operation::Authorize => return authorize::request(api, &query, entry).await,
        Operation::Callback => return login::come_back(api, &parts.headers, &query, entry).await,
        Operation::Decide => {
            return consent::decided(api, &parts.headers, &body.form().await?, entry).await;
        }
        Operation::DeviceAuthorization => {
            let authorization = one_authorization(&parts.headers)?;
            return device::begin(api, authorization, &body.form().await?, entry).await;
        }
        Operation::DevicePage => return device::page(api, &query),
        Operation::DeviceCode => {
            return device::entered(api, &parts.headers, &body.form().await?, entry).await;
        }
        _ => {}
    }
    let caller = caller(api, &parts.headers, entry).await?;
    manage(
        api,
        &caller,
        Asked { operation: route.operation, id, version, query, headers: &parts.headers, body },
        entry,
    )
    .await
}

/// What a known caller asks.
struct Asked<'r> {
    operation: Operation,
    id: &'r str,
    version: &'r str,
    query: Form,
    headers: &'r HeaderMap,
    body: Body,
}

async fn manage(
    api: &Api<'_>,
    caller: &Caller,
    asked: Asked<'_>,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let Asked { operation, id, version, query, headers, body } = asked;
    let of_set = policies::Asked { set: id, version };
    match operation {
        Operation::List => manage::list(api, caller, &query),
        Operation::Show => manage::show(api, caller, id),
        Operation::Revoke => manage::revoke(api, caller, id, &query).await,
        Operation::RevokeMany => manage::revoke_many(api, caller, body.json().await?, entry).await,
        Operation::Rotate => manage::rotate(api, caller, id, body.json().await?, entry).await,
        Operation::Introspect => introspect::token(api, caller, &body.form().await?, entry).await,
        Operation::Revocations => revoke::list(api, caller),
        Operation::AddRevocation => revoke::add(api, caller, body.json().await?, entry).await,
        Operation::WithdrawRevocation => revoke::withdraw(api, caller, id).await,
        Operation::Requests => approve::list(api, caller, &query),
        Operation::Approve => approve::decide(api, caller, id, body.json().await?, true).await,
        Operation::Deny => approve::decide(api, caller, id, body.json().await?, false).await,
        Operation::Review => approve::review(api, caller, &query),
        Operation::Consents => consents::list(api, caller),
        Operation::WithdrawConsent => consents::withdraw(api, caller, id, entry).await,
        Operation::PolicySets => policies::list(api, caller),
        Operation::ShowPolicies => policies::show(api, caller, of_set),
        Operation::PolicyVersions => policies::versions(api, caller, of_set),
        Operation::ShowPolicyVersion => policies::version(api, caller, of_set),
        Operation::WritePolicies => {
            let replaces = Replaces::from_headers(caller, headers)?;
            let request = body.json_within(policies::MAX_BODY).await?;
            policies::write(api, caller, of_set, replaces, request, entry).await
        }
        Operation::RollBackPolicies => {
            let replaces = Replaces::from_headers(caller, headers)?;
            policies::roll_back(api, caller, of_set, replaces, body.json().await?, entry).await
        }
        Operation::Metadata
        | Operation::OpenApi
        | Operation::Issue
        | Operation::RevokeSecret
        | Operation::Authorize
        | Operation::Callback
        | Operation::Decide
        | Operation::DeviceAuthorization
        | Operation::DevicePage
        | Operation::DeviceCode => Err(Fault::internal("an operation without a caller was asked with one")),
    }
}

/// RFC 8414. Says nothing that is not public.
fn metadata(api: &Api<'_>) -> Result<Answer, Fault> {
    let issuer = api.issuer();
    let mut scopes: Vec<String> =
        api.snapshot.clusters().iter().flat_map(|cluster| cluster.scopes_supported()).cloned().collect();
    scopes.sort_unstable();
    scopes.dedup();
    let document = serde_json::to_vec(&ServerMetadata::new(&issuer, scopes, api.service.clients().is_some()));
    document.map(Answer::public).map_err(|error| Fault::internal(error.to_string()))
}

async fn caller(api: &Api<'_>, headers: &HeaderMap, entry: &mut Entry) -> Result<Caller, Fault> {
    let values: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().cloned().collect();
    let (principal, _) = authenticate::caller(&values, api.snapshot, api.source).await?;
    entry.principal(&principal);
    Ok(Caller::new(principal))
}

fn one_authorization(headers: &HeaderMap) -> Result<Option<&[u8]>, Fault> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthenticationError::SeveralCredentials.into());
    }
    Ok(first.map(HeaderValue::as_bytes))
}
