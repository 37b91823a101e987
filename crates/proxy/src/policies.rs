//! The layer of policies: what scopes allow, narrowed by Cedar.
//!
//! Every need that a scope allows is asked about once more: those of the request line before anything is sent, those of the body as
//! they are found. Where the cluster has a catalogue, what is behind an alias is asked about, too, so that no alias leads around a
//! `forbid`.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use config::model::{self, PolicyMode, PrincipalIds};
use jiff::Timestamp;
use policy::{Asker, Circumstances, Decision, Fault, Kind, PolicySet, Source, Wish};
use rest::{Need, Operation, Origin, Pattern, Resource, Target};

use crate::{principal::Principal, snapshot::Cluster};

/// Policies kept for the audit record.
const KEPT: usize = 16;

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    set: PolicySet,
    mode: PolicyMode,
    ids: PrincipalIds,
}

/// Why policies cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// Something is wrong in them.
    #[error("{}", told(.0))]
    Faults(Vec<Fault>),
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(Fault::in_its_line).collect::<Vec<_>>().join("\n")
}

/// Why a need is not allowed.
#[derive(Clone, Debug)]
pub enum PolicyRefusal {
    /// The policies refuse it.
    Denied(PolicyDenial),
    /// It may be for an alias, and what is behind aliases is not known at this moment.
    NamesUnknown,
}

/// What policies refuse, with what may be told of it.
#[derive(Clone, Debug)]
pub struct PolicyDenial {
    /// What was asked for.
    pub need: Need,
    /// The policies that forbid it; empty when none permits it.
    pub forbids: Vec<Arc<str>>,
    /// Why some could not be evaluated.
    pub failed: Vec<String>,
}

impl std::fmt::Display for PolicyDenial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { need, forbids, failed } = self;
        if !failed.is_empty() {
            return write!(f, "the policies about {need} could not be evaluated");
        }
        if forbids.is_empty() {
            return write!(f, "no policy permits {need}");
        }
        write!(f, "{need} is forbidden by {}", quoted(forbids))
    }
}

fn quoted(ids: &[Arc<str>]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

impl PolicyDenial {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self { failed, .. } if !failed.is_empty() => "policy_failed",
            Self { forbids, .. } if forbids.is_empty() => "not_permitted_by_policy",
            _ => "forbidden_by_policy",
        }
    }
}

impl Policies {
    /// Reads the policies that a configuration names, if it names any. Blocks while it reads files and checks what is in them.
    ///
    /// # Errors
    /// If any of them cannot be read or is faulty: all of them are good, or none counts.
    pub fn read(config: &model::Config) -> Result<Option<Arc<Self>>, PoliciesError> {
        config.policies.as_ref().map(|settings| Self::load(settings).map(Arc::new)).transpose()
    }

    fn load(settings: &model::Policies) -> Result<Self, PoliciesError> {
        let sources = settings.files.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?;
        let set = PolicySet::parse(&sources).map_err(PoliciesError::Faults)?;
        Ok(Self { set, mode: settings.mode, ids: settings.principal_ids })
    }
}

fn source(path: &Path) -> Result<Source, PoliciesError> {
    let text = fs::read_to_string(path).map_err(|error| PoliciesError::Read(path.to_owned(), error))?;
    Ok(Source { name: path.display().to_string(), text })
}

/// Judges the needs of one request.
#[derive(Clone, Debug)]
pub struct Judge(Arc<Request>);

#[derive(Debug)]
struct Request {
    policies: Arc<Policies>,
    principal: Arc<Principal>,
    cluster: Arc<Cluster>,
    operation: &'static Operation,
    source: IpAddr,
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
    /// For a request of `principal` that came from `source` now.
    pub fn new(
        policies: Arc<Policies>,
        principal: Arc<Principal>,
        cluster: Arc<Cluster>,
        operation: &'static Operation,
        source: IpAddr,
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
            policies,
            principal,
            cluster,
            operation,
            source,
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
        self.one(need)?;
        let Resource::Index(Target { remote: None, index }) = &need.on else { return Ok(()) };
        let Some(names) = self.0.cluster.names() else { return Ok(()) };
        let Some(fresh) = names.fresh() else {
            return match self.0.policies.mode {
                PolicyMode::Enforce => Err(Box::new(PolicyRefusal::NamesUnknown)),
                PolicyMode::LogOnly => Ok(()),
            };
        };
        for (_, indices) in fresh.names().aliases_in(index) {
            for behind in indices {
                let Ok(index) = Pattern::parse(behind) else { continue };
                let on = Resource::Index(Target { remote: None, index });
                self.one(&Need { action: need.action, on, origin: Origin::Behind })?;
            }
        }
        Ok(())
    }

    fn one(&self, need: &Need) -> Result<(), Box<PolicyRefusal>> {
        let Request { policies, principal, cluster, operation, source, time, kind, id, groups, outcome } =
            &*self.0;
        let identity = principal.identity();
        let asker = Asker { kind: *kind, id, provider: &identity.provider, groups };
        let wish =
            Wish { operation: operation.name, main: operation.action, action: need.action, on: &need.on };
        let issued =
            identity.issued_at.and_then(|at| i64::try_from(at).ok()).unwrap_or_else(|| time.as_second());
        let about = Circumstances {
            cluster: cluster.name(),
            client: identity.client_id.as_deref().unwrap_or_default(),
            scopes: &identity.scopes,
            source: *source,
            time: *time,
            token_age: Duration::from_secs(u64::try_from(time.as_second() - issued).unwrap_or(0)),
            acr: identity.claims.get("acr").and_then(|acr| acr.as_str()),
            tenant: None,
        };
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match policies.set.decide(&asker, &wish, &about) {
            Decision::Allow { permits } => {
                for id in permits {
                    if outcome.permits.len() < KEPT && !outcome.permits.contains(&id) {
                        outcome.permits.push(id);
                    }
                }
                Ok(())
            }
            Decision::Deny { forbids, failed, .. } => {
                let denial = PolicyDenial { need: need.clone(), forbids, failed };
                match policies.mode {
                    PolicyMode::Enforce => Err(Box::new(PolicyRefusal::Denied(denial))),
                    PolicyMode::LogOnly => {
                        outcome.denied.get_or_insert(denial);
                        Ok(())
                    }
                }
            }
        }
    }
}
