//! What names stand for on a cluster: listed in the background, at once after a change, and given only while it is fresh.
//!
//! A listing is old the moment it is made, so nothing is allowed by it alone: the engine resolves the same name once more
//! when it acts, under roles that hold no more than the scopes which allowed the request. What the proxy adds is that it
//! knows of the changes which went through it: from the engine's answer to such a change until the next listing, nothing
//! older counts.

mod judge;
mod lister;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use catalogue::Catalogue;
use http::Method;
use rest::{Action, Inquiry};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

pub use self::{
    judge::{Allowed, Inside, Refused, decide, found},
    lister::{Lister, ListerError},
};
use crate::{errors::chain, snapshot::Task};

/// How long a request waits for the listing after a change. It is then judged without one.
const SETTLE: Duration = Duration::from_secs(5);

/// Operations that change something, and not which names there are or what is behind them. Whatever is not here is taken to.
const LEAVE_NAMES: [&str; 14] = [
    "delete_all_pits",
    "delete_script",
    "indices.clear_cache",
    "indices.flush",
    "indices.forcemerge",
    "indices.put_mapping",
    "indices.refresh",
    "indices.upgrade",
    "ingest.simulate",
    "knn.clear_cache",
    "nodes.reload_secure_settings",
    "put_script",
    "snapshot.create",
    "tasks.cancel",
];

/// Whether a request that asks this, sent so, can change what a name stands for. That is seen by what it needs, since a
/// request to another surface can carry one to the engine.
pub fn changes_names(ask: &Inquiry, method: &Method) -> bool {
    let changes = |action| matches!(action, Action::Manage | Action::Admin);
    let in_line = changes(ask.operation.action) || ask.needs.iter().any(|need| changes(need.action));
    let in_body = || ask.body.as_ref().is_some_and(|body| body.actions().iter().any(changes));
    !method.is_safe() && !LEAVE_NAMES.contains(&ask.operation.name) && (in_line || in_body())
}

/// One answer of the engine.
#[derive(Debug)]
struct Listing {
    names: Catalogue,
    /// When it was asked for.
    asked: Instant,
    /// How many changes had been told of by then.
    changes: u64,
}

/// What is known of one cluster's names. A reload that leaves the cluster as it is takes it over.
#[derive(Debug, Default)]
struct Known {
    listing: ArcSwapOption<Listing>,
    /// Counts changes that went through here and may have taken effect.
    changes: watch::Sender<u64>,
    /// For the last attempt to list, as of which change it was made; `None` before the first has ended.
    tried: watch::Sender<Option<u64>>,
    refreshes: AtomicU64,
    failures: AtomicU64,
    /// One listing at a time, also while two configurations share this.
    turn: Mutex<()>,
}

/// The state of a catalogue, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Names known; zero before the first listing.
    pub names: usize,
    /// Since the last listing was asked for; `None` before the first.
    pub age: Option<Duration>,
    /// Whether requests are judged by it.
    pub usable: bool,
    /// Listings that succeeded.
    pub refreshes: u64,
    /// Listings that failed.
    pub failures: u64,
}

/// What names stand for on one cluster, as its configuration wants it used.
#[derive(Debug)]
pub struct Names {
    known: Arc<Known>,
    stale: Duration,
    judges_aliases: bool,
    /// Lists until the last snapshot that has it is gone.
    _task: Arc<Task>,
}

/// Names that may be judged by at this moment.
#[derive(Clone, Debug)]
pub struct Fresh(Arc<Listing>);

impl Fresh {
    /// The names.
    pub fn names(&self) -> &Catalogue {
        &self.0.names
    }
}

