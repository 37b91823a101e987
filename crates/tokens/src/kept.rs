//! What is kept beside tokens: consents, and authorizations under way.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Authorization, AuthorizationState, Consent, Version};

/// How long an authorization is kept after its time, so that a code that is used again is known.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Something that is kept beside tokens.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// What a person allowed a client.
    Consent(Consent),
    /// What a person is asked for, or has allowed and was not fetched.
    Authorization(Authorization),
}

impl Kept {
    /// Its name, unique among all that is kept.
    pub fn key(&self) -> &str {
        match self {
            Self::Consent(consent) => consent.id.as_str(),
            Self::Authorization(authorization) => authorization.id.as_str(),
        }
    }

    /// Whether nothing more can come of it, and it need not be told any longer either.
    pub(crate) fn is_over(&self, now: Timestamp, retention: Duration) -> bool {
        match self {
            Self::Consent(consent) => consent.withdrawn.as_ref().is_some_and(|decision| {
                decision.at.checked_add(retention).is_ok_and(|forgotten| forgotten <= now)
            }),
            Self::Authorization(authorization) => now.duration_since(authorization.expires_at) >= REMEMBERED,
        }
    }

    /// Whether it has ended, for good.
    fn has_ended(&self) -> bool {
        match self {
            Self::Consent(consent) => consent.withdrawn.is_some(),
            Self::Authorization(authorization) => matches!(
                authorization.state,
                AuthorizationState::Denied { .. } | AuthorizationState::Redeemed { .. }
            ),
        }
    }
}

/// What is kept, and which of its successive contents.
type Versioned = (Arc<Kept>, Version);

/// All that is kept, in memory.
#[derive(Debug, Default)]
pub(crate) struct KeptIndex(RwLock<HashMap<Box<str>, Versioned>>);

impl KeptIndex {
    pub(crate) fn get(&self, key: &str) -> Option<Versioned> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Shows it, unless a later version is known already. What has ended stays so, whatever a store tells.
    pub(crate) fn put(&self, kept: Kept, version: Version) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, at)) = all.get_mut(kept.key()) {
            if *at < version {
                *at = version;
                if !known.has_ended() || kept.has_ended() {
                    *known = Arc::new(kept);
                }
            }
            return;
        }
        all.insert(kept.key().into(), (Arc::new(kept), version));
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// All of it, in no order.
    pub(crate) fn all(&self) -> Vec<Versioned> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
