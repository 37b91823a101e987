mod candidates;

use std::sync::Arc;

use thiserror::Error;

use self::candidates::Candidates;
use crate::rights::{Right, Rights};
use crate::{Grant, Mapping, Scope, Subject};

/// The cluster that rights are worked out for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterRules {
    /// The cluster's name, as in scope prefixes.
    pub name: Box<str>,
    /// The audience that makes scopes without a prefix count here.
    pub audience: Option<Box<str>>,
    /// Whether it is the only cluster, so that scopes without a prefix can mean no other.
    pub only_cluster: bool,
}

/// Works out rights on one cluster from verified tokens.
#[derive(Debug)]
pub struct Mapper {
    mappings: Vec<Mapping>,
    candidates: Candidates,
    cluster: ClusterRules,
    name: Arc<str>,
    native_scopes: bool,
    left_to_policies: bool,
}

/// Why mappings cannot be used. Positions count from 0 in the given order.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum MapperError {
    /// It would have no effect.
    #[error("mapping {at} grants nothing: give it scopes or roles")]
    GrantsNothing {
        /// Which mapping.
        at: usize,
    },
    /// A role is not a right of the scope grammar.
    #[error("mapping {at} grants the scope {scope}: list the role under roles, and grant scopes beside it")]
    GrantsRoleScope {
        /// Which mapping.
        at: usize,
        /// The scope.
        scope: Box<str>,
    },
    /// A backend user follows the scope that allows a request; here there is none to follow.
    #[error(
        "mapping {at} names a backend user but no scope: grant scopes, or make its condition name a scope"
    )]
    BackendUserWithoutScope {
        /// Which mapping.
        at: usize,
    },
}

impl Mapper {
    /// `native_scopes`: whether a token's own scopes in the scope grammar count as they are.
    pub fn new(
        mappings: Vec<Mapping>,
        cluster: ClusterRules,
        native_scopes: bool,
    ) -> Result<Self, MapperError> {
        for (at, mapping) in mappings.iter().enumerate() {
            check(at, mapping)?;
        }
        let name = Arc::from(&*cluster.name);
        let candidates = Candidates::new(&mappings);
        Ok(Self { mappings, candidates, cluster, name, native_scopes, left_to_policies: false })
    }

    /// The same mapper where policies decide in place of scopes: see [`Rights::left_to_policies`].
    #[must_use]
    pub fn left_to_policies(self) -> Self {
        Self { left_to_policies: true, ..self }
    }

    /// The cluster that this mapper is for.
    pub fn cluster(&self) -> &ClusterRules {
        &self.cluster
    }

    /// The mappings that it goes by.
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// The mappings that this token meets on the cluster: those that [`Self::rights`] come from, beside its own scopes.
    pub fn met<'m, S: Subject>(&'m self, subject: &'m S) -> impl Iterator<Item = &'m Mapping> {
        let addressed = self.is_addressed_by(subject);
        self.possible(subject).filter(move |mapping| self.meets(mapping, subject, addressed).is_some())
    }

    /// What this token may do on the cluster. Scopes that are not in the scope grammar (`openid`, …) are the
    /// issuer's own business and are passed over.
    pub fn rights<S: Subject>(&self, subject: &S) -> Rights {
        let addressed = self.is_addressed_by(subject);
        let mut rights = Rights::none(self.name.clone(), !addressed);
        if self.native_scopes {
            for scope in subject.scopes().filter_map(|text| text.parse::<Scope>().ok()) {
                if !matches!(scope.grant, Grant::Role(_)) && self.counts(&scope, addressed) {
                    rights.add(Right::new(scope));
                }
            }
        }
        // Roles attach to rights whatever mapping brought them, so the rights come first.
        let (granting, roles_only): (Vec<_>, Vec<_>) =
            self.possible(subject).partition(|mapping| !mapping.grant.scopes.is_empty());
        for mapping in granting.into_iter().chain(roles_only) {
            self.apply(mapping, subject, addressed, &mut rights);
        }
        let rights = rights.finish();
        if self.left_to_policies { rights.left_to_policies() } else { rights }
    }

    /// The mappings that this token could meet, in their order.
    fn possible(&self, subject: &impl Subject) -> impl Iterator<Item = &Mapping> {
        self.candidates.of(subject).into_iter().filter_map(|at| self.mappings.get(at))
    }

    /// Whether scopes without a prefix count here.
    fn is_addressed_by(&self, subject: &impl Subject) -> bool {
        let names = |audience: &str| subject.audiences().any(|held| held == audience);
        self.cluster.only_cluster || self.cluster.audience.as_deref().is_some_and(names)
    }

    fn counts(&self, scope: &Scope, unprefixed: bool) -> bool {
        match &scope.cluster {
            Some(cluster) => *cluster == self.cluster.name,
            None => unprefixed,
        }
    }

    /// Whether it is for the cluster.
    fn is_here(&self, mapping: &Mapping, addressed: bool) -> bool {
        mapping.clusters.as_ref().map_or(addressed, |clusters| clusters.contains(&self.cluster.name))
    }

    /// The scopes of the token that the mapping's condition matched, if it holds and no other cluster is meant.
    fn meets<'s>(
        &self,
        mapping: &Mapping,
        subject: &'s impl Subject,
        addressed: bool,
    ) -> Option<Vec<&'s str>> {
        if mapping.clusters.is_some() && !self.is_here(mapping, addressed) {
            return None;
        }
        let mut matched = Vec::new();
        mapping.when.holds(subject, &mut matched).then_some(matched)
    }

    fn apply(&self, mapping: &Mapping, subject: &impl Subject, addressed: bool, rights: &mut Rights) {
        let Some(matched) = self.meets(mapping, subject, addressed) else { return };
        let here = self.is_here(mapping, addressed);
        let grant = &mapping.grant;
        if !grant.scopes.is_empty() {
            for scope in grant.scopes.iter().filter(|scope| self.counts(scope, here)) {
                rights.add(Right::new(scope.clone()).under(grant));
            }
            return;
        }
        let native: Vec<Scope> = matched.iter().filter_map(|text| text.parse().ok()).collect();
        let attached = native.iter().filter(|scope| rights.extend(scope, grant)).count();
        if attached == 0 && here {
            rights.add_for_all(grant);
        }
    }
}

fn check(at: usize, mapping: &Mapping) -> Result<(), MapperError> {
    let grant = &mapping.grant;
    if let Some(scope) = grant.scopes.iter().find(|scope| matches!(scope.grant, Grant::Role(_))) {
        return Err(MapperError::GrantsRoleScope { at, scope: scope.to_string().into() });
    }
    if grant.scopes.is_empty() && grant.backend_user.is_some() && !mapping.when.names_scope() {
        return Err(MapperError::BackendUserWithoutScope { at });
    }
    let given = (&grant.backend_user, &grant.tenant);
    if grant.scopes.is_empty() && grant.roles.is_empty() && given == (&None, &None) {
        return Err(MapperError::GrantsNothing { at });
    }
    Ok(())
}
