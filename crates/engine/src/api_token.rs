//! Identity `api_token`: tokens of the engine's own (since 3.7), made by the proxy as they are needed.
//!
//! One token serves all requests of one client under one set of grants. It is made when the first of them comes, replaced before it
//! ends, and revoked when nobody uses it any more and when the proxy stops. The engine's tokens have traps, and each is met here:
//!
//! - It remembers every token for ever and allows a fixed number in all. So tokens are few, and with an administrator's certificate
//!   what has ended is deleted (see [`keeper`]); when there is no place, requests are refused or go under the fallback.
//! - After a restart a node knows none of its tokens, or knows them and not their permissions. [`ApiTokens::refused`] and
//!   [`ApiTokens::denied`] find that out and have the node load them anew.
//! - A token's permissions hang on its name (see [`name`]), and nothing bounds them but what the proxy writes (see [`grants`]).
//!
//! Nothing here does I/O while a token is at hand. The engine is called by tasks of their own, so that a caller who goes away leaves no
//! token behind that nobody knows.

mod api;
mod error;
mod grants;
mod heal;
mod keeper;
mod key;
mod name;
mod stats;
mod token;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use config::model;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

pub(crate) use self::token::Mark;
use self::{
    api::Api,
    grants::Grants,
    heal::Heals,
    name::Names,
    stats::Counters,
    token::{Making, Outcome, Slot, Token},
};
pub use self::{error::ApiTokenError, stats::ApiTokenStats};
use crate::{Caller, Credential, IdentityError};

/// How long after a failure no further token is asked for: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The engine tokens of one cluster. What it holds is revoked when it is dropped or [closed](Self::close).
pub struct ApiTokens {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What the tasks share.
struct Shared {
    /// For the log.
    cluster: String,
    api: Api,
    names: Names,
    lifetime: Duration,
    idle: Duration,
    limit: usize,
    wait: Duration,
    begun: Instant,
    slots: RwLock<HashMap<Arc<[u8]>, Arc<Slot>>>,
    /// Names for which the engine is being asked for a token.
    asked: Mutex<HashSet<String>>,
    /// Tokens that nobody gets any more and that are still to be ended.
    retired: Mutex<Vec<Retired>>,
    /// A token may have been made whose answer never came.
    lost: AtomicBool,
    /// Something is to be ended at once.
    wake: Notify,
    trouble: Mutex<Option<Trouble>>,
    /// Set while tokens at hand are not handed out either.
    distrusted: AtomicBool,
    /// Nothing has failed since something succeeded.
    usable: AtomicBool,
    heals: Heals,
    closed: AtomicBool,
    counters: Counters,
}

/// A token on its way out.
#[derive(Debug)]
struct Retired {
    id: String,
    /// When it is to be ended.
    due: Instant,
    /// It has ended, or is revoked, so that only its place is to be freed.
    ended: bool,
    attempts: u8,
}

/// The last failure, while it counts.
#[derive(Debug)]
struct Trouble {
    error: ApiTokenError,
    until: Instant,
    pause: Duration,
}

impl ApiTokens {
    /// Reads the administrator's certificate. Calls nobody yet.
    pub fn from_config(cluster: &model::Cluster, settings: &model::ApiToken) -> Result<Self, IdentityError> {
        let shared = Shared {
            cluster: cluster.name.clone(),
            api: Api::new(cluster, settings).map_err(|error| IdentityError::Tls(Box::new(error)))?,
            names: Names::new(&settings.name_prefix)?,
            lifetime: settings.lifetime.get(),
            idle: settings.idle.get(),
            limit: settings.max_tokens,
            wait: settings.wait.get(),
            begun: Instant::now(),
            slots: RwLock::default(),
            asked: Mutex::default(),
            retired: Mutex::default(),
            lost: AtomicBool::new(false),
            wake: Notify::new(),
            trouble: Mutex::default(),
            distrusted: AtomicBool::new(false),
            usable: AtomicBool::new(true),
            heals: Heals::default(),
            closed: AtomicBool::new(false),
            counters: Counters::default(),
        };
        Ok(Self { shared: Arc::new(shared), stop: watch::Sender::new(false), keeper: Mutex::default() })
    }

    /// The credential for the caller if its token is at hand. Does no I/O.
    pub fn at_hand(&self, caller: &Caller<'_>) -> Option<Credential> {
        if self.shared.distrusts() {
            return None;
        }
        let slot = self.shared.slot(&key::of(caller))?;
        slot.touch(self.shared.now());
        let token = slot.token().filter(|token| token.serves())?;
        if token.wants_successor() && self.shared.trouble().is_none() {
            self.shared.make(&slot);
        }
        Some(token.credential(self.shared.heals.count()))
    }

