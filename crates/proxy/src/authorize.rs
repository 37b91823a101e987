//! May it: the scopes of the caller against what the request asks.

use std::{net::IpAddr, sync::Arc};

use access::{Denial, Permit, Rights, Watch};
use dashboards::XsrfMissing;
use http::{HeaderName, header, uri::PathAndQuery};
use oidc::BearerToken;
use rest::{BodyPlan, Inquiry, Narrowable, Operation, Refusal};

use crate::{
    authenticate::Authenticated,
    catalogue::{self, Allowed, Refused},
    classify,
    handles::{Answering, Bound, HandleError, Presented},
    inflate::Coding,
    intake::Received,
    policies::{Judge, Policies, PolicyRefusal},
    principal::Principal,
    snapshot::Destination,
    tenancy::{TENANT, TenancyError},
};

/// A request that may be made, as far as its body does not name more. There is no other way to a credential for the
/// engine than from one of these.
#[derive(Debug)]
pub struct Authorized {
    /// The request.
    pub received: Received,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What allows it, as far as it is known without the body.
    pub permit: Permit,
    /// The caller's token.
    pub token: BearerToken,
    /// What the body has to be read for.
    pub reading: Option<Reading>,
    /// What the request is for, where that is not what its line says: narrowed to what is held, or with what its names or
    /// handles stand for.
    pub targets: Option<Box<[String]>>,
    /// What has to be done to the answer.
    pub answering: Option<Answering>,
    /// Asks the policies about what the body is found to need.
    pub judge: Option<Judge>,
    _decided: Decided,
}

/// Nobody but [`decide`] makes one, and so nobody else an [`Authorized`].
#[derive(Debug)]
struct Decided;

/// A body that has to be read on its way.
#[derive(Debug)]
pub struct Reading {
    /// What for.
    pub plan: BodyPlan,
    /// Inside of which compression.
    pub coding: Option<Coding>,
    /// Judges what is found.
    pub watch: Watch,
}

/// Why a known caller may not make this request.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The proxy does not serve the operation.
    Operation(Refusal),
    /// The token's provider has no standing on this cluster.
    NoRights,
    /// The body has to be read, and is in a content coding that is not.
    Coding(String),
    /// No scope allows it.
    Scope(Box<Denial>),
    /// Aliases are to be judged by what is behind them, which is not known at this moment.
    NamesUnknown,
    /// It lacks the header that Dashboards asks for against requests from foreign pages.
    Xsrf(XsrfMissing),
    /// There is no tenant of Dashboards that it may be for.
    Tenancy(TenancyError),
    /// The policies do not allow it.
    Policy(Box<PolicyRefusal>),
    /// A handle that it names or that its answer tells is not for this caller.
    Handle(HandleError),
}

/// The policies, and where the request comes from, which they may go by.
pub type PolicyLayer<'p> = Option<(&'p Arc<Policies>, IpAddr)>;

