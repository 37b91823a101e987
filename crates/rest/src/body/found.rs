use std::collections::HashMap;

use super::{ActionSet, EnginePlan};
use crate::query::shorten;
use crate::{Action, Need, Origin, Resource, Target};

/// What a body was found to need, until the caller takes it.
///
/// A bulk names the same few indices over and over, and a document may hold many parts that are not understood:
/// a small memory keeps most of that from being told twice.
#[derive(Debug, Default)]
pub(crate) struct Found {
    needs: Vec<Need>,
    /// Index expressions that were turned into needs already, with the actions.
    recent: HashMap<Box<str>, ActionSet>,
    /// Needs that stand for everything or for the cluster and were told already.
    once: Vec<(Action, Resource, Origin)>,
    /// The actions that the default stood in for already.
    defaulted: ActionSet,
    not_understood: Option<Box<str>>,
}

/// Enough for a bulk that takes turns between many indices.
const RECENT: usize = 256;
/// Bytes of a name that is worth remembering; the engine allows no longer one.
const LONGEST: usize = 255;

impl Found {
    /// Moves the needs found so far to `needs`.
    pub(crate) fn drain(&mut self, needs: &mut Vec<Need>) {
        needs.append(&mut self.needs);
    }

    /// How many needs were found that the caller has not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.needs.len()
    }

    /// The first key that was not understood, shortened.
    pub(crate) fn what_was_not_understood(&self) -> Option<&str> {
        self.not_understood.as_deref()
    }

    /// Whether this very expression was told a short while ago. Only for expressions without wildcards, which
    /// mean the same everywhere in a body.
    pub(crate) fn is_recent(&self, actions: ActionSet, text: &str) -> bool {
        self.recent.get(text).is_some_and(|told| told.union(actions) == *told)
    }

    pub(crate) fn remember(&mut self, actions: ActionSet, text: &str) {
        if text.len() > LONGEST {
            return;
        }
        if let Some(told) = self.recent.get_mut(text) {
            *told = told.union(actions);
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.clear();
        }
        self.recent.insert(text.into(), actions);
    }

    /// Whether the default stands in for these actions for the first time.
    pub(crate) fn is_new_default(&mut self, actions: ActionSet) -> bool {
        let before = self.defaulted;
        self.defaulted = before.union(actions);
        self.defaulted != before
    }

    pub(crate) fn target(&mut self, actions: ActionSet, target: &Target, origin: Origin, plan: &EnginePlan) {
        self.push(actions, target, origin);
        if let Some(hidden) = target.with_hidden().filter(|_| plan.hidden) {
            self.push(actions, &hidden, Origin::Query);
        }
    }

    pub(crate) fn push(&mut self, actions: ActionSet, target: &Target, origin: Origin) {
        for action in actions.iter() {
            self.needs.push(Need { action, on: Resource::Index(target.clone()), origin });
        }
    }

    /// Something that can reach any index, with these actions beside those of the operation.
    pub(crate) fn everything(&mut self, beside: ActionSet, plan: &EnginePlan) {
        let origin = Origin::Body;
        for action in plan.everything.union(beside).iter() {
            self.once(action, Resource::Index(Target::everything()), origin);
        }
    }

    /// A part of the body that could name any index, since it is not understood.
    pub(crate) fn not_understood(&mut self, what: &str, plan: &EnginePlan) {
        self.not_understood.get_or_insert_with(|| shorten(what));
        // It could be anything that the body can hold elsewhere, so that takes all that `EnginePlan::everything` says.
        for need in plan.everything() {
            self.once(need.action, need.on, Origin::NotUnderstood);
        }
    }

    /// A handle that stands for indices named earlier.
    pub(crate) fn handle(&mut self) {
        self.once(Action::Read, Resource::Index(Target::everything()), Origin::Handle);
    }

    pub(crate) fn cluster_admin(&mut self) {
        self.once(Action::Admin, Resource::Cluster, Origin::InBody);
    }

    fn once(&mut self, action: Action, on: Resource, origin: Origin) {
        let told =
            self.once.iter().any(|(known, place, why)| (*known, *why) == (action, origin) && *place == on);
        if !told {
            self.once.push((action, on.clone(), origin));
            self.needs.push(Need { action, on, origin });
        }
    }
}
