//! Policies that are edited over HTTP: kept with the tokens, taken over as soon as a new version is known.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use arc_swap::ArcSwap;
use policy::{Fault, PolicySet, Source};
use tokens::Tokens;
use tokio::sync::Mutex;

use super::Policies;
use crate::snapshot::Task;

/// A set whose policies are kept with the tokens.
#[derive(Debug)]
pub struct ManagedSet {
    name: Arc<str>,
    in_force: ArcSwap<Version>,
    /// The last version that could not be read, told once; 0: none.
    unreadable: AtomicU32,
    /// One version at a time, so that an older one never follows a newer one.
    turn: Mutex<()>,
}

/// A version that was read.
#[derive(Debug)]
struct Version {
    /// 0: nothing was written yet, so nothing is permitted.
    number: u32,
    policies: Arc<PolicySet>,
}

/// How a managed set stands.
#[derive(Clone, Debug)]
pub struct ManagedStatus {
    /// Its name.
    pub set: Arc<str>,
    /// The version in force.
    pub in_force: u32,
    /// Whether a later one cannot be read.
    pub is_behind: bool,
}

impl ManagedSet {
    /// A set that permits nothing, until it [follows](Policies::follow).
    pub(super) fn empty(name: &str) -> Result<Self, Vec<Fault>> {
        let policies = Arc::new(PolicySet::parse_as(Some(name), &[])?);
        Ok(Self {
            name: name.into(),
            in_force: ArcSwap::from_pointee(Version { number: 0, policies }),
            unreadable: AtomicU32::new(0),
            turn: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The policies in force, with what was decided by them so far.
    pub(super) fn policies(&self) -> Arc<PolicySet> {
        Arc::clone(&self.in_force.load().policies)
    }

    pub(super) fn status(&self) -> ManagedStatus {
        let in_force = self.in_force.load().number;
        let is_behind = self.unreadable.load(Ordering::Relaxed) > in_force;
        ManagedStatus { set: Arc::clone(&self.name), in_force, is_behind }
    }

    /// Goes on with what is in force for the same set under another configuration.
    pub(super) fn take_over(&self, previous: &Self) {
        self.in_force.store(previous.in_force.load_full());
    }

    /// Puts the version that counts in force. One that cannot be read leaves what is in force.
    pub(crate) async fn refresh(&self, tokens: &Tokens) {
        let _turn = self.turn.lock().await;
        let Some(current) = tokens.current_policies(&self.name) else { return };
        let number = current.version;
        if number <= self.in_force.load().number || number == self.unreadable.load(Ordering::Relaxed) {
            return;
        }
        match parse(&self.name, current.text.into()).await {
            Ok(policies) => {
                tracing::info!(set = &*self.name, version = number, "a version of policies is in force");
                self.in_force.store(Arc::new(Version { number, policies: Arc::new(policies) }));
            }
            Err(faults) => {
                let error = super::told(&faults);
                let in_force = self.in_force.load().number;
                tracing::error!(
                    set = &*self.name,
                    version = number,
                    in_force,
                    error,
                    "a version of policies cannot be read; the one in force stays"
                );
                self.unreadable.store(number, Ordering::Relaxed);
            }
        }
    }
}

/// Reads policies of a managed set, away from the threads that serve requests.
///
/// # Errors
/// All that is wrong with them.
pub async fn parse(set: &str, text: String) -> Result<PolicySet, Vec<Fault>> {
    let set = set.to_owned();
    let broke = |error: tokio::task::JoinError| vec![Fault::new(&*set, error.to_string())];
    let (name, source) = (set.clone(), Source { name: set.clone(), text });
    tokio::task::spawn_blocking(move || PolicySet::parse_as(Some(&name), &[source]))
        .await
        .unwrap_or_else(|error| Err(broke(error)))
}

impl Policies {
    /// The sets that are edited over HTTP.
    pub fn managed(&self) -> impl Iterator<Item = &Arc<ManagedSet>> {
        self.sets.iter().filter_map(|set| match &set.policies {
            super::Origin::Managed(set) => Some(set),
            super::Origin::Files(_) => None,
        })
    }

    /// How the sets that are edited over HTTP stand.
    pub fn managed_status(&self) -> impl Iterator<Item = ManagedStatus> {
        self.managed().map(|set| set.status())
    }

    /// Goes on with what is in force for the sets that a configuration before had, too.
    pub(crate) fn take_over(&self, previous: &Self) {
        for set in self.managed() {
            if let Some(before) = previous.managed().find(|before| before.name == set.name) {
                set.take_over(before);
            }
        }
    }

    /// Puts in force whatever was written.
    pub(crate) async fn refresh(&self, tokens: &Tokens) {
        for set in self.managed() {
            set.refresh(tokens).await;
        }
    }

    /// Puts in force what is written already, and from then on each version that is, here or by another proxy.
    pub(crate) async fn follow(self: &Arc<Self>, tokens: &Tokens) -> Arc<Task> {
        // Before looking, so that nothing is written unnoticed in between.
        let mut written = tokens.watch_policies();
        self.refresh(tokens).await;
        for set in self.managed_status().filter(|set| set.in_force == 0) {
            tracing::warn!(set = &*set.set, "no policies are written yet, so that this set permits nothing");
        }
        let (policies, tokens) = (Arc::clone(self), tokens.clone());
        Task::spawn(async move {
            while written.changed().await.is_ok() {
                policies.refresh(&tokens).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokens::{Decision, EmbeddedStore, Party, PolicyDraft, Settings};

    use super::*;

    async fn write(tokens: &Tokens, replaces: u32, text: &str) {
        let by = Party {
            provider: "company".into(),
            issuer: "https://id.example.com".into(),
            subject: "alice".into(),
            client_id: None,
            user: None,
        };
        let written = Decision { at: Timestamp::UNIX_EPOCH, by, reason: None };
        let draft = PolicyDraft { set: "company".into(), text: text.into(), written, restored_from: None };
        tokens.write_policies(draft, replaces).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_read_leaves_what_is_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("tokens.redb")).unwrap();
        let tokens = Tokens::open(Arc::new(store), Settings::default()).await.unwrap();
        let set = ManagedSet::empty("company").unwrap();
        let state = || {
            let ManagedStatus { in_force, is_behind, .. } = set.status();
            (in_force, is_behind, set.policies().len())
        };
        set.refresh(&tokens).await;
        assert_eq!(state(), (0, false, 0));
        write(&tokens, 0, "permit(principal, action, resource);").await;
        set.refresh(&tokens).await;
        assert_eq!(state(), (1, false, 1));
        // As of a newer proxy that knows more.
        write(&tokens, 1, "permit(principal, action == Action::\"divine\", resource);").await;
        set.refresh(&tokens).await;
        assert_eq!(state(), (1, true, 1));
        let under_another_configuration = ManagedSet::empty("company").unwrap();
        under_another_configuration.take_over(&set);
        under_another_configuration.refresh(&tokens).await;
        assert_eq!(under_another_configuration.status().in_force, 1);
        write(&tokens, 2, "").await;
        set.refresh(&tokens).await;
        assert_eq!(state(), (3, false, 0));
    }
}
