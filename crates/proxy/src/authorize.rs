//! May it: the scopes of the caller against what the request asks.

use std::sync::Arc;

use access::{Denial, Permit};
use oidc::BearerToken;
use rest::Refusal;

use crate::{authenticate::Authenticated, intake::Received, principal::Principal};

/// A request that may be made. There is no other way to a credential for the engine than from one of these.
#[derive(Debug)]
pub struct Authorized {
    received: Received,
    principal: Arc<Principal>,
    permit: Permit,
    token: BearerToken,
}

/// Why a known caller may not make this request.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The proxy does not serve the operation.
    Operation(Refusal),
    /// The token's provider has no standing on this cluster.
    NoRights,
    /// No scope allows it.
    Scope(Box<Denial>),
}

/// Decides. Pure and without waiting.
pub fn decide(authenticated: Authenticated) -> Result<Authorized, AuthorizationError> {
    let Authenticated { classified, principal, token } = authenticated;
    let ask = classified.ask.map_err(AuthorizationError::Operation)?;
    let cluster = classified.received.cluster.index();
    let rights = principal.rights(cluster).ok_or(AuthorizationError::NoRights)?;
    let permit = rights.decide(&ask).map_err(|denial| AuthorizationError::Scope(Box::new(denial)))?;
    Ok(Authorized { received: classified.received, permit, token, principal })
}

impl Authorized {
    /// The request.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What allows it.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The caller's token.
    pub fn token(&self) -> &BearerToken {
        &self.token
    }

    /// Gives the request up to be sent.
    pub fn into_received(self) -> Received {
        self.received
    }
}
