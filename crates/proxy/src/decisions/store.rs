//! Where explanations are kept, and who may see which.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwapOption;
use config::model;
use explain::Explanation;
use uuid::Uuid;

use super::Draft;
use crate::principal::Principal;

/// No caller has more than this part of what is kept, so that nobody can make the others' be forgotten. Those who are not known count
/// as one.
const SHARE: usize = 4;

/// The decisions of this process that can still be explained.
#[derive(Debug)]
pub struct Decisions {
    /// The last bytes of each decision id made here.
    instance: [u8; 2],
    settings: ArcSwapOption<model::Decisions>,
    kept: Mutex<Kept>,
}

impl Default for Decisions {
    fn default() -> Self {
        let [one, two, ..] = Uuid::new_v4().into_bytes();
        Self { instance: [one, two], settings: ArcSwapOption::empty(), kept: Mutex::default() }
    }
}

impl Decisions {
    /// From now on as this configuration says.
    pub fn configure(&self, settings: Option<&model::Decisions>) {
        self.settings.store(settings.cloned().map(Arc::new));
        let mut kept = self.kept();
        match settings {
            Some(settings) => kept.trim(settings),
            None => *kept = Kept::default(),
        }
    }

    /// The settings, if decisions are kept.
    pub fn settings(&self) -> Option<Arc<model::Decisions>> {
        self.settings.load_full()
    }

    /// Marks a decision id as one of this process. Of its random bits enough are left.
    pub fn mark(&self, id: Uuid) -> Uuid {
        let mut bytes = id.into_bytes();
        bytes[14..].copy_from_slice(&self.instance);
        Uuid::from_bytes(bytes)
    }

    /// Whether a decision id was made by this process.
    pub fn made(&self, id: Uuid) -> bool {
        id.as_bytes()[14..] == self.instance
    }

    /// Begins to explain a request, if decisions are kept.
    pub fn draft(self: &Arc<Self>) -> Option<Box<Draft>> {
        Some(Box::new(Draft::new(Arc::clone(self), self.settings()?)))
    }

    /// Keeps an explanation.
    pub(super) fn keep(&self, id: Uuid, owners: Owners, explanation: &Explanation) {
        let Some(settings) = self.settings() else { return };
        // Text and lists of texts can always be written.
        let Ok(json) = serde_json::to_vec(explanation) else { return };
        self.kept().insert(id, One { owners, json: json.into() }, &settings);
    }

