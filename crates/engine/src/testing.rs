//! What the unit tests share.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use access::{ClusterRules, Condition, Glob, Granted, Mapper, Mapping, Permit, ScopesOnly};
use claims::Claims;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::Caller;

pub(crate) fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
    texts.iter().map(|&text| Arc::from(text)).collect()
}

/// The permit that a token with one scope gets when a mapping gives that scope to `user`.
pub(crate) fn permit(scope: &str, user: Option<&str>, ask: &rest::Ask) -> Permit {
    let mapping = Mapping {
        when: Condition::Scope(Glob::new(scope)),
        clusters: None,
        grant: Granted {
            scopes: vec![scope.parse().unwrap()],
            roles: Vec::new(),
            backend_user: user.map(Into::into),
            tenant: None,
        },
    };
    let rules = ClusterRules { name: "main".into(), audience: None, only_cluster: true };
    Mapper::new(vec![mapping], rules, false).unwrap().rights(&ScopesOnly(vec![scope])).decide(ask).unwrap()
}

/// Owns what a [`Caller`] borrows.
pub(crate) struct Fixture {
    pub(crate) user: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) permit: Permit,
    pub(crate) claims: Map<String, Value>,
    pub(crate) token: Option<SecretString>,
    pub(crate) now: SystemTime,
}

impl Fixture {
    pub(crate) fn new(scopes: &[&str], roles: &[&str]) -> Self {
        let mut permit = Permit::default();
        permit.scopes.extend(arcs(scopes));
        permit.roles = arcs(roles);
        Self {
            user: Some("alice".to_owned()),
            client: Some("agent".to_owned()),
            permit,
            claims: Map::new(),
            token: None,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        }
    }

    /// Calls `with` with the caller.
    pub(crate) fn with<T>(&self, with: impl FnOnce(&Caller<'_>) -> T) -> T {
        let claims = Claims::from(self.claims.clone());
        with(&Caller {
            provider: "keycloak",
            user_id: self.user.as_deref(),
            client_id: self.client.as_deref(),
            subject: "f81d4fae",
            permit: &self.permit,
            claims: &claims,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            token: self.token.as_ref(),
            now: self.now,
        })
    }
}
