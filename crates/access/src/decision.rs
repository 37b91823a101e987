use std::fmt;
use std::sync::Arc;

use rest::{Need, Resource};
use smallvec::SmallVec;
use thiserror::Error;

use crate::Scope;
use crate::rights::{Right, union};

/// A request is allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Permit {
    /// The scopes that allow it, in canonical spelling, each once.
    pub scopes: SmallVec<[Arc<str>; 2]>,
    /// Engine roles: of the mappings behind exactly those scopes, and those that go with every request.
    pub roles: Vec<Arc<str>>,
    users: SmallVec<[Arc<str>; 1]>,
    without_user: Option<Arc<str>>,
    /// Of the mappings behind exactly those scopes.
    tenants: Vec<Arc<str>>,
    /// Of the mappings that go with every request.
    general_tenants: Vec<Arc<str>>,
}

/// The scopes that allow a request do not agree on one engine user.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BackendUserConflict {
    /// Two or more users.
    #[error(
        "the scopes that allow this request belong to different backend users ({0}): send one request for \
         each, or map the scopes to one user"
    )]
    Several(Box<str>),
    /// One of the scopes has none.
    #[error("the scope {scope} has no backend user while another of this request has {user}: map it to one")]
    Missing {
        /// The scope without a user.
        scope: Arc<str>,
        /// The user of another scope.
        user: Arc<str>,
    },
}

/// The mappings behind a request name several tenants of Dashboards, or none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TenantConflict {
    /// Two or more.
    #[error(
        "the mappings behind this request name different tenants of Dashboards ({0}): map its scopes to one"
    )]
    Several(Box<str>),
    /// None.
    #[error(
        "no mapping behind this request names a tenant of Dashboards: add `tenant` to the mapping that grants its scope"
    )]
    None,
}

impl Permit {
    /// The tenant of Dashboards of the mappings behind the allowing scopes; where those name none, of the mappings that go
    /// with every request. Scopes without one go along with the others.
    pub fn tenant(&self) -> Result<&Arc<str>, TenantConflict> {
        let tenants = if self.tenants.is_empty() { &self.general_tenants } else { &self.tenants };
        match &**tenants {
            [] => Err(TenantConflict::None),
            [tenant] => Ok(tenant),
            tenants => Err(TenantConflict::Several(tenants.join(", ").into())),
        }
    }

    /// The engine user of the mappings behind the allowing scopes: the same for all of them, or none for any.
    pub fn backend_user(&self) -> Result<Option<&Arc<str>>, BackendUserConflict> {
        match (&*self.users, &self.without_user) {
            ([], _) => Ok(None),
            ([user], None) => Ok(Some(user)),
            ([user], Some(scope)) => {
                Err(BackendUserConflict::Missing { scope: scope.clone(), user: user.clone() })
            }
            (users, _) => Err(BackendUserConflict::Several(users.join(", ").into())),
        }
    }

    /// What allows a need; nothing, if that is left to policies.
    pub(crate) fn add(&mut self, right: Option<&Right>) {
        let Some(right) = right else { return };
        if self.scopes.contains(&right.text) {
            return;
        }
        self.scopes.push(right.text.clone());
        self.add_roles(&right.roles);
        union(&mut self.tenants, right.tenants.iter().cloned());
        for user in &right.backend_users {
            if !self.users.contains(user) {
                self.users.push(user.clone());
            }
        }
        if right.backend_users.is_empty() {
            self.without_user.get_or_insert_with(|| right.text.clone());
        }
    }

    pub(crate) fn add_roles(&mut self, roles: &[Arc<str>]) {
        union(&mut self.roles, roles.iter().cloned());
    }

    pub(crate) fn add_general_tenants(&mut self, tenants: &[Arc<str>]) {
        union(&mut self.general_tenants, tenants.iter().cloned());
    }
}

/// A request is not allowed. `Display` says what is outside, why it was concluded and what would allow it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    /// The first need that no held scope covers.
    pub need: Need,
    /// The narrowest scope that would allow this need.
    pub would_allow: Box<Scope>,
    /// The scopes that count on the cluster.
    pub held: Box<[Arc<str>]>,
    /// The cluster's name.
    pub cluster: Arc<str>,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { need, would_allow, held, cluster } = self;
        if held.is_empty() {
            write!(f, "no scope of the token counts on cluster {cluster}")?;
        } else if need.on == Resource::Greeting {
            write!(f, "the token holds no right on cluster {cluster}")?;
        } else {
            write!(f, "{need} is outside the token's scopes on cluster {cluster} (")?;
            for (at, scope) in held.iter().enumerate() {
                write!(f, "{}{scope}", if at == 0 { "" } else { " " })?;
            }
            f.write_str(")")?;
        }
        if need.on != Resource::Greeting {
            write!(f, "; {need} is needed because {}", need.origin)?;
        }
        write!(f, "; the scope {would_allow} would allow it")
    }
}

impl std::error::Error for Denial {}