    /// The credential for the caller: at hand, or made by the engine within `wait`.
    ///
    /// # Errors
    ///
    /// Every [`ApiTokenError`]; after a failure the same one for a while, without asking the engine again.
    pub async fn obtain(&self, caller: &Caller<'_>) -> Result<Credential, ApiTokenError> {
        if let Some(credential) = self.at_hand(caller) {
            return Ok(credential);
        }
        let grants = Grants::of(caller)?;
        let shared = &self.shared;
        if shared.closed.load(Ordering::Acquire) {
            return Err(ApiTokenError::Ended);
        }
        self.keep();
        if let Some(error) = shared.trouble() {
            return Err(error);
        }
        let slot = shared.slot_for(caller, grants)?;
        let token = shared.made_in_time(&slot).await?;
        Ok(token.credential(shared.heals.count()))
    }

    /// Revokes what the client of this provider has, since it is not to act any more. Its next request, if there is one, has a new token
    /// made. Where places cannot be freed, nothing is done before the token is idle: a client that ends tokens of its own again and
    /// again would use up all places.
    pub fn end_client(&self, provider: &str, client_id: &str) {
        if !self.shared.api.deletes() {
            return;
        }
        let wanted = key::of_client(provider, client_id);
        self.shared.end(Duration::ZERO, |slot| *slot.client == *wanted);
        self.shared.wake.notify_one();
    }

