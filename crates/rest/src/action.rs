use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is done to a resource. `Admin` includes the others; no other action includes another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Documents, and what a reader needs to understand them (mappings, field capabilities, settings).
    Read,
    /// Index, create, update and delete documents.
    Write,
    /// Create, delete and change indices, mappings, settings, aliases; on the cluster: templates, pipelines,
    /// stored scripts, snapshots.
    Manage,
    /// Health, statistics and other figures.
    Monitor,
    /// Everything, and what only administrators may do.
    Admin,
}

impl Action {
    /// All actions, in declaration order.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Manage, Self::Monitor, Self::Admin];

    /// The word used in scopes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
            Self::Monitor => "monitor",
            Self::Admin => "admin",
        }
    }

    /// Whether holding `self` allows `wanted` on the same resource.
    pub fn includes(self, wanted: Self) -> bool {
        self == Self::Admin || self == wanted
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is not an action.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0:?} is not an action: use read, write, manage, monitor or admin (lower case)")]
pub struct ActionError(pub Box<str>);

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| ActionError(text.into()))
    }
}
