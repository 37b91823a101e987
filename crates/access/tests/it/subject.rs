use std::borrow::Cow;

use access::{ClusterRules, Condition, Glob, Granted, Mapper, Mapping, Rights, Subject};
use claims::ClaimPath;
use serde_json::{Map, Value};

/// What a token says, written out.
#[derive(Debug, Default)]
pub(crate) struct Token {
    pub(crate) scopes: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) claims: Map<String, Value>,
}

impl Token {
    pub(crate) fn with_scopes(scopes: &str) -> Self {
        Self { scopes: scopes.split_whitespace().map(Into::into).collect(), ..Self::default() }
    }
}

impl Subject for Token {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(String::as_str)
    }

    fn claim(&self, path: &ClaimPath) -> Vec<Cow<'_, str>> {
        path.texts(&self.claims)
    }

    fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(String::as_str)
    }
}

pub(crate) fn only_cluster() -> ClusterRules {
    ClusterRules { name: "prod".into(), audience: None, only_cluster: true }
}

pub(crate) fn one_of_many(audience: Option<&str>) -> ClusterRules {
    ClusterRules { name: "prod".into(), audience: audience.map(Into::into), only_cluster: false }
}

/// Rights of a token with these scopes on the only cluster, without mappings.
pub(crate) fn native(scopes: &str) -> Rights {
    mapper(vec![]).rights(&Token::with_scopes(scopes))
}

pub(crate) fn mapper(mappings: Vec<Mapping>) -> Mapper {
    Mapper::new(mappings, only_cluster(), true).expect("mappings that grant something")
}

pub(crate) fn scope_is(glob: &str) -> Condition {
    Condition::of_scope(glob)
}

pub(crate) fn group_is(glob: &str) -> Condition {
    Condition::Group(Glob::new(glob))
}

/// A mapping for every cluster where an unprefixed scope counts.
pub(crate) fn mapping(when: Condition, scopes: &str, roles: &str, backend_user: Option<&str>) -> Mapping {
    let scopes = scopes.split_whitespace().map(|scope| scope.parse().expect("a scope")).collect();
    let roles = roles.split_whitespace().map(Into::into).collect();
    Mapping {
        when,
        clusters: None,
        grant: Granted { scopes, roles, backend_user: backend_user.map(Into::into), tenant: None },
    }
}

pub(crate) fn texts(items: &[std::sync::Arc<str>]) -> Vec<&str> {
    items.iter().map(|item| &**item).collect()
}