    /// Revokes everything and makes nothing any more. Waits for that no longer than `limit`; what is left ends with its lifetime.
    pub async fn close(&self, limit: Duration) {
        self.shared.closed.store(true, Ordering::Release);
        self.stop.send_replace(true);
        let keeper = locked(&self.keeper).take();
        if let Some(keeper) = keeper
            && timeout(limit, keeper).await.is_err()
        {
            tracing::warn!(
                cluster = self.shared.cluster,
                "the engine did not revoke all tokens in time; they end within their lifetime"
            );
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> ApiTokenStats {
        let held = self.shared.slots().values().filter(|slot| slot.token().is_some()).count();
        self.shared.counters.read(held, self.shared.usable.load(Ordering::Acquire))
    }

    /// A request goes under another identity for this reason.
    pub fn fell_back(&self, error: &ApiTokenError) {
        self.shared.counters.fell_back(error);
    }

    /// Starts the task that ends tokens, once.
    fn keep(&self) {
        let mut keeper = locked(&self.keeper);
        if keeper.is_none() && !self.shared.closed.load(Ordering::Acquire) {
            *keeper = Some(tokio::spawn(keeper::keep(Arc::clone(&self.shared), self.stop.subscribe())));
        }
    }
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokens").field("cluster", &self.shared.cluster).finish_non_exhaustive()
    }
}

impl Shared {
    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn slots(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Arc<[u8]>, Arc<Slot>>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots_mut(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Arc<[u8]>, Arc<Slot>>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: &[u8]) -> Option<Arc<Slot>> {
        self.slots().get(key).cloned()
    }

    /// The place of the caller's token; a new one if there is room.
    fn slot_for(&self, caller: &Caller<'_>, grants: Grants) -> Result<Arc<Slot>, ApiTokenError> {
        let key: Arc<[u8]> = key::of(caller).into();
        let mut slots = self.slots_mut();
        if let Some(slot) = slots.get(&key) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() >= self.limit {
            return Err(ApiTokenError::Limit(self.limit));
        }
        let slot = Arc::new(Slot::new(Arc::clone(&key), key::client(caller).into(), grants));
        slot.touch(self.now());
        slots.insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    /// Has a token made for the slot, unless one is being made; what becomes of it.
    fn make(self: &Arc<Self>, slot: &Arc<Slot>) -> Making {
        let mut present = locked(&slot.making);
        if let Some(making) = present.as_ref().filter(|making| making.outcome.has_changed().is_ok()) {
            return making.clone();
        }
        let (tell, outcome) = watch::channel(None);
        let making = Making { since: Instant::now(), outcome };
        *present = Some(making.clone());
        drop(present);
        let (shared, slot) = (Arc::clone(self), Arc::clone(slot));
        tokio::spawn(async move {
            let outcome = shared.ask(&slot).await;
            shared.settle(&slot, &outcome);
            *locked(&slot.making) = None;
            tell.send_replace(Some(outcome));
            if shared.closed.load(Ordering::Acquire) {
                keeper::end_all(&shared).await;
            }
        });
        making
    }

    /// As [`make`](Self::make), waiting for the outcome, but not for ever, however many wait one after the other.
    async fn made_in_time(self: &Arc<Self>, slot: &Arc<Slot>) -> Outcome {
        let Making { since, mut outcome } = self.make(slot);
        let left = self.wait.saturating_sub(since.elapsed());
        let told = timeout(left, outcome.wait_for(Option::is_some)).await;
        match told {
            Err(_) => Err(ApiTokenError::Slow(self.wait)),
            Ok(told) => told.ok().and_then(|told| told.clone()).unwrap_or(Err(ApiTokenError::Ended)),
        }
    }

    /// Asks the engine for a token.
    async fn ask(&self, slot: &Arc<Slot>) -> Outcome {
        let made = match self.ask_once(slot).await {
            // What has ended may take the place.
            Err(ApiTokenError::Full(message)) if self.api.deletes() => match keeper::sweep(self).await {
                Ok(freed) if freed > 0 => self.ask_once(slot).await,
                _ => Err(ApiTokenError::Full(message)),
            },
            made => made,
        };
        match &made {
            Ok(_) => self.counters.made(),
            Err(error) => {
                self.counters.failed();
                if let ApiTokenError::Http(_) = error {
                    self.lost.store(true, Ordering::Release);
                    self.wake.notify_one();
                }
                let error = error as &dyn std::error::Error;
                tracing::warn!(cluster = self.cluster, error, "the engine has made no token");
            }
        }
        made
    }

    async fn ask_once(&self, slot: &Arc<Slot>) -> Outcome {
        let name = self.names.next()?;
        locked(&self.asked).insert(name.clone());
        // From before the call, so that it is not taken for longer than the engine does.
        let begun = Instant::now();
        let made = self.api.make(&name, &slot.grants, self.lifetime).await;
        let outcome = made.map(|made| {
            Arc::new(Token {
                id: made.id,
                user: format!("token:{name}").into(),
                value: made.value,
                key: Arc::clone(&slot.key),
                made: begun,
                lifetime: self.lifetime,
            })
        });
        if let Ok(token) = &outcome {
            self.install(slot, token);
        }
        locked(&self.asked).remove(&name);
        outcome
    }

    /// Puts a token where requests find it; the one before is on its way out.
    fn install(&self, slot: &Arc<Slot>, token: &Arc<Token>) {
        let slots = self.slots_mut();
        let wanted = slots.get(&slot.key).is_some_and(|present| Arc::ptr_eq(present, slot))
            && !self.closed.load(Ordering::Acquire);
        if !wanted {
            self.retire(token, Duration::ZERO);
            return;
        }
        if let Some(before) = slot.token() {
            self.retire(&before, self.grace());
        }
        slot.put(Arc::clone(token));
    }

    /// Notes what became of making a token.
    fn settle(&self, slot: &Arc<Slot>, outcome: &Outcome) {
        match outcome {
            Ok(_) => self.recover(),
            Err(error) => {
                self.pause(error.clone());
                if slot.token().is_none_or(|token| !token.serves()) {
                    self.end(self.grace(), |candidate| std::ptr::eq(candidate, &raw const **slot));
                }
            }
        }
    }

    /// Takes slots away; their tokens are ended after `grace`.
    fn end(&self, grace: Duration, mut which: impl FnMut(&Slot) -> bool) {
        self.slots_mut().retain(|_, slot| {
            if !which(slot) {
                return true;
            }
            if let Some(token) = slot.token() {
                self.retire(&token, grace);
            }
            false
        });
    }

    fn retire(&self, token: &Token, grace: Duration) {
        let (id, ended) = (token.id.clone(), token.has_expired());
        locked(&self.retired).push(Retired { id, due: Instant::now() + grace, ended, attempts: 0 });
    }

    /// How long a token that nobody gets any more stays valid.
    fn grace(&self) -> Duration {
        keeper::GRACE.min(self.idle)
    }

    /// The last failure, while it counts.
    fn trouble(&self) -> Option<ApiTokenError> {
        let trouble = locked(&self.trouble);
        trouble.as_ref().filter(|trouble| trouble.until > Instant::now()).map(|trouble| trouble.error.clone())
    }

    /// Asks the engine for nothing for a while, longer with each failure in a row.
    fn pause(&self, error: ApiTokenError) {
        let mut trouble = locked(&self.trouble);
        let now = Instant::now();
        let in_a_row = trouble.as_ref().filter(|before| now < before.until + before.pause * 2);
        let pause = in_a_row.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        *trouble = Some(Trouble { error, until: now + pause, pause });
        self.usable.store(false, Ordering::Release);
    }

    fn recover(&self) {
        *locked(&self.trouble) = None;
        self.trust();
    }

    fn trust(&self) {
        self.distrusted.store(false, Ordering::Release);
        self.usable.store(true, Ordering::Release);
    }

    /// Whether tokens at hand are held back.
    fn distrusts(&self) -> bool {
        self.distrusted.load(Ordering::Acquire) && {
            let still = self.trouble().is_some();
            if !still {
                self.trust();
            }
            still
        }
    }
}

/// The content of a lock, whoever panicked while holding it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
