use std::fmt;
use std::str::FromStr;

use rest::{Action, ActionError, Need, Pattern, Resource, Target, TargetError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::{is_plain_name, is_scope_character};

/// A right in the scope grammar: `[cluster/]action:resource`, or `[cluster/]role:<engine role>`.
///
/// Resources: an index pattern (`logs-*`, or `remote:logs-*` for cross-cluster search), `cluster`,
/// `dashboards`, `dashboards/<workspace>`, `plugin/<name>`, `tokens`, `decisions`, `policies`.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    /// The only cluster it counts on; `None`: see the crate's rules.
    pub cluster: Option<Box<str>>,
    /// What it grants.
    pub grant: Grant,
}

/// What a scope grants.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Grant {
    /// An action on indices.
    Index {
        /// What may be done.
        action: Action,
        /// To which.
        target: Target,
    },
    /// An action on the cluster itself.
    Cluster(Action),
    /// An action on a plugin's own objects.
    Plugin {
        /// What may be done.
        action: Action,
        /// The plugin's name.
        name: Box<str>,
    },
    /// An action on OpenSearch Dashboards.
    Dashboards {
        /// What may be done.
        action: Action,
        /// Within one workspace; `None`: everywhere.
        workspace: Option<Box<str>>,
    },
    /// A say over what the proxy itself keeps of everybody. No right on a cluster.
    Governance {
        /// What may be done.
        action: Action,
        /// With what.
        of: Governed,
    },
    /// An engine role as it is. Grants nothing by itself; a mapping may name it.
    Role(Box<str>),
}

/// What the proxy itself keeps of everybody.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Governed {
    /// Managed tokens: [`Action::Monitor`] sees them, [`Action::Admin`] also ends and approves them.
    Tokens,
    /// What was decided about requests, and why: [`Action::Monitor`] sees it.
    Decisions,
    /// The policies that are edited over HTTP: [`Action::Monitor`] sees them, [`Action::Admin`] also changes them.
    Policies,
}

impl Governed {
    const ALL: [Self; 3] = [Self::Tokens, Self::Decisions, Self::Policies];

    /// The resource as it stands in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Decisions => "decisions",
            Self::Policies => "policies",
        }
    }

    fn named(resource: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|governed| governed.as_str() == resource)
    }

    /// The actions that somebody can have on them.
    const fn actions(self) -> &'static [Action] {
        match self {
            Self::Tokens | Self::Policies => &[Action::Monitor, Action::Admin],
            Self::Decisions => &[Action::Monitor],
        }
    }

    fn scopes(self) -> String {
        let scopes = self.actions().iter().map(|action| format!("{action}:{self}"));
        scopes.collect::<Vec<_>>().join(" or ")
    }
}

impl fmt::Display for Governed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a scope. Each says what and how to write it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ScopeError {
    /// Nothing there.
    #[error("a scope cannot be empty: write action:resource, as in read:logs-*")]
    Empty,
    /// A character that RFC 6749 does not allow in a scope.
    #[error("{0:?} cannot be part of a scope (RFC 6749, section 3.3): remove it")]
    Character(char),
    /// Several patterns in one scope.
    #[error("a scope holds one pattern: write one scope for each instead of a comma")]
    Comma,
    /// No colon.
    #[error("the action is missing: write action:resource, as in read:logs-*")]
    MissingColon,
    /// The part before the slash.
    #[error("{0:?} is not a cluster name: use letters, digits, '.', '_' and '-' before the '/'")]
    Cluster(Box<str>),
    /// The part before the colon.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// `plugin` without a name, or with one that cannot be.
    #[error("{0:?} is not a plugin resource: write plugin/<name>, as in plugin/ml")]
    Plugin(Box<str>),
    /// `dashboards/` without a workspace, or with one that cannot be.
    #[error("{0:?} is not a workspace: write dashboards, or dashboards/<workspace id>")]
    Workspace(Box<str>),
    /// An action that nobody can have on what the proxy keeps of everybody.
    #[error("nobody can {action} all {of}: write {}, or {action}:{of}* for an index called {of}", of.scopes())]
    Governance {
        /// The action.
        action: Action,
        /// On what.
        of: Governed,
    },
    /// `role:` without a name.
    #[error("the role is missing: write role:<engine role>")]
    Role,
    /// Not an index pattern.
    #[error("the resource is not an index pattern: {0}")]
    Target(#[from] TargetError),
}

impl Scope {
    /// Whether this scope alone allows the need, on a cluster where it counts.
    pub fn allows(&self, need: &Need) -> bool {
        match (&self.grant, &need.on) {
            (Grant::Role(_) | Grant::Governance { .. }, _) => false,
            (_, Resource::Greeting) => true,
            (Grant::Index { action, target }, Resource::Index(asked)) => {
                action.includes(need.action) && target.covers(asked)
            }
            (Grant::Cluster(action), Resource::Cluster) => action.includes(need.action),
            (Grant::Plugin { action, name }, Resource::Plugin(asked)) => {
                action.includes(need.action) && **name == **asked
            }
            (Grant::Dashboards { action, workspace }, Resource::Dashboards { workspace: asked }) => {
                action.includes(need.action) && (workspace.is_none() || workspace == asked)
            }
            _ => false,
        }
    }