/// Decides. Pure and without waiting.
pub fn decide(presented: Presented, policies: PolicyLayer<'_>) -> Result<Authorized, AuthorizationError> {
    let Presented { authenticated: Authenticated { classified, principal, token }, bound } = presented;
    let mut ask = classified.ask.map_err(AuthorizationError::Operation)?;
    let mut received = classified.received;
    let rights = principal.rights(received.cluster.index()).ok_or(AuthorizationError::NoRights)?;
    if let Destination::Dashboards(_) = received.destination {
        let names = received.headers.keys().map(HeaderName::as_str);
        dashboards::xsrf(received.method.as_str(), names).map_err(AuthorizationError::Xsrf)?;
    }
    let uses_handles = bound.as_ref().is_some_and(Bound::is_used);
    let mut targets = uses_handles.then(|| targets_of(&ask));
    let allowed = match catalogue::decide(rights, &mut ask, received.cluster.names(), policies.is_some()) {
        Ok(allowed) => allowed,
        Err(Refused::NamesUnknown) => return Err(AuthorizationError::NamesUnknown),
        Err(Refused::Denied(denial)) => {
            if let Some(error) = bound.as_ref().and_then(|bound| bound.explains(&denial)) {
                return Err(AuthorizationError::Handle(error));
            }
            // What a handle stands for cannot be narrowed.
            let narrows = received.destination.is_engine() && received.cluster.narrows() && !uses_handles;
            let narrower =
                narrows.then(|| narrow(&received, ask.operation, &principal, rights, policies.is_some()));
            let Some(Narrower { target, inquiry, allowed }) = narrower.flatten() else {
                return Err(AuthorizationError::Scope(denial));
            };
            (received.target, ask) = (target, inquiry);
            targets = Some(targets_of(&ask));
            allowed
        }
    };
    let Allowed { permit, watch, targets: stood_for } = allowed;
    if let Destination::Dashboards(dashboards) = &received.destination {
        let tenant = dashboards.tenancy().of(&received.tenants, principal.identity(), &permit);
        if let Some(tenant) = tenant.map_err(AuthorizationError::Tenancy)? {
            received.headers.insert(TENANT, tenant);
        }
    }
    let targets = stood_for.or(targets);
    let judge = policies.map(|(policies, source)| {
        let (principal, cluster) = (Arc::clone(&principal), Arc::clone(&received.cluster));
        let asked = received.headers.get(TENANT).and_then(|tenant| tenant.to_str().ok());
        let tenant = asked.or_else(|| permit.tenant().ok().map(|tenant| &**tenant));
        Judge::new(policies, principal, cluster, ask.operation, source, tenant)
    });
    if let Some(judge) = &judge {
        for need in &ask.needs {
            judge.judge(need).map_err(AuthorizationError::Policy)?;
        }
    }
    let answering = match bound {
        Some(bound) => bound.answering(&ask, &mut received).map_err(AuthorizationError::Handle)?,
        None => None,
    };
    let reading = match (watch, ask.body) {
        (Some(watch), Some(plan)) => Some(Reading { plan, coding: coding(&received)?, watch }),
        _ => None,
    };
    Ok(Authorized {
        received,
        principal,
        permit,
        token,
        reading,
        targets,
        answering,
        judge,
        _decided: Decided,
    })
}

fn targets_of(ask: &Inquiry) -> Box<[String]> {
    ask.needs.iter().map(|need| need.on.to_string()).collect()
}

/// A request that was denied, as the one for what is held of it.
struct Narrower {
    target: PathAndQuery,
    inquiry: Inquiry,
    allowed: Allowed,
}

/// The narrower request is read and judged like one that came so: what would not be allowed then is not now.
fn narrow(
    received: &Received,
    operation: &'static Operation,
    caller: &Principal,
    rights: &Rights,
    reads: bool,
) -> Option<Narrower> {
    let request = Narrowable::new(operation, received.target.path(), received.target.query())?;
    let held: Vec<_> = rights.targets(request.action()).collect();
    let narrowed = request.narrow(&held)?;
    let target = match narrowed.query {
        Some(query) => format!("{}?{query}", narrowed.path),
        None => narrowed.path,
    };
    let target = PathAndQuery::try_from(target).ok()?;
    let mut inquiry =
        classify::inquire(received, &target, classify::has_bodies_read(caller, received)).ok()?;
    if inquiry.operation.name != operation.name {
        return None;
    }
    let allowed = catalogue::decide(rights, &mut inquiry, received.cluster.names(), reads).ok()?;
    Some(Narrower { target, inquiry, allowed })
}

/// The compression of a body that has to be read.
fn coding(received: &Received) -> Result<Option<Coding>, AuthorizationError> {
    let mut values = received.headers.get_all(header::CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity") => Ok(None),
        (Some(value), second) => match (Coding::named(value.as_bytes()), second) {
            (Some(coding), None) => Ok(Some(coding)),
            _ => Err(AuthorizationError::Coding(String::from_utf8_lossy(value.as_bytes()).into_owned())),
        },
    }
}