impl Names {
    /// Begins to list with `lister`, for the cluster called `cluster`. What `previous` knows is taken over.
    pub fn watch(
        settings: &config::model::Catalogue,
        cluster: &str,
        lister: Lister,
        previous: Option<&Self>,
    ) -> Arc<Self> {
        let known = previous.map(|previous| Arc::clone(&previous.known)).unwrap_or_default();
        let task = watch(Arc::clone(&known), lister, settings.refresh.get(), cluster.to_owned());
        Arc::new(Self {
            known,
            stale: settings.stale.get(),
            judges_aliases: settings.judge_aliases,
            _task: Task::spawn(task),
        })
    }

    /// The names, unless they are too old, or a change has been told of since they were asked for.
    pub fn fresh(&self) -> Option<Fresh> {
        let listing = self.known.listing.load_full()?;
        let current =
            listing.changes >= *self.known.changes.borrow() && listing.asked.elapsed() <= self.stale;
        current.then_some(Fresh(listing))
    }

    /// Waits until the changes told of so far have been followed by an attempt to list, which takes no time where there were
    /// none, and a few seconds at most.
    pub async fn settle(&self) {
        let wanted = *self.known.changes.borrow();
        let mut tried = self.known.tried.subscribe();
        // Whoever waited in vain is judged without names.
        let _ = timeout(SETTLE, tried.wait_for(|tried| tried.is_some_and(|at| at >= wanted))).await;
    }

    /// A change of names may have taken effect: what is known no longer counts, and the engine is asked anew.
    fn changed(&self) {
        self.known.changes.send_modify(|changes| *changes += 1);
    }

    /// A change of names is about to be sent: unless it is said to have failed, it is told of when this is dropped, so also
    /// when its client does not wait for the answer.
    pub fn changing(&self) -> Changing<'_> {
        Changing(Some(self))
    }

    /// Whether an alias that a scope allows by its name is judged by what is behind it.
    pub fn judges_aliases(&self) -> bool {
        self.judges_aliases
    }

    /// For metrics.
    pub fn status(&self) -> Status {
        let listing = self.known.listing.load();
        Status {
            names: listing.as_ref().map_or(0, |listing| listing.names.len()),
            age: listing.as_ref().map(|listing| listing.asked.elapsed()),
            usable: self.fresh().is_some(),
            refreshes: self.known.refreshes.load(Ordering::Relaxed),
            failures: self.known.failures.load(Ordering::Relaxed),
        }
    }
}

/// A change under way; see [`Names::changing`].
#[derive(Debug)]
pub struct Changing<'n>(Option<&'n Names>);

impl Changing<'_> {
    /// The engine answered that it did not do it.
    pub fn failed(mut self) {
        self.0 = None;
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if let Some(names) = self.0 {
            names.changed();
        }
    }
}

async fn watch(known: Arc<Known>, lister: Lister, refresh: Duration, cluster: String) {
    let mut changes = known.changes.subscribe();
    let mut ticks = interval(refresh);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // The sender is part of `known`, so this ends with a change.
            _ = changes.changed() => ticks.reset(),
        }
        let turn = known.turn.lock().await;
        // What is told of after this is the next round's.
        let told = *changes.borrow_and_update();
        let asked = Instant::now();
        match lister.list().await {
            Ok(names) => {
                known.refreshes.fetch_add(1, Ordering::Relaxed);
                if failing {
                    tracing::info!(cluster, names = names.len(), "the names of the cluster are known again");
                }
                failing = false;
                known.listing.store(Some(Arc::new(Listing { names, asked, changes: told })));
            }
            Err(error) => {
                known.failures.fetch_add(1, Ordering::Relaxed);
                let error = chain(&error);
                if failing {
                    tracing::debug!(cluster, error, "the names of the cluster can still not be listed");
                } else {
                    tracing::warn!(
                        cluster,
                        error,
                        "the names of the cluster cannot be listed; once they are too old, aliases count by their own \
                         name, or requests are refused where `judge_aliases` is on"
                    );
                }
                failing = true;
            }
        }
        drop(turn);
        known.tried.send_modify(|tried| *tried = (*tried).max(Some(told)));
    }
}
