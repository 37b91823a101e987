//! The needs of one request, held against the policies.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use config::model::{PolicyMode, PrincipalIds};
use jiff::Timestamp;
use policy::{Asker, Circumstances, Decision, Kind, Wish};
use rest::{Action, Need, Operation, Origin, Pattern, Resource, Target};

use super::{Policies, PolicyDenial, PolicyRefusal, Set};
use crate::{principal::Principal, snapshot::Cluster};

/// Policies kept for the audit record.
const KEPT: usize = 16;

/// Judges the needs of one request.
#[derive(Clone, Debug)]
pub struct Judge(Arc<Request>);

#[derive(Debug)]
struct Request {
    /// As they were when the request came.
    sets: Box<[Set]>,
    principal: Arc<Principal>,
    cluster: Arc<Cluster>,
    operation: &'static Operation,
    source: IpAddr,
    tenant: Option<Box<str>>,
    time: Timestamp,
    kind: Kind,
    /// As policies name who asks, and the groups.
    id: String,
    groups: Vec<Box<str>>,
    outcome: Mutex<Outcome>,
}

/// What was decided so far, for the audit record.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The policies that permitted.
    pub permits: Vec<Arc<str>>,
    /// What was let through in spite of it, since the policies are on trial.
    pub denied: Option<PolicyDenial>,
}

impl Judge {
    /// For a request of `principal` that came from `source` now, for a tenant of Dashboards if it is for one.
    pub fn new(
        policies: &Policies,
        principal: Arc<Principal>,
        cluster: Arc<Cluster>,
        operation: &'static Operation,
        source: IpAddr,
        tenant: Option<&str>,
    ) -> Self {
        let identity = principal.identity();
        let (kind, name) = match (&identity.user_id, &identity.client_id) {
            (Some(user), _) => (Kind::User, user),
            (None, Some(client)) => (Kind::Agent, client),
            (None, None) => (Kind::Agent, &identity.subject),
        };
        let qualify = |name: &str| match policies.ids {
            PrincipalIds::Plain => name.to_owned(),
            PrincipalIds::Qualified => format!("{}:{name}", identity.provider),
        };
        let (id, groups) =
            (qualify(name), identity.groups.iter().map(|group| qualify(group).into()).collect());
        let (time, outcome) = (Timestamp::now(), Mutex::default());
        Self(Arc::new(Request {
            sets: policies.now(),
            principal,
            cluster,
            operation,
            source,
            tenant: tenant.map(Box::from),
            time,
            kind,
            id,
            groups,
            outcome,
        }))
    }

    /// What was decided so far.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the policies allow a need, with all that is known to be behind its names.
    pub fn judge(&self, need: &Need) -> Result<(), Box<PolicyRefusal>> {
        let Operation { name, action, .. } = *self.0.operation;
        let deeds = dashboards::deeds(name);
        match &need.on {
            // What is done to saved objects is asked about by their types, which are told with their places.
            Resource::Dashboards { .. } if !deeds.is_empty() && need.action == action => return Ok(()),
            Resource::SavedObject { .. } => {
                return deeds.iter().try_for_each(|deed| self.one(need, deed, need.action));
            }
            _ => self.one(need, name, action)?,
        }
        let Resource::Index(Target { remote: None, index }) = &need.on else { return Ok(()) };
        let Some(names) = self.0.cluster.names() else { return Ok(()) };
        let Some(fresh) = names.fresh() else {
            let enforced = self.0.sets.iter().any(|set| set.mode == PolicyMode::Enforce);
            return if enforced { Err(Box::new(PolicyRefusal::NamesUnknown)) } else { Ok(()) };
        };
        for (_, indices) in fresh.names().aliases_in(index) {
            for behind in indices {
                let Ok(index) = Pattern::parse(behind) else { continue };
                let on = Resource::Index(Target { remote: None, index });
                self.one(&Need { action: need.action, on, origin: Origin::Behind }, name, action)?;
            }
        }
        Ok(())
    }

    /// Whether the policies allow a need of an operation that mainly does `main`.
    fn one(&self, need: &Need, operation: &str, main: Action) -> Result<(), Box<PolicyRefusal>> {
        let Request {
            sets,
            principal,
            cluster,
            operation: _,
            source,
            tenant,
            time,
            kind,
            id,
            groups,
            outcome,
        } = &*self.0;
        let identity = principal.identity();
        let asker = Asker { kind: *kind, id, provider: &identity.provider, groups };
        let wish = Wish { operation, main, action: need.action, on: &need.on };
        let issued =
            identity.issued_at.and_then(|at| i64::try_from(at).ok()).unwrap_or_else(|| time.as_second());
        let about = Circumstances {
            cluster: cluster.name(),
            client: identity.client_id.as_deref().unwrap_or_default(),
            scopes: &identity.scopes,
            source: *source,
            time: *time,
            token_age: Duration::from_secs(u64::try_from(time.as_second() - issued).unwrap_or(0)),
            acr: identity.acr.as_deref(),
            tenant: tenant.as_deref(),
        };
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        for Set { name, mode, policies } in sets {
            match policies.decide(&asker, &wish, &about) {
                Decision::Allow { permits } => outcome.add(permits),
                Decision::Deny { forbids, near, failed } => {
                    let (need, set) = (need.clone(), name.clone());
                    let denial = PolicyDenial { need, forbids, near, failed, set };
                    match mode {
                        PolicyMode::Enforce => return Err(Box::new(PolicyRefusal::Denied(denial))),
                        PolicyMode::LogOnly => {
                            outcome.denied.get_or_insert(denial);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Outcome {
    fn add(&mut self, permits: Vec<Arc<str>>) {
        for id in permits {
            if self.permits.len() < KEPT && !self.permits.contains(&id) {
                self.permits.push(id);
            }
        }
    }
}
