//! One token that the engine has made, and the place where it is kept.

use std::{
    fmt,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::sync::watch;

use super::{ApiTokenError, grants::Grants, locked};
use crate::Credential;

/// How long before its end a token is no longer handed out: a request takes a moment to reach the engine.
const MARGIN: Duration = Duration::from_secs(5);

/// What became of making a token.
pub(super) type Outcome = Result<Arc<Token>, ApiTokenError>;

/// A token. Shown without its value.
pub(super) struct Token {
    /// The engine's id of it.
    pub(super) id: String,
    /// `token:<name>`: the user as which the engine knows it.
    pub(super) user: Arc<str>,
    /// `ApiKey os_…`.
    pub(super) value: HeaderValue,
    /// Where it is kept.
    pub(super) key: Arc<[u8]>,
    pub(super) made: Instant,
    pub(super) lifetime: Duration,
}

impl Token {
    /// Whether it can still be sent.
    pub(super) fn serves(&self) -> bool {
        self.made.elapsed() + MARGIN.min(self.lifetime / 8) < self.lifetime
    }

    /// Whether the next one should be made.
    pub(super) fn wants_successor(&self) -> bool {
        self.made.elapsed() >= self.lifetime * 3 / 4
    }

    /// Whether the engine has ended it by itself.
    pub(super) fn has_expired(&self) -> bool {
        self.made.elapsed() > self.lifetime
    }

    /// The credential of a request; `heals` is how often the engine has been made to load its tokens anew.
    pub(super) fn credential(self: &Arc<Self>, heals: u64) -> Credential {
        Credential::authorization(Arc::clone(&self.user), Arc::new([]), self.value.clone())
            .with_token(Mark { token: Arc::clone(self), heals })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Which token a request was sent with, and when.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(super) token: Arc<Token>,
    pub(super) heals: u64,
}

/// The place of the token of one client and set of grants.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Arc<[u8]>,
    /// Who uses it; see [`super::key::client`].
    pub(super) client: Box<[u8]>,
    pub(super) grants: Grants,
    token: RwLock<Option<Arc<Token>>>,
    /// Set while a token is being made.
    pub(super) making: Mutex<Option<Making>>,
    /// Milliseconds since the start of the identity.
    used: AtomicU64,
}

/// A token that the engine is asked for.
#[derive(Clone, Debug)]
pub(super) struct Making {
    pub(super) since: Instant,
    pub(super) outcome: watch::Receiver<Option<Outcome>>,
}

impl Slot {
    pub(super) fn new(key: Arc<[u8]>, client: Box<[u8]>, grants: Grants) -> Self {
        Self {
            key,
            client,
            grants,
            token: RwLock::default(),
            making: Mutex::default(),
            used: AtomicU64::new(0),
        }
    }

    pub(super) fn token(&self) -> Option<Arc<Token>> {
        self.token.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn put(&self, token: Arc<Token>) {
        *self.token.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(token);
    }

    pub(super) fn is_being_made(&self) -> bool {
        locked(&self.making).is_some()
    }

    pub(super) fn touch(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(super) fn unused_for(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.used.load(Ordering::Relaxed)))
    }
}
