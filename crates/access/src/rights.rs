use std::cmp::Reverse;
use std::sync::Arc;

use rest::{Action, Ask, Need, Origin, Resource};
use smallvec::SmallVec;

use crate::{Denial, Grant, Granted, Permit, Scope};

/// What one token may do on one cluster.
#[derive(Clone, Debug)]
pub struct Rights {
    cluster: Arc<str>,
    /// Whether a scope must name the cluster to count for this token.
    prefix_needed: bool,
    held: Vec<Right>,
    roles: Vec<Arc<str>>,
    tenants: Vec<Arc<str>>,
    /// After [`Self::restrict`]: the rights that `held` was made from and that requests run under. Narrowest first.
    origin: Option<Arc<[Right]>>,
    left_to_policies: bool,
}

/// A scope that counts, and under which engine roles and user what it allows runs.
#[derive(Clone, Debug)]
pub(crate) struct Right {
    pub(crate) scope: Scope,
    pub(crate) text: Arc<str>,
    pub(crate) roles: Vec<Arc<str>>,
    pub(crate) backend_users: SmallVec<[Arc<str>; 1]>,
    pub(crate) tenants: Vec<Arc<str>>,
}

impl Rights {
    pub(crate) fn none(cluster: Arc<str>, prefix_needed: bool) -> Self {
        Self {
            cluster,
            prefix_needed,
            held: Vec::new(),
            roles: Vec::new(),
            tenants: Vec::new(),
            origin: None,
            left_to_policies: false,
        }
    }

    /// The rights of the same caller where policies decide in place of scopes: these refuse nothing by themselves, so whoever uses them
    /// must ask the policies about each need. What is allowed runs under the engine roles that go with every request, since there is no
    /// scope that others could belong to. Of the scopes only the say over what the proxy itself keeps is left.
    #[must_use]
    pub fn left_to_policies(mut self) -> Self {
        self.held.retain(|right| matches!(right.scope.grant, Grant::Governance { .. }));
        Self { left_to_policies: true, ..self }
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.left_to_policies
    }

    /// The scopes that count on the cluster, in canonical spelling, narrowest first.
    pub fn scopes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.held.iter().map(|right| &right.text)
    }

    /// The same scopes, to be compared with others.
    pub fn held_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.held.iter().map(|right| &right.scope)
    }

    /// Engine roles that go with every request that is allowed.
    pub fn roles(&self) -> &[Arc<str>] {
        &self.roles
    }

    /// Tenants of Dashboards for what is allowed by scopes without one.
    pub(crate) fn tenants(&self) -> &[Arc<str>] {
        &self.tenants
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &Arc<str> {
        &self.cluster
    }

    /// These rights as far as the granted scopes reach: what is allowed after it is allowed by both.
    ///
    /// A granted scope counts where one held scope contains it whole. One with the name of another cluster does not count,
    /// and neither does one that is held in part only. What is allowed then runs as it would without the restriction: the
    /// permit names the narrowest held scope that allows it, with the roles and the user of that one, since the engine has
    /// a role for this scope and none for what was granted.
    #[must_use]
    pub fn restrict(&self, granted: &[Scope]) -> Self {
        let counts = |scope: &&Scope| {
            scope.cluster.as_ref().is_none_or(|cluster| **cluster == *self.cluster)
                && self.held.iter().any(|right| scope.grant.within(&right.scope.grant))
        };
        let origin = self.origin.clone().unwrap_or_else(|| self.held.clone().into());
        let mut kept =
            Self { held: Vec::new(), origin: Some(origin), left_to_policies: false, ..self.clone() };
        granted.iter().filter(counts).for_each(|scope| kept.add(Right::new(scope.clone())));
        kept.finish()
    }

    /// Whether all that is asked is allowed, and by which scopes.
    pub fn decide(&self, ask: &Ask) -> Result<Permit, Denial> {
        self.permit(&ask.needs)
    }

    pub(crate) fn permit(&self, needs: &[Need]) -> Result<Permit, Denial> {
        let mut permit = Permit::default();
        // An ask without needs must not be allowed to a token without rights, nor where there is nothing to ask policies about.
        if needs.iter().all(is_beside) {
            let need = Need { action: Action::Read, on: Resource::Greeting, origin: Origin::Path };
            permit.add(Some(self.allowing(&need)?.ok_or_else(|| self.denial(&need))?));
        }
        for need in needs {
            permit.add(self.allowing(need)?);
        }
        permit.add_roles(&self.roles);
        permit.add_general_tenants(&self.tenants);
        Ok(permit)
    }

    pub(crate) fn held(&self) -> &[Right] {
        &self.held
    }

    pub(crate) fn are_left_to_policies(&self) -> bool {
        self.left_to_policies
    }

    /// The narrowest right that allows the need; none where scopes have no say. Rights are kept narrowest first.
    pub(crate) fn allowing(&self, need: &Need) -> Result<Option<&Right>, Denial> {
        if self.left_to_policies || is_beside(need) {
            return Ok(None);
        }
        let allowing = |rights: &'_ [Right]| rights.iter().position(|right| right.scope.allows(need));
        let found = allowing(&self.held).and_then(|at| match &self.origin {
            None => self.held.get(at),
            Some(origin) => allowing(origin).and_then(|at| origin.get(at)),
        });
        found.map(Some).ok_or_else(|| self.denial(need))
    }

    /// The rights that a request could run under when it needs something within this one of [`Self::held`].
    pub(crate) fn behind<'r>(&'r self, right: &'r Right) -> impl Iterator<Item = &'r Right> {
        let origin = self.origin.iter().flat_map(|origin| origin.iter());
        let own = self.origin.is_none().then_some(right);
        own.into_iter().chain(origin.filter(|behind| behind.scope.grant.overlaps(&right.scope.grant)))
    }

    pub(crate) fn denial(&self, need: &Need) -> Denial {
        let cluster = self.prefix_needed.then(|| Box::from(&*self.cluster));
        Denial {
            need: need.clone(),
            would_allow: Box::new(Scope::for_need(need, cluster)),
            held: self.scopes().cloned().collect(),
            cluster: self.cluster.clone(),
        }
    }

    pub(crate) fn add(&mut self, new: Right) {
        match self.held.iter_mut().find(|right| right.scope == new.scope) {
            Some(right) => {
                union(&mut right.roles, new.roles);
                union(&mut right.tenants, new.tenants);
                new.backend_users.into_iter().for_each(|user| right.add_user(user));
            }
            None => self.held.push(new),
        }
    }

    /// Adds a mapping's roles, user and tenant to the right with this scope, if it is held.
    pub(crate) fn extend(&mut self, scope: &Scope, grant: &Granted) -> bool {
        let found = self.held.iter_mut().find(|right| right.scope == *scope);
        let Some(right) = found else { return false };
        right.take(grant);
        true
    }

    /// Adds what a mapping gives to every request that is allowed.
    pub(crate) fn add_for_all(&mut self, grant: &Granted) {
        union(&mut self.roles, grant.roles.iter().map(|role| Arc::from(&**role)));
        union(&mut self.tenants, grant.tenant.iter().map(|tenant| Arc::from(&**tenant)));
    }

    pub(crate) fn finish(mut self) -> Self {
        self.held.sort_by_cached_key(Right::breadth);
        self
    }
}

