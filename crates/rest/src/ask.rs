use std::fmt;

use serde::Serialize;
use smallvec::SmallVec;

use crate::{Action, Operation, Target};

/// What a request asks: the operation, and the needs that must all be allowed.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The row of the table that the engine will dispatch to.
    pub operation: &'static Operation,
    /// Every one must be allowed. Never empty for an ask made by [`crate::classify`].
    pub needs: SmallVec<[Need; 2]>,
}

/// One thing that must be allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Need {
    /// What is done.
    pub action: Action,
    /// To what.
    pub on: Resource,
    /// Why this resource was concluded.
    pub origin: Origin,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.on {
            Resource::Greeting => f.write_str("any right on the cluster"),
            on => write!(f, "{} on {on}", self.action),
        }
    }
}

/// What an action is done to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resource {
    /// Indices, aliases and data streams that match.
    Index(Target),
    /// The cluster itself and its cluster-wide objects.
    Cluster,
    /// A plugin's own objects, by the plugin's name (`ml`, `security`, …).
    Plugin(&'static str),
    /// OpenSearch Dashboards: one workspace, or all of it.
    Dashboards {
        /// `None`: not within one workspace.
        workspace: Option<Box<str>>,
    },
    /// Saved objects of Dashboards. Comes beside the need of the place that they are in, and says no more than that about scopes.
    SavedObject {
        /// Their type; `None`: of any.
        kind: Option<Box<str>>,
        /// The workspace that they are in; `None`: in any, or in none.
        workspace: Option<Box<str>>,
    },
    /// Who am I, what is this: any token that holds any right on the cluster may ask.
    Greeting,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(target) => write!(f, "{target}"),
            Self::Cluster => f.write_str("cluster"),
            Self::Plugin(name) => write!(f, "plugin/{name}"),
            Self::Dashboards { workspace: None } => f.write_str("dashboards"),
            Self::Dashboards { workspace: Some(workspace) } => write!(f, "dashboards/{workspace}"),
            Self::SavedObject { kind, workspace } => {
                f.write_str("dashboards")?;
                if let Some(workspace) = workspace {
                    write!(f, "/{workspace}")?;
                }
                write!(f, ":{}", kind.as_deref().unwrap_or("*"))
            }
            Self::Greeting => f.write_str("greeting"),
        }
    }
}

/// Why a resource was concluded from a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The path names it.
    Path,
    /// A query parameter brings it in.
    Query,
    /// The path could name an index and names none, which means all.
    NoIndexNamed,
    /// The body can name any index.
    Body,
    /// A scroll, point in time, task or similar handle can stand for any index.
    Handle,
    /// The text of a query language can name any index.
    QueryLanguage,
    /// The body names it.
    InBody,
    /// The text of a query language names it.
    InQueryText,
    /// A part of the body is not understood, so it could name any index.
    #[serde(rename = "query_not_understood")]
    NotUnderstood,
    /// It is behind a name that the request means.
    Behind,
}

impl Origin {
    /// The reason in words that complete "… because".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Path => "the path names it",
            Self::Query => "a query parameter can bring it in",
            Self::NoIndexNamed => "the path names no index, which means all of them",
            Self::Body => "the body can name any index",
            Self::Handle => "the handle can stand for any index",
            Self::QueryLanguage => "the query text can name any index",
            Self::InBody => "the body names it",
            Self::InQueryText => "the query text names it",
            Self::NotUnderstood => "a part of the body is not understood and could name any index",
            Self::Behind => "it is behind a name that the request means",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.reason())
    }
}
