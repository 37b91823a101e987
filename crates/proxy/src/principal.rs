//! Who a verified token stands for, and what that may do on each cluster. Made once a token, then cached.

use std::{borrow::Cow, sync::Arc};

use access::{Rights, Scope, Subject};
use claims::{ClaimPath, Claims};
use oidc::Identity;
use tokens::Token;

use crate::{record, snapshot::Snapshot};

/// A verified caller.
#[derive(Debug)]
pub struct Principal {
    identity: Identity,
    /// By cluster index.
    rights: Box<[Option<Rights>]>,
    managed: Option<Token>,
    /// For the audit trail.
    caller: Arc<audit::Caller>,
}

impl Principal {
    /// Works out the rights of `identity` on every cluster of `snapshot`.
    pub fn new(identity: Identity, snapshot: &Snapshot) -> Self {
        let view = View::of(&identity, &identity.claims);
        let rights = snapshot
            .clusters()
            .iter()
            .map(|cluster| cluster.mapper(&identity.provider).map(|mapper| mapper.rights(&view)))
            .collect();
        let caller = Arc::new(record::of_token(&identity));
        Self { identity, rights, managed: None, caller }
    }

    /// The same for a managed token: what its claims hold today, as far as the token's own scopes reach, on its own clusters.
    ///
    /// `identity` is what the claims of the token say by the rules of now.
    pub fn of_managed(mut identity: Identity, token: Token, snapshot: &Snapshot) -> Self {
        let view = View::of(&identity, &identity.claims);
        let rights = snapshot
            .clusters()
            .iter()
            .map(|cluster| {
                let serves = cluster.takes_managed_tokens() && token.is_for_cluster(cluster.name());
                let mapper = cluster.mapper(&identity.provider).filter(|_| serves)?;
                Some(mapper.rights(&view).restrict(&token.scopes))
            })
            .collect();
        // A client of the proxy's own acts with what a person gave it, not the client by which the person logged in.
        if let Some(through) = &token.through {
            identity.client_id = Some((*through.client_id).into());
        }
        // For the audit trail: the token that was shown, not the one that it was made from.
        identity.token_id = Some(token.id.as_str().into());
        identity.scopes = token.scopes.iter().map(|scope| scope.to_string().into()).collect();
        identity.expires_at = u64::try_from(token.expires_at.as_second()).unwrap_or(0);
        identity.fresh_until = identity.expires_at;
        let caller = Arc::new(record::of_token(&identity));
        Self { identity, rights, managed: Some(token), caller }
    }

    /// The verified token's content.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The same for the audit trail.
    pub fn caller(&self) -> &Arc<audit::Caller> {
        &self.caller
    }

    /// The managed token that was shown; `None` if it was one of a provider.
    pub fn managed(&self) -> Option<&Token> {
        self.managed.as_ref()
    }

    /// What the caller may do on the cluster with this index.
    pub fn rights(&self, cluster: usize) -> Option<&Rights> {
        self.rights.get(cluster)?.as_ref()
    }

    /// Whether exactly this scope is held on some cluster.
    pub fn holds(&self, scope: &str) -> bool {
        self.rights.iter().flatten().any(|rights| rights.scopes().any(|held| **held == *scope))
    }

    /// Whether this caller may do whatever the other may: on each cluster each of its scopes is held whole, and each engine role
    /// that goes with everything.
    pub fn holds_all_of(&self, other: &Self) -> bool {
        other.rights.iter().zip(&self.rights).all(|(other, own)| match (other, own) {
            (None, _) => true,
            (Some(other), None) => other.is_empty(),
            (Some(other), Some(own)) => {
                let within = |scope: &Scope| !own.restrict(std::slice::from_ref(scope)).is_empty();
                other.held_scopes().all(within) && other.roles().iter().all(|role| own.roles().contains(role))
            }
        })
    }
}

/// A verified token as the mapping of scopes sees it.
pub(crate) struct View<'a> {
    identity: &'a Identity,
    claims: &'a Claims,
}

impl<'a> View<'a> {
    /// `claims` are those of the identity, or these with more.
    pub(crate) fn of(identity: &'a Identity, claims: &'a Claims) -> Self {
        Self { identity, claims }
    }
}

impl Subject for View<'_> {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.identity.scopes.iter().map(|scope| &**scope)
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.identity.groups.iter().map(|group| &**group)
    }

    fn claim(&self, path: &ClaimPath) -> Vec<Cow<'_, str>> {
        path.texts(self.claims)
    }

    fn audiences(&self) -> impl Iterator<Item = &str> {
        self.identity.audiences.iter().map(|audience| &**audience)
    }
}
