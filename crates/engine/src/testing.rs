//! What the unit tests share.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use secrecy::SecretString;

use crate::{BackendUser, Caller};

pub(crate) fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
    texts.iter().map(|&text| Arc::from(text)).collect()
}

/// Owns what a [`Caller`] borrows.
pub(crate) struct Fixture {
    pub(crate) user: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) scopes: Vec<Arc<str>>,
    pub(crate) roles: Vec<Arc<str>>,
    pub(crate) backend_user: BackendUser<'static>,
    pub(crate) claims: BTreeMap<String, Vec<String>>,
    pub(crate) token: Option<SecretString>,
    pub(crate) now: SystemTime,
}

impl Fixture {
    pub(crate) fn new(scopes: &[&str], roles: &[&str]) -> Self {
        Self {
            user: Some("alice".to_owned()),
            client: Some("agent".to_owned()),
            scopes: arcs(scopes),
            roles: arcs(roles),
            backend_user: BackendUser::Unnamed,
            claims: BTreeMap::new(),
            token: None,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        }
    }

    /// Calls `with` with the caller: it borrows a closure over the claims.
    pub(crate) fn with<T>(&self, with: impl FnOnce(&Caller<'_>) -> T) -> T {
        let claims = |path: &str| self.claims.get(path).cloned().unwrap_or_default();
        with(&Caller {
            provider: "keycloak",
            user_id: self.user.as_deref(),
            client_id: self.client.as_deref(),
            subject: "f81d4fae",
            scopes: &self.scopes,
            roles: &self.roles,
            backend_user: self.backend_user,
            claims: &claims,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            token: self.token.as_ref(),
            now: self.now,
        })
    }
}
