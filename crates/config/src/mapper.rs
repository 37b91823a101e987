//! From the mappings of the file to those that `access` applies.

use access::{ClusterRules, Condition, Glob, Granted, Mapper, MapperError};

use crate::model::{ClaimCondition, Cluster, Config, Grant, Mapping, Provider, TokenCondition};

/// Why a mapping cannot be applied. A configuration that [`load`](crate::load) has accepted has none of these.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MappingError {
    /// A granted scope is not one.
    #[error("mappings[{index}].grant.scopes: `{scope}`: {source}")]
    Scope {
        /// Which mapping, from 0.
        index: usize,
        /// The scope as written.
        scope: String,
        /// Why.
        source: access::ScopeError,
    },
    /// It has no condition, and would apply to everyone.
    #[error("mappings[{0}] has no condition: add `scope`, `group` or `claim`")]
    NoCondition(usize),
    /// The mappings make no sense together or with the cluster.
    #[error(transparent)]
    Mapper(#[from] MapperError),
}

impl Config {
    /// What tokens of `provider` may do on `cluster`.
    pub fn mapper_for(&self, cluster: &Cluster, provider: &Provider) -> Result<Mapper, MappingError> {
        let mappings = self
            .mappings
            .iter()
            .enumerate()
            .filter(|(_, mapping)| mapping.provider.as_ref().is_none_or(|name| *name == provider.name))
            .map(|(index, mapping)| convert(index, mapping))
            .collect::<Result<_, _>>()?;
        let rules = ClusterRules {
            name: cluster.name.as_str().into(),
            audience: cluster.audience.as_deref().map(Into::into),
            only_cluster: self.clusters.len() == 1,
        };
        let mapper = Mapper::new(mappings, rules, provider.native_scopes)?;
        let alone = self.policies.as_ref().is_some_and(|policies| policies.instead_of_scopes);
        Ok(if alone { mapper.left_to_policies() } else { mapper })
    }
}

impl TokenCondition {
    /// As the mappings of a provider's tokens would apply it; `None` if it only names a provider, or nothing.
    pub fn condition(&self) -> Option<Condition> {
        all(self.scope.as_ref(), self.group.as_ref(), self.claim.as_ref())
    }
}

fn convert(index: usize, mapping: &Mapping) -> Result<access::Mapping, MappingError> {
    let clusters =
        mapping.clusters.as_ref().map(|names| names.iter().map(|name| name.as_str().into()).collect());
    Ok(access::Mapping { when: condition(index, mapping)?, clusters, grant: granted(index, &mapping.grant)? })
}

fn condition(index: usize, mapping: &Mapping) -> Result<Condition, MappingError> {
    let condition = all(mapping.scope.as_ref(), mapping.group.as_ref(), mapping.claim.as_ref());
    condition.ok_or(MappingError::NoCondition(index))
}

/// All of these; `None` if there are none.
fn all(scope: Option<&String>, group: Option<&String>, claim: Option<&ClaimCondition>) -> Option<Condition> {
    let mut conditions = Vec::new();
    if let Some(scope) = scope {
        conditions.push(Condition::of_scope(scope));
    }
    if let Some(group) = group {
        conditions.push(Condition::Group(Glob::new(group.as_str())));
    }
    if let Some(claim) = claim {
        let (path, equals) = (claim.path.clone(), claim.equals.as_str().into());
        conditions.push(Condition::Claim { path, equals });
    }
    match (conditions.pop()?, conditions.is_empty()) {
        (only, true) => Some(only),
        (last, false) => {
            conditions.push(last);
            Some(Condition::All(conditions))
        }
    }
}

fn granted(index: usize, grant: &Grant) -> Result<Granted, MappingError> {
    let scopes = grant
        .scopes
        .iter()
        .map(|scope| {
            scope.parse().map_err(|source| MappingError::Scope { index, scope: scope.clone(), source })
        })
        .collect::<Result<_, _>>()?;
    Ok(Granted {
        scopes,
        roles: grant.roles.iter().map(|role| role.as_str().into()).collect(),
        backend_user: grant.backend_user.as_deref().map(Into::into),
        tenant: grant.tenant.as_deref().map(Into::into),
    })
}
