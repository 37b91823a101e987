//! Who a verified token stands for, and what that may do on each cluster. Made once a token, then cached.

use std::borrow::Cow;

use access::{Rights, Subject};
use claims::ClaimPath;
use oidc::Identity;

use crate::snapshot::Snapshot;

/// A verified caller.
#[derive(Debug)]
pub struct Principal {
    identity: Identity,
    /// By cluster index.
    rights: Box<[Option<Rights>]>,
}

impl Principal {
    /// Works out the rights of `identity` on every cluster of `snapshot`.
    pub fn new(identity: Identity, snapshot: &Snapshot) -> Self {
        let rights = snapshot
            .clusters()
            .iter()
            .map(|cluster| cluster.mapper(&identity.provider).map(|mapper| mapper.rights(&View(&identity))))
            .collect();
        Self { identity, rights }
    }

    /// The verified token's content.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the caller may do on the cluster with this index.
    pub fn rights(&self, cluster: usize) -> Option<&Rights> {
        self.rights.get(cluster)?.as_ref()
    }
}

/// A verified token as the mapping of scopes sees it.
struct View<'a>(&'a Identity);

impl Subject for View<'_> {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(|scope| &**scope)
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.groups.iter().map(|group| &**group)
    }

    fn claim(&self, path: &ClaimPath) -> Vec<Cow<'_, str>> {
        path.texts(&self.0.claims)
    }

    fn audiences(&self) -> impl Iterator<Item = &str> {
        self.0.audiences.iter().map(|audience| &**audience)
    }
}
