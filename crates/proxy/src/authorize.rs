//! May it: the scopes of the caller against what the request asks.

use std::sync::Arc;

use access::{Denial, Permit, Watch};
use http::header;
use oidc::BearerToken;
use rest::{BodyPlan, Refusal};

use crate::{authenticate::Authenticated, inflate::Coding, intake::Received, principal::Principal};

/// A request that may be made, as far as its body does not name more. There is no other way to a credential for the
/// engine than from one of these.
#[derive(Debug)]
pub struct Authorized {
    received: Received,
    principal: Arc<Principal>,
    permit: Permit,
    token: BearerToken,
    reading: Option<Reading>,
}

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

/// What an [`Authorized`] request consists of.
#[derive(Debug)]
pub struct Parts {
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
}

/// Decides. Pure and without waiting.
pub fn decide(authenticated: Authenticated) -> Result<Authorized, AuthorizationError> {
    let Authenticated { classified, principal, token } = authenticated;
    let ask = classified.ask.map_err(AuthorizationError::Operation)?;
    let cluster = classified.received.cluster.index();
    let rights = principal.rights(cluster).ok_or(AuthorizationError::NoRights)?;
    let (permit, watch) =
        rights.decide_inquiry(&ask).map_err(|denial| AuthorizationError::Scope(Box::new(denial)))?;
    let received = classified.received;
    let reading = match (watch, ask.body) {
        (Some(watch), Some(plan)) => Some(Reading { plan, coding: coding(&received)?, watch }),
        _ => None,
    };
    Ok(Authorized { received, principal, permit, token, reading })
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

impl Authorized {
    /// Gives the request up to be sent.
    pub fn into_parts(self) -> Parts {
        let Self { received, principal, permit, token, reading } = self;
        Parts { received, principal, permit, token, reading }
    }
}
