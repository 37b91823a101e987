use std::fmt;

use rest::{Action, Need, Origin, Resource, Target};

/// What a handle reaches: the actions on indices, aliases and data streams that were needed to make it.
///
/// It travels inside of the wrapped handle, so that each use is judged again, by the rights of the token that uses it.
/// Never empty. Its text is `read:logs-*,eu:logs-* write:copy`: neither a space nor a comma can be part of a target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reach(Vec<(Action, Target)>);

impl Reach {
    /// The needs on indices among these; `None` when there is none, and then there is nothing to judge a use by.
    ///
    /// Needs on the cluster or on a plugin are left out: an operation that takes a handle demands these of its own. A
    /// target whose text could not be read back is widened to everything.
    pub fn of<'n>(needs: impl IntoIterator<Item = &'n Need>) -> Option<Self> {
        let mut reach: Vec<(Action, Target)> = Vec::new();
        for need in needs {
            let Resource::Index(target) = &need.on else { continue };
            let same = target.to_string().parse().is_ok_and(|read: Target| read == *target);
            reach.push((need.action, if same { target.clone() } else { Target::everything() }));
        }
        Self::sorted(reach)
    }

    /// All of these together; `None` for none.
    pub(crate) fn union<'r>(several: impl IntoIterator<Item = &'r Self>) -> Option<Self> {
        Self::sorted(several.into_iter().flat_map(|reach| reach.0.iter().cloned()).collect())
    }

    fn sorted(all: Vec<(Action, Target)>) -> Option<Self> {
        let mut reach: Vec<(Action, Target)> = Vec::with_capacity(all.len());
        for one in all {
            if !reach.contains(&one) {
                reach.push(one);
            }
        }
        // The same action together, in the order in which the actions came.
        let mut order: Vec<Action> = Vec::new();
        for (action, _) in &reach {
            if !order.contains(action) {
                order.push(*action);
            }
        }
        reach.sort_by_key(|(action, _)| order.iter().position(|known| known == action));
        (!reach.is_empty()).then_some(Self(reach))
    }

    /// What a use of the handle needs; every one must be allowed.
    pub fn needs(&self) -> impl Iterator<Item = Need> {
        self.0.iter().map(|(action, target)| Need {
            action: *action,
            on: Resource::Index(target.clone()),
            origin: Origin::Handle,
        })
    }

    /// Reads what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut reach = Vec::new();
        for group in text.split(' ') {
            let (action, targets) = group.split_once(':')?;
            let action: Action = action.parse().ok()?;
            for target in targets.split(',') {
                reach.push((action, target.parse().ok()?));
            }
        }
        Some(Self(reach))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for (action, target) in &self.0 {
            match before {
                Some(same) if same == *action => write!(f, ",{target}")?,
                Some(_) => write!(f, " {action}:{target}")?,
                None => write!(f, "{action}:{target}")?,
            }
            before = Some(*action);
        }
        Ok(())
    }
}