impl Right {
    pub(crate) fn new(scope: Scope) -> Self {
        let text = scope.to_string().into();
        Self { scope, text, roles: Vec::new(), backend_users: SmallVec::new(), tenants: Vec::new() }
    }

    pub(crate) fn under(mut self, grant: &Granted) -> Self {
        self.take(grant);
        self
    }

    fn take(&mut self, grant: &Granted) {
        union(&mut self.roles, grant.roles.iter().map(|role| Arc::from(&**role)));
        union(&mut self.tenants, grant.tenant.iter().map(|tenant| Arc::from(&**tenant)));
        if let Some(user) = grant.backend_user.as_deref() {
            self.add_user(user.into());
        }
    }

    fn add_user(&mut self, user: Arc<str>) {
        if !self.backend_users.contains(&user) {
            self.backend_users.push(user);
        }
    }

    /// Orders narrower before wider, and everything else in a fixed way.
    ///
    /// A pattern inside another has at least as many literal characters, and with equally many it has fewer
    /// wildcards. `admin` comes after the exact action.
    fn breadth(&self) -> (bool, Reverse<usize>, usize, Arc<str>) {
        let (action, literals, wildcards) = match &self.scope.grant {
            Grant::Index { action, target } => {
                let remote = target.remote.iter();
                let texts = remote.chain([&target.index]).map(rest::Pattern::as_str);
                let count = |text: &str| {
                    let wildcards = text.bytes().filter(|byte| *byte == b'*').count();
                    (text.len() - wildcards, wildcards)
                };
                let (literals, wildcards) =
                    texts.map(count).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
                (*action, literals, wildcards)
            }
            Grant::Dashboards { action, workspace } => (*action, usize::from(workspace.is_some()), 0),
            Grant::Cluster(action) | Grant::Plugin { action, .. } | Grant::Governance { action, .. } => {
                (*action, 0, 0)
            }
            Grant::Role(_) => (Action::Read, 0, 0),
        };
        (action == Action::Admin, Reverse(literals), wildcards, self.text.clone())
    }
}

/// Whether scopes have nothing to say about it: the place that saved objects are in is a need of its own.
fn is_beside(need: &Need) -> bool {
    matches!(need.on, Resource::SavedObject { .. })
}

pub(crate) fn union(known: &mut Vec<Arc<str>>, new: impl IntoIterator<Item = Arc<str>>) {
    for item in new {
        if !known.contains(&item) {
            known.push(item);
        }
    }
}
