//! Ending tokens: those that nobody uses, those that were replaced, those that a proxy left behind that is no more.
//!
//! Another instance's token is never revoked here, since that instance may be alive: it ends by itself, no later than its lifetime
//! after its instance has gone. Once ended, it is nobody's, and whoever holds the administrator's certificate frees its place.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, time::sleep};

use super::{ApiTokenError, Retired, Shared, api::Listed, locked, name::Owner};

/// How long a token that nobody gets any more stays valid: a request may just be on its way with it.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// Between two looks at what is unused, at most.
const LOOK: Duration = Duration::from_secs(30);
/// Between two listings of the engine's tokens.
const SWEEP: Duration = Duration::from_secs(300);
/// How far the engine's clock and ours may differ, in milliseconds, where the end of a token is judged.
const SKEW: i64 = 300_000;
/// How often ending one token is tried.
const ATTEMPTS: u8 = 5;

/// Runs until `stop` turns true or its sender is gone, then ends everything.
pub(super) async fn keep(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let pause = LOOK.min(shared.idle / 4);
    let mut swept: Option<Instant> = None;
    loop {
        let lost = shared.lost.swap(false, Ordering::AcqRel);
        if lost || swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            swept = Some(Instant::now());
            if let Err(error) = sweep(&shared).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(cluster = shared.cluster, error, "the engine's tokens cannot be listed");
                shared.lost.fetch_or(lost, Ordering::AcqRel);
            }
        }
        let now = shared.now();
        shared.end(shared.grace(), |slot| slot.unused_for(now) >= shared.idle && !slot.is_being_made());
        end_retired(&shared, false).await;
        tokio::select! {
            stopped = stop.wait_for(|stop| *stop) => {
                // An error means that the identity was dropped.
                drop(stopped);
                break;
            }
            () = shared.wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
    end_all(&shared).await;
}

/// Revokes everything at once.
pub(super) async fn end_all(shared: &Shared) {
    shared.closed.store(true, Ordering::Release);
    shared.end(Duration::ZERO, |_| true);
    end_retired(shared, true).await;
}

/// Ends what is due, or all that is on its way out.
async fn end_retired(shared: &Shared, all: bool) {
    let due: Vec<Retired> = {
        let mut retired = locked(&shared.retired);
        let now = Instant::now();
        let (due, later) =
            std::mem::take(&mut *retired).into_iter().partition(|retired| all || retired.due <= now);
        *retired = later;
        due
    };
    for mut retired in due {
        if let Err(error) = end(shared, &mut retired).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                cluster = shared.cluster,
                id = retired.id,
                error,
                "a token of the engine was not ended"
            );
            retired.attempts += 1;
            retired.due = Instant::now() + shared.grace();
            if retired.attempts < ATTEMPTS {
                locked(&shared.retired).push(retired);
            }
        }
    }
}

async fn end(shared: &Shared, retired: &mut Retired) -> Result<(), ApiTokenError> {
    if !retired.ended {
        shared.api.revoke(&retired.id).await?;
        retired.ended = true;
        shared.counters.revoked();
    }
    if shared.api.deletes() {
        shared.api.delete(&retired.id).await?;
        shared.counters.deleted();
    }
    Ok(())
}

/// Looks at all tokens of the engine: frees the places of those of our family that have ended, and puts tokens of this instance on
/// their way out that were made although the answer never came. How many places were freed.
pub(super) async fn sweep(shared: &Shared) -> Result<usize, ApiTokenError> {
    let listed = shared.api.list().await?;
    shared.counters.listed(listed.len());
    // After the listing, so that every token of ours that is listed is known by now.
    let known = known(shared);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut freed = 0;
    for entry in listed {
        let owner = shared.names.owner(&entry.name);
        if owner == Owner::Foreign || known.contains(&entry.id) {
            continue;
        }
        if has_ended(&entry, now) {
            if shared.api.deletes() && shared.api.delete(&entry.id).await.is_ok() {
                shared.counters.deleted();
                freed += 1;
            }
        } else if owner == Owner::Own && !locked(&shared.asked).contains(&entry.name) {
            locked(&shared.retired).push(Retired {
                id: entry.id,
                due: Instant::now(),
                ended: false,
                attempts: 0,
            });
        }
    }
    Ok(freed)
}

/// The ids of tokens that are in use or on their way out.
fn known(shared: &Shared) -> HashSet<String> {
    let slots = shared.slots();
    let held = slots.values().filter_map(|slot| slot.token()).map(|token| token.id.clone());
    let retired = locked(&shared.retired);
    held.chain(retired.iter().map(|retired| retired.id.clone())).collect()
}

fn has_ended(entry: &Listed, now: i64) -> bool {
    entry.revoked_at.is_some() || (entry.expires_at != 0 && entry.expires_at.saturating_add(SKEW) < now)
}
