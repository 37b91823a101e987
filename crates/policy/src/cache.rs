//! Decisions that were made before.
//!
//! They belong to one set of policies and end with it. All that they were made from is in the key, so that no change of a token, a
//! group or a name can meet an old one.

use std::io::Write as _;

use quick_cache::sync::Cache;

use crate::decide::{Asker, Decision, Kind, Wish};

/// Decisions kept.
const KEPT: usize = 16_384;

/// Decisions by what they are about.
#[derive(Debug)]
pub(crate) struct Decisions(Cache<Key, Decision>);

impl Default for Decisions {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl Decisions {
    pub(crate) fn get(&self, key: &Key) -> Option<Decision> {
        self.0.get(key)
    }

    pub(crate) fn insert(&self, key: Key, decision: Decision) {
        self.0.insert(key, decision);
    }
}

/// All that a decision without circumstances is made from, each part after its length.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new(asker: &Asker<'_>, wish: &Wish<'_>, cluster: &str) -> Self {
        let mut key = Self(Vec::with_capacity(256));
        key.0.push(match asker.kind {
            Kind::Agent => 0,
            Kind::User => 1,
        });
        key.0.extend([wish.main as u8, wish.action as u8]);
        for part in [asker.id, asker.provider, wish.operation, cluster] {
            key.part(part.as_bytes());
        }
        key.0.extend(asker.groups.len().to_le_bytes());
        for group in asker.groups {
            key.part(group.as_bytes());
        }
        // The kind of resource stands before its name: an index may be called as anything else.
        key.0.push(match wish.on {
            rest::Resource::Index(_) => 0,
            rest::Resource::Cluster => 1,
            rest::Resource::Plugin(_) => 2,
            rest::Resource::Dashboards { .. } => 3,
            rest::Resource::Greeting => 4,
            rest::Resource::SavedObject { .. } => 5,
        });
        // Writing to a vector cannot fail. It is the last part, so it needs no length.
        let _ = write!(key.0, "{}", wish.on);
        key
    }

    fn part(&mut self, part: &[u8]) {
        self.0.extend(part.len().to_le_bytes());
        self.0.extend(part);
    }
}