    /// An explanation as this caller may see it; `None` also for one that it may not see.
    pub fn find(&self, id: Uuid, viewer: Viewer<'_>) -> Option<Explanation> {
        let json = {
            let kept = self.kept();
            let one = kept.by_id.get(&id)?;
            match viewer {
                Viewer::Operator => {}
                Viewer::Caller(caller) if one.owners.include(caller) => {}
                Viewer::Caller(_) => return None,
            }
            Arc::clone(&one.json)
        };
        let explanation: Explanation = serde_json::from_slice(&json).ok()?;
        Some(match viewer {
            Viewer::Operator => explanation,
            Viewer::Caller(_) => explanation.for_caller(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who wants to see an explanation.
#[derive(Clone, Copy, Debug)]
pub enum Viewer<'p> {
    /// Sees all of everybody's.
    Operator,
    /// Sees what is its own.
    Caller(&'p Principal),
}

/// A subject of an issuer.
type Party = (Box<str>, Box<str>);

/// Whose decision it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Owners {
    /// Who asked, and for a managed token also whom it is for and who had it made.
    pub(super) parties: Vec<Party>,
    /// The managed token that was shown.
    pub(super) token: Option<Box<str>>,
}

impl Owners {
    /// A managed token sees what was decided about itself only: one that leaked must not tell of what its owner does otherwise.
    fn include(&self, caller: &Principal) -> bool {
        if let Some(token) = caller.managed() {
            return self.token.as_deref() == Some(token.id.as_str());
        }
        let identity = caller.identity();
        self.parties
            .iter()
            .any(|(issuer, subject)| **issuer == *identity.issuer && **subject == *identity.subject)
    }
}

#[derive(Debug)]
struct One {
    owners: Owners,
    json: Arc<[u8]>,
}

/// What is kept, within the bounds.
#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<Uuid, One>,
    /// Oldest first. Some of them may be gone already.
    order: VecDeque<Uuid>,
    /// Oldest first, by who asked; all of them are there.
    by_caller: HashMap<Option<Party>, VecDeque<Uuid>>,
    bytes: usize,
}

impl Kept {
    fn insert(&mut self, id: Uuid, new: One, settings: &model::Decisions) {
        let caller = new.owners.parties.first().cloned();
        let theirs = self.by_caller.entry(caller).or_default();
        theirs.push_back(id);
        let too_many =
            if theirs.len() > (settings.keep / SHARE).max(1) { theirs.front().copied() } else { None };
        self.bytes += new.json.len();
        self.order.push_back(id);
        self.by_id.insert(id, new);
        if let Some(oldest) = too_many {
            self.forget(oldest);
        }
        self.trim(settings);
    }

    fn trim(&mut self, settings: &model::Decisions) {
        while self.by_id.len() > settings.keep || self.bytes > settings.max_size.as_usize() {
            match self.order.pop_front() {
                Some(oldest) => self.forget(oldest),
                None => break,
            }
        }
        if self.order.len() > 2 * self.by_id.len() + SHARE {
            self.order.retain(|id| self.by_id.contains_key(id));
        }
    }

    /// Whoever is forgotten is the oldest of its caller, too: both orders are that of insertion.
    fn forget(&mut self, id: Uuid) {
        let Some(gone) = self.by_id.remove(&id) else { return };
        self.bytes -= gone.json.len();
        let caller = gone.owners.parties.into_iter().next();
        if let Some(theirs) = self.by_caller.get_mut(&caller) {
            theirs.retain(|theirs| *theirs != id);
            if theirs.is_empty() {
                self.by_caller.remove(&caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(caller: Option<usize>, size: usize) -> One {
        let parties = caller.map(|caller| ("issuer".into(), caller.to_string().into())).into_iter().collect();
        One { owners: Owners { parties, token: None }, json: vec![b'x'; size].into() }
    }

    fn settings(keep: usize, max_size: u64) -> model::Decisions {
        let max_size = config::value::ByteSize::from_bytes(max_size);
        model::Decisions { keep, max_size, ..model::Decisions::default() }
    }

    #[test]
    fn nobody_makes_the_others_be_forgotten() {
        let (settings, mut kept) = (settings(8, 1_000_000), Kept::default());
        let quiet = Uuid::now_v7();
        kept.insert(quiet, one(Some(1), 10), &settings);
        for _ in 0..1000 {
            kept.insert(Uuid::now_v7(), one(Some(2), 10), &settings);
            kept.insert(Uuid::now_v7(), one(None, 10), &settings);
        }
        assert!(kept.by_id.contains_key(&quiet));
        assert_eq!(kept.by_id.len(), 5);
    }

    proptest! {
        #[test]
        fn bounds_are_kept(
            requests in prop::collection::vec((prop::option::of(0_usize..6), 1_usize..500), 0..300),
            keep in 4_usize..40,
            max_size in 500_u64..5000,
        ) {
            let (settings, mut kept) = (settings(keep, max_size), Kept::default());
            for (caller, size) in requests {
                kept.insert(Uuid::now_v7(), one(caller, size), &settings);
                prop_assert!(kept.by_id.len() <= keep);
                prop_assert!(kept.bytes as u64 <= max_size);
                prop_assert_eq!(kept.bytes, kept.by_id.values().map(|one| one.json.len()).sum::<usize>());
                prop_assert!(kept.order.len() <= 2 * kept.by_id.len() + SHARE);
                prop_assert!(kept.by_caller.values().all(|theirs| theirs.len() <= (keep / SHARE).max(1)));
                prop_assert_eq!(kept.by_caller.values().map(VecDeque::len).sum::<usize>(), kept.by_id.len());
            }
        }
    }

    #[test]
    fn ids_tell_which_process_made_them() {
        let (here, other) = (
            Decisions { instance: [1, 2], ..Decisions::default() },
            Decisions { instance: [1, 3], ..Decisions::default() },
        );
        let id = here.mark(Uuid::now_v7());
        assert!(here.made(id) && !other.made(id));
        assert_eq!(id.get_version_num(), 7);
        assert_ne!(here.mark(Uuid::now_v7()), here.mark(Uuid::now_v7()));
    }
}
