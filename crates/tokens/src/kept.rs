//! What is kept beside tokens: consents, authorizations under way, and Cedar policies.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Authorization, AuthorizationState, Consent, PolicyVersion, Version};

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
    /// A version of a set of policies.
    Policies(PolicyVersion),
}

impl Kept {
    /// Its name, unique among all that is kept.
    pub fn key(&self) -> &str {
        match self {
            Self::Consent(consent) => consent.id.as_str(),
            Self::Authorization(authorization) => authorization.id.as_str(),
            Self::Policies(policies) => policies.key(),
        }
    }

    /// Whether nothing more can come of it, and it need not be told any longer either.
    pub(crate) fn is_over(&self, now: Timestamp, retention: Duration) -> bool {
        match self {
            Self::Consent(consent) => consent.withdrawn.as_ref().is_some_and(|decision| {
                decision.at.checked_add(retention).is_ok_and(|forgotten| forgotten <= now)
            }),
            Self::Authorization(authorization) => now.duration_since(authorization.expires_at) >= REMEMBERED,
            // Forgotten for newer ones only.
            Self::Policies(_) => false,
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
            Self::Policies(_) => false,
        }
    }
}

/// What is kept, and which of its successive contents.
type Versioned = (Arc<Kept>, Version);

/// All that is kept, in memory.
#[derive(Debug, Default)]
pub(crate) struct KeptIndex {
    all: RwLock<HashMap<Box<str>, Versioned>>,
    policies: watch::Sender<()>,
}

impl KeptIndex {
    pub(crate) fn get(&self, key: &str) -> Option<Versioned> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Shows it, unless a later version is known already. What has ended stays so, whatever a store tells.
    pub(crate) fn put(&self, kept: Kept, version: Version) {
        let is_policies = matches!(kept, Kept::Policies(_));
        self.show(kept, version);
        if is_policies {
            self.policies.send_replace(());
        }
    }

    fn show(&self, kept: Kept, version: Version) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
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

    /// Tells when a version of any set of policies is shown.
    pub(crate) fn watch_policies(&self) -> watch::Receiver<()> {
        self.policies.subscribe()
    }

    pub(crate) fn remove(&self, key: &str) {
        self.all.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// All of it, in no order.
    pub(crate) fn all(&self) -> Vec<Versioned> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
