//! Which tokens somebody should look at again. No I/O.

use std::time::Duration;

use access::{Grant, Scope};
use jiff::Timestamp;
use rest::Action;

use crate::filter::used_or_made;
use crate::{Record, Status, Token};

/// What makes a token worth a second look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReviewRules {
    /// Not used for so long.
    pub unused_for: Duration,
    /// Ends later than in so long, or has been rotated for so long.
    pub long_lived: Duration,
}

/// A token worth a second look.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The token.
    pub token: Token,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Why a token is worth a second look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Nobody used it.
    Unused {
        /// Since then.
        since: Timestamp,
    },
    /// It reaches everything of a kind, or may do everything.
    OverBroad {
        /// With this scope.
        scope: Scope,
    },
    /// It ends very late.
    LongLived {
        /// Then.
        expires_at: Timestamp,
    },
    /// Rotation keeps it from ever ending.
    NeverExpiring {
        /// The first of the line was made then.
        since: Timestamp,
    },
}

impl Reason {
    /// Its name in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unused { .. } => "unused",
            Self::OverBroad { .. } => "over_broad",
            Self::LongLived { .. } => "long_lived",
            Self::NeverExpiring { .. } => "never_expiring",
        }
    }
}

impl ReviewRules {
    pub(crate) fn reasons(&self, token: &Token, now: Timestamp) -> Vec<Reason> {
        if !matches!(token.status(now), Status::Active | Status::Pending) {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        let since = used_or_made(token);
        if is_longer(since, now, self.unused_for) {
            reasons.push(Reason::Unused { since });
        }
        let record: &Record = token;
        reasons.extend(
            record
                .scopes
                .iter()
                .filter(|scope| is_broad(scope))
                .cloned()
                .map(|scope| Reason::OverBroad { scope }),
        );
        if is_longer(now, token.expires_at, self.long_lived) {
            reasons.push(Reason::LongLived { expires_at: token.expires_at });
        }
        if token.rotated_from.is_some() && is_longer(token.line_since, now, self.long_lived) {
            reasons.push(Reason::NeverExpiring { since: token.line_since });
        }
        reasons
    }
}

fn is_longer(from: Timestamp, to: Timestamp, than: Duration) -> bool {
    to.duration_since(from).unsigned_abs() > than && to > from
}

fn is_broad(scope: &Scope) -> bool {
    match &scope.grant {
        Grant::Index { action, target } => {
            let all = |pattern: &rest::Pattern| matches!(pattern.as_str(), "*" | ".*");
            *action == Action::Admin || all(&target.index)
        }
        Grant::Cluster(action) | Grant::Plugin { action, .. } | Grant::Dashboards { action, .. } => {
            *action == Action::Admin
        }
        Grant::Governance { .. } | Grant::Role(_) => true,
    }
}
