//! What two scopes have in common.

use rest::{Action, Target};

use crate::{Grant, Scope};

impl Grant {
    /// Whether everything that this allows is allowed by `other` alone. A role is inside nothing.
    pub fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Index { action, target }, Self::Index { action: wide, target: wider }) => {
                wide.includes(*action) && wider.covers(target)
            }
            (Self::Cluster(action), Self::Cluster(wide)) => wide.includes(*action),
            (Self::Governance { action, of }, Self::Governance { action: wide, of: same }) => {
                wide.includes(*action) && of == same
            }
            (Self::Plugin { action, name }, Self::Plugin { action: wide, name: same }) => {
                wide.includes(*action) && name == same
            }
            (
                Self::Dashboards { action, workspace },
                Self::Dashboards { action: wide, workspace: everywhere },
            ) => wide.includes(*action) && (everywhere.is_none() || everywhere == workspace),
            _ => false,
        }
    }

    /// Whether something could be allowed by both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Index { action, target }, Self::Index { action: theirs, target: other }) => {
                narrower(*action, *theirs).is_some() && target.may_intersect(other)
            }
            _ => self.common(other).is_some(),
        }
    }

    /// What both allow, if there is something and a scope can say it: of two patterns one must lie inside the other.
    pub fn common(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Index { action, target }, Self::Index { action: theirs, target: other }) => {
                Some(Self::Index {
                    action: narrower(*action, *theirs)?,
                    target: inner(target, other)?.clone(),
                })
            }
            (Self::Cluster(action), Self::Cluster(theirs)) => {
                Some(Self::Cluster(narrower(*action, *theirs)?))
            }
            (Self::Governance { action, of }, Self::Governance { action: theirs, of: same })
                if of == same =>
            {
                Some(Self::Governance { action: narrower(*action, *theirs)?, of: *of })
            }
            (Self::Plugin { action, name }, Self::Plugin { action: theirs, name: same }) if name == same => {
                Some(Self::Plugin { action: narrower(*action, *theirs)?, name: name.clone() })
            }
            (
                Self::Dashboards { action, workspace },
                Self::Dashboards { action: theirs, workspace: other },
            ) if workspace.is_none() || other.is_none() || workspace == other => Some(Self::Dashboards {
                action: narrower(*action, *theirs)?,
                workspace: workspace.as_ref().or(other.as_ref()).cloned(),
            }),
            _ => None,
        }
    }
}

impl Scope {
    /// Whether something on some cluster could be allowed by both. Exact for patterns, also where no scope could say what is
    /// common to them.
    pub fn meets(&self, other: &Self) -> bool {
        let clusters = match (&self.cluster, &other.cluster) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        clusters && self.grant.overlaps(&other.grant)
    }

    /// What both allow, on the clusters that both are for. `None` if there is nothing, or if no scope can say it.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let cluster = match (&self.cluster, &other.cluster) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.as_ref().or(two.as_ref()).cloned(),
        };
        Some(Self { cluster, grant: self.grant.common(&other.grant)? })
    }
}

fn narrower(one: Action, two: Action) -> Option<Action> {
    if two.includes(one) { Some(one) } else { one.includes(two).then_some(two) }
}

fn inner<'t>(one: &'t Target, two: &'t Target) -> Option<&'t Target> {
    if two.covers(one) { Some(one) } else { one.covers(two).then_some(two) }
}
