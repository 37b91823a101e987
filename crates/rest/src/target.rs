use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{Pattern, PatternError};

/// One element of an index expression: a pattern of names, on this cluster or on remote clusters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target {
    /// Names of remote clusters (cross-cluster search); `None`: the cluster that is asked.
    pub remote: Option<Pattern>,
    /// Names of indices, aliases and data streams.
    pub index: Pattern,
}

/// Why a text is not a target.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TargetError {
    /// The part before the colon.
    #[error("remote cluster name: {0}")]
    Remote(#[source] PatternError),
    /// The index part.
    #[error(transparent)]
    Index(#[from] PatternError),
}

impl Target {
    /// `*` on this cluster.
    pub const fn everything() -> Self {
        Self { remote: None, index: Pattern::everything() }
    }

    /// `.*` on this cluster: what [`Self::everything`] leaves out.
    pub const fn hidden() -> Self {
        Self { remote: None, index: Pattern::hidden() }
    }

    /// What a leading `*` also reaches once hidden indices are asked for; `None` without a leading `*`.
    pub(crate) fn with_hidden(&self) -> Option<Self> {
        let leading = self.index.as_str().starts_with('*');
        leading.then(|| Self { remote: self.remote.clone(), ..Self::hidden() })
    }

    /// Whether a right over `self` reaches everything that `asked` can reach.
    ///
    /// Inclusion of the patterns, with two rules: a leading `*` does not reach names that begin with `.` (such
    /// names need a pattern that begins with `.`), and a local pattern never covers a remote target nor the
    /// other way round.
    pub fn covers(&self, asked: &Self) -> bool {
        let remote = match (&self.remote, &asked.remote) {
            (None, None) => true,
            (Some(held), Some(asked)) => held.contains(asked),
            _ => false,
        };
        let dot = asked.index.as_str().starts_with('.') && !self.index.as_str().starts_with('.');
        remote && !dot && self.index.contains(&asked.index)
    }

    /// Whether some name on some cluster belongs to both. Here a leading `*` does reach names that begin with
    /// `.`: what must never be touched is judged on all that could be touched.
    pub fn may_intersect(&self, other: &Self) -> bool {
        let remote = match (&self.remote, &other.remote) {
            (None, None) => true,
            (Some(a), Some(b)) => a.may_intersect(b),
            _ => false,
        };
        remote && self.index.may_intersect(&other.index)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// `index` or `remote:index`, without date maths.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text.split_once(':') {
            Some((remote, index)) => Ok(Self {
                remote: Some(Pattern::parse(remote).map_err(TargetError::Remote)?),
                index: Pattern::parse(index)?,
            }),
            None => Ok(Self { remote: None, index: Pattern::parse(text)? }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(remote) = &self.remote {
            write!(f, "{remote}:")?;
        }
        write!(f, "{}", self.index)
    }
}
