//! The layer of policies: what scopes allow, narrowed by Cedar.
//!
//! Every need that a scope allows is asked about once more: those of the request line before anything is sent, those of the body as
//! they are found. Where the cluster has a catalogue, what is behind an alias is asked about, too, so that no alias leads around a
//! `forbid`. Of several sets each must allow it, so that who writes one gives nothing that another refuses.

mod judge;
mod managed;
mod read;

use std::{path::PathBuf, sync::Arc};

use config::model::{self, PolicyMode, PrincipalIds};
use policy::{Fault, PolicySet};
use rest::Need;

pub use self::{
    judge::{Judge, Outcome},
    managed::{ManagedSet, ManagedStatus, parse},
    read::cedar_files,
};

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    sets: Box<[Configured]>,
    ids: PrincipalIds,
}

/// A set of policies of the configuration.
#[derive(Debug)]
struct Configured {
    name: Option<Arc<str>>,
    mode: PolicyMode,
    policies: Origin,
}

/// Where the policies of a set are from.
#[derive(Debug)]
enum Origin {
    Files(Arc<PolicySet>),
    Managed(Arc<ManagedSet>),
}

/// A set of policies as it is at one time, which decides by itself.
#[derive(Clone, Debug)]
struct Set {
    /// `None` for the only one of a configuration.
    name: Option<Arc<str>>,
    mode: PolicyMode,
    policies: Arc<PolicySet>,
}

/// Why policies cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// A folder without policies would refuse everything.
    #[error("there is no `*.cedar` in the folder {}", .0.display())]
    Empty(PathBuf),
    /// Somebody is writing in a folder.
    #[error("the files in {} change while they are read; they are read again when they have come to rest", .0.display())]
    Changing(PathBuf),
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
    /// Permits for the same caller and action that hold elsewhere or under other circumstances.
    pub near: Vec<Arc<str>>,
    /// Why some could not be evaluated.
    pub failed: Vec<String>,
    /// The set that they are of, if it has a name.
    pub set: Option<Arc<str>>,
}

impl std::fmt::Display for PolicyDenial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { need, forbids, failed, set, .. } = self;
        if !failed.is_empty() {
            return write!(f, "the policies about {need} could not be evaluated");
        }
        match set {
            Some(set) if forbids.is_empty() => {
                return write!(f, "no policy of the set `{set}` permits {need}");
            }
            None if forbids.is_empty() => return write!(f, "no policy permits {need}"),
            _ => {}
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
        let mut sets = Vec::new();
        for set in settings.all_sets() {
            let policies = if let Some(name) = set.name.filter(|_| set.managed) {
                Origin::Managed(Arc::new(ManagedSet::empty(name).map_err(PoliciesError::Faults)?))
            } else {
                let sources = read::sources(set.files, set.folder)?;
                let policies = PolicySet::parse_as(set.name, &sources).map_err(PoliciesError::Faults)?;
                Origin::Files(Arc::new(policies))
            };
            sets.push(Configured { name: set.name.map(Arc::from), mode: set.mode, policies });
        }
        Ok(Self { sets: sets.into(), ids: settings.principal_ids })
    }

    /// The sets as they are now.
    fn now(&self) -> Box<[Set]> {
        let now = self.sets.iter().map(|Configured { name, mode, policies }| {
            let policies = match policies {
                Origin::Files(policies) => Arc::clone(policies),
                Origin::Managed(set) => set.policies(),
            };
            Set { name: name.clone(), mode: *mode, policies }
        });
        now.collect()
    }
}
