//! The few policies that can matter to one asker and action.
//!
//! Cedar evaluates every policy of a set, at about a microsecond each. Most are about somebody else or something else, which their
//! heads tell.

use std::{collections::HashSet, sync::Arc};

use cedar_policy::{ActionConstraint, Entity, EntityUid};
use quick_cache::sync::Cache;
use rest::{Action, Target};

use crate::{
    PolicySet,
    decide::{Asker, EntityType, Wish, uid},
    schema,
};

/// Slices kept.
const KEPT: usize = 4096;

/// Slices by who asks and what for.
#[derive(Debug)]
pub(crate) struct Slices(Cache<Key, Arc<Slice>>);

impl Default for Slices {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

/// Those that the asker makes relevant, and the action.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    policies: Box<[usize]>,
    action: String,
    group: Action,
}

/// Policies whose head fits an asker and an action.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) policies: cedar_policy::PolicySet,
    /// Ids of the permits.
    pub(crate) permits: Vec<Arc<str>>,
    pub(crate) uses_context: bool,
    pub(crate) action: Entity,
    inside: Vec<(Target, EntityUid)>,
    touched: Vec<(Target, EntityUid)>,
    /// Entities of twins that are named by what they stand for.
    twins: Vec<EntityUid>,
}

impl PolicySet {
    /// The slice for an asker and a wish.
    pub(crate) fn slice(&self, asker: &Asker<'_>, wish: &Wish<'_>) -> Arc<Slice> {
        let mut positions = self.by_asker.anybody.clone();
        let me = asker.uid();
        positions.extend(self.by_asker.kind.get(me.type_name()).into_iter().flatten());
        positions.extend(self.by_asker.named.get(&me).into_iter().flatten());
        for group in asker.groups {
            positions.extend(self.by_asker.named.get(&uid(EntityType::Group, group)).into_iter().flatten());
        }
        positions.sort_unstable();
        let key = Key { policies: positions.into(), action: wish.action_name(), group: wish.action };
        if let Some(slice) = self.slices.0.get(&key) {
            return slice;
        }
        let slice = Arc::new(self.cut(&key, wish));
        self.slices.0.insert(key, Arc::clone(&slice));
        slice
    }

    fn cut(&self, key: &Key, wish: &Wish<'_>) -> Slice {
        let action = uid(EntityType::Action, &key.action);
        let group = uid(EntityType::Action, wish.action.as_str());
        let fits = |constraint: &ActionConstraint| match constraint {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(named) => *named == action,
            ActionConstraint::In(named) => named.iter().any(|named| *named == action || *named == group),
        };
        let mut slice = Slice {
            policies: cedar_policy::PolicySet::new(),
            permits: Vec::new(),
            uses_context: false,
            action: Entity::new_no_attrs(action.clone(), HashSet::from([group.clone()])),
            inside: Vec::new(),
            touched: Vec::new(),
            twins: Vec::new(),
        };
        let chosen = key.policies.iter().map(|&at| &self.policies[at]);
        for ready in chosen.filter(|ready| fits(&ready.action)) {
            // Ids are unique in the set.
            if slice.policies.add(ready.policy.clone()).is_err() {
                continue;
            }
            if ready.policy.effect() == cedar_policy::Effect::Permit {
                slice.permits.push(Arc::clone(&ready.id));
            }
            slice.uses_context |= ready.uses_context;
            let patterns = &ready.patterns;
            slice.inside.extend(
                patterns
                    .inside
                    .iter()
                    .map(|target| (target.clone(), uid(EntityType::Index, &target.to_string()))),
            );
            slice.touched.extend(
                patterns
                    .touched
                    .iter()
                    .map(|target| (target.clone(), uid(EntityType::IndexReach, &target.to_string()))),
            );
            slice.twins.extend(patterns.twins.iter().map(|(twin, id)| uid(*twin, id)));
        }
        slice
    }
}

impl Slice {
    /// The entities of a twin that a request for `asked` may touch: the one of that name, or for `None` any that policies name.
    pub(crate) fn twins(&self, of: EntityType, asked: Option<&str>) -> HashSet<EntityUid> {
        let touched = |uid: &&EntityUid| {
            let id: &str = uid.id().as_ref();
            *uid.type_name() == of.name() && asked.is_none_or(|asked| asked == id)
        };
        self.twins.iter().filter(touched).cloned().collect()
    }

    /// What an index or pattern that is asked for is a child of.
    pub(crate) fn parents(&self, asked: &Target) -> HashSet<EntityUid> {
        let inside = self.inside.iter().filter(|(pattern, _)| pattern.covers(asked));
        let touched = self.touched.iter().filter(|(pattern, _)| pattern.may_intersect(asked));
        let own = uid(EntityType::Index, &asked.to_string());
        // Its own name is no parent of it: it is itself.
        inside.chain(touched).map(|(_, uid)| uid.clone()).filter(|uid| *uid != own).collect()
    }
}

impl Wish<'_> {
    /// The name of the Cedar action.
    pub(crate) fn action_name(&self) -> String {
        if self.action == self.main { self.operation.to_owned() } else { schema::part(self.action) }
    }
}