    /// The narrowest scope that allows the need. A character that no scope can hold becomes `*`.
    pub fn for_need(need: &Need, cluster: Option<Box<str>>) -> Self {
        let action = need.action;
        let grant = match &need.on {
            Resource::Index(target) => Grant::Index { action, target: speakable(target) },
            Resource::Cluster => Grant::Cluster(action),
            Resource::Plugin(name) => Grant::Plugin { action, name: (*name).into() },
            Resource::Dashboards { workspace } | Resource::SavedObject { workspace, .. } => {
                Grant::Dashboards { action, workspace: workspace.clone() }
            }
            Resource::Greeting => Grant::Cluster(Action::Monitor),
        };
        Self { cluster, grant }
    }
}

fn speakable(target: &Target) -> Target {
    let pattern = |pattern: &Pattern| {
        let spoken: String =
            pattern.as_str().chars().map(|c| if is_scope_character(c) { c } else { '*' }).collect();
        Pattern::parse(&spoken).unwrap_or_else(|_| Pattern::everything())
    };
    let mut spoken = Target { remote: target.remote.as_ref().map(pattern), index: pattern(&target.index) };
    if spoken.remote.is_none() && is_reserved(spoken.index.as_str()) {
        let name = format!("{}*", spoken.index);
        spoken.index = Pattern::parse(&name).unwrap_or_else(|_| Pattern::everything());
    }
    spoken
}

/// Resource words that are not index patterns.
fn is_reserved(resource: &str) -> bool {
    matches!(resource, "cluster" | "dashboards" | "plugin") || Governed::named(resource).is_some()
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if let Some(wrong) = text.chars().find(|&c| !is_scope_character(c)) {
            return Err(ScopeError::Character(wrong));
        }
        let (head, resource) = text.split_once(':').ok_or(ScopeError::MissingColon)?;
        let (cluster, action) = match head.split_once('/') {
            Some((cluster, action)) if is_plain_name(cluster) => (Some(cluster.into()), action),
            Some((cluster, _)) => return Err(ScopeError::Cluster(cluster.into())),
            None => (None, head),
        };
        let grant = match action {
            "role" if resource.is_empty() => return Err(ScopeError::Role),
            "role" => Grant::Role(resource.into()),
            action => grant(action.parse()?, resource)?,
        };
        Ok(Self { cluster, grant })
    }
}

fn grant(action: Action, resource: &str) -> Result<Grant, ScopeError> {
    if let Some(name) = resource.strip_prefix("plugin/").filter(|name| is_plain_name(name)) {
        return Ok(Grant::Plugin { action, name: name.into() });
    }
    if let Some(workspace) = resource.strip_prefix("dashboards/") {
        if !is_plain_name(workspace) {
            return Err(ScopeError::Workspace(workspace.into()));
        }
        return Ok(Grant::Dashboards { action, workspace: Some(workspace.into()) });
    }
    if let Some(of) = Governed::named(resource) {
        let possible = of.actions().contains(&action);
        return if possible {
            Ok(Grant::Governance { action, of })
        } else {
            Err(ScopeError::Governance { action, of })
        };
    }
    match resource {
        "cluster" => Ok(Grant::Cluster(action)),
        "dashboards" => Ok(Grant::Dashboards { action, workspace: None }),
        _ if resource == "plugin" || resource.starts_with("plugin/") => {
            Err(ScopeError::Plugin(resource.into()))
        }
        _ if resource.contains(',') => Err(ScopeError::Comma),
        _ => Ok(Grant::Index { action, target: resource.parse()? }),
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}/")?;
        }
        write!(f, "{}", self.grant)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { action, target } => write!(f, "{action}:{target}"),
            Self::Cluster(action) => write!(f, "{action}:cluster"),
            Self::Governance { action, of } => write!(f, "{action}:{of}"),
            Self::Plugin { action, name } => write!(f, "{action}:plugin/{name}"),
            Self::Dashboards { action, workspace: None } => write!(f, "{action}:dashboards"),
            Self::Dashboards { action, workspace: Some(workspace) } => {
                write!(f, "{action}:dashboards/{workspace}")
            }
            Self::Role(role) => write!(f, "role:{role}"),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}
