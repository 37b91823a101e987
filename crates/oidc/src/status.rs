//! How a provider is doing.

use std::sync::Arc;
use std::time::Duration;

/// How a provider is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderStatus {
    /// Its configured name.
    pub name: Arc<str>,
    /// Its issuer.
    pub issuer: Arc<str>,
    /// Whether its tokens can be checked now, be it with stale keys.
    pub ready: bool,
    /// Whether its keys are older than [`ProviderConfig::max_stale`](crate::ProviderConfig::max_stale) and so no longer
    /// used.
    pub too_stale: bool,
    /// Whether signatures are verified; otherwise every token is introspected.
    pub verified_by_keys: bool,
    /// The number of usable keys.
    pub keys: usize,
    /// How long ago its documents were last fetched with success.
    pub fetched_age: Option<Duration>,
    /// All fetches of its documents, failed ones included.
    pub fetches: u64,
    /// Failed calls of any kind, in all.
    pub failures: u64,
    /// Failed fetches since the last success; above 0 the keys in use may be stale.
    pub consecutive_failures: u32,
    /// What the last failed call said, until a fetch succeeds.
    pub last_error: Option<String>,
}

impl ProviderStatus {
    /// Why its tokens cannot be checked now; `None` if they can.
    pub fn problem(&self) -> Option<&'static str> {
        match (self.ready, self.too_stale, self.verified_by_keys) {
            (true, ..) => None,
            (false, true, _) => Some("keys older than max_stale, not used until they can be fetched"),
            (false, false, true) => Some("no keys yet"),
            (false, false, false) => Some("no introspection endpoint discovered yet"),
        }
    }
}

#[derive(Default)]
pub(crate) struct Health {
    pub(crate) fetched_at: Option<Duration>,
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
    pub(crate) consecutive_failures: u32,
    pub(crate) last_error: Option<String>,
}
