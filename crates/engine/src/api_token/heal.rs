//! A node that has forgotten its tokens, or what they may do.
//!
//! After a restart a node may know none of its tokens (401), or know them and not their permissions (403), and does not find out by
//! itself. Emptying its security cache makes it load both anew, and takes no place, unlike making another token. A token that was really
//! ended, by an administrator for instance, is replaced.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::StatusCode;
use tokio::time::{sleep, timeout};

use super::{ApiTokenError, ApiTokens, Shared, locked, token::Mark};
use crate::Credential;

/// How long a node is taken to know its tokens' permissions after it has shown it.
const SHOWN: Duration = Duration::from_secs(10);
/// How long it is left alone after loading them anew has changed nothing.
const IN_VAIN: Duration = Duration::from_secs(60);
/// Between two looks at a node that is loading.
const LOOK: Duration = Duration::from_millis(50);

/// What is known of the nodes' memory.
#[derive(Debug, Default)]
pub(super) struct Heals {
    count: AtomicU64,
    /// Up to which count each node, and all of them, were healed last.
    nodes: Mutex<HashMap<String, u64>>,
    all: AtomicU64,
    /// Loading anew did not help, so that a new token is to be made: all nodes hear of that.
    in_vain: AtomicBool,
    /// One at a time: what heals one token of a node heals all.
    turn: tokio::sync::Mutex<()>,
    /// Until when each node is not asked whether it knows a token's permissions.
    left_alone: Mutex<HashMap<String, Instant>>,
}

impl Heals {
    /// How often a node was made to load its tokens anew.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether the node was healed after a request was given its credential.
    fn since(&self, given: u64, node: &str) -> bool {
        let node = locked(&self.nodes).get(node).copied().unwrap_or_default();
        node.max(self.all.load(Ordering::Acquire)) > given
    }

    fn healed(&self, node: Option<&str>) -> u64 {
        let count = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        match node {
            Some(node) => {
                locked(&self.nodes).insert(node.to_owned(), count);
            }
            None => self.all.store(count, Ordering::Release),
        }
        count
    }

    fn is_left_alone(&self, node: &str) -> bool {
        locked(&self.left_alone).get(node).is_some_and(|until| Instant::now() < *until)
    }

    fn leave_alone(&self, node: &str, during: Duration) {
        locked(&self.left_alone).insert(node.to_owned(), Instant::now() + during);
    }
}

impl ApiTokens {
    /// A node answered 401 to the credential. The one to try next: the same, after the node has loaded its tokens anew, or a new one.
    ///
    /// # Errors
    ///
    /// When neither can be had in time. No token is then handed out for a while.
    pub async fn refused(&self, credential: &Credential, node: &str) -> Result<Credential, ApiTokenError> {
        let mark = credential.token().ok_or(ApiTokenError::Ended)?;
        let healed = timeout(self.shared.wait, self.shared.heal(mark, node)).await;
        let healed = healed.unwrap_or(Err(ApiTokenError::Slow(self.shared.wait)));
        if let Err(error) = &healed {
            self.shared.distrust(error.clone());
        }
        healed
    }

    /// A node answered 403 to the credential. The credential to try again with, if the node had only forgotten its permissions.
    pub async fn denied(&self, credential: &Credential, node: &str) -> Option<Credential> {
        let mark = credential.token()?;
        if self.shared.heals.is_left_alone(node) {
            return None;
        }
        timeout(self.shared.wait, self.shared.remind(mark, node)).await.ok().flatten()
    }

    /// A node refuses even what [`refused`](Self::refused) gave. No token is handed out for a while.
    pub fn refused_again(&self) {
        self.shared.heals.in_vain.store(true, Ordering::Release);
        self.shared.distrust(ApiTokenError::NotAccepted);
    }
}

impl Shared {
    async fn heal(self: &Arc<Self>, mark: &Mark, node: &str) -> Result<Credential, ApiTokenError> {
        let _turn = self.heals.turn.lock().await;
        let slot = self.slot(&mark.token.key).ok_or(ApiTokenError::Ended)?;
        let present = slot.token().ok_or(ApiTokenError::Ended)?;
        // Somebody else has met the same in the meantime and done something about it.
        if !Arc::ptr_eq(&present, &mark.token) || self.heals.since(mark.heals, node) {
            return Ok(present.credential(self.heals.count()));
        }
        // An administrator who may not know goes on as if they were on.
        if self.api.accepts_tokens().await.is_ok_and(|accepts| accepts == Some(false)) {
            return Err(ApiTokenError::Disabled);
        }
        let lives = self
            .api
            .list()
            .await?
            .iter()
            .any(|entry| entry.id == present.id && entry.revoked_at.is_none() && !present.has_expired());
        let in_vain = self.heals.in_vain.swap(false, Ordering::AcqRel);
        if lives && !in_vain && self.load_anew(mark, node).await? {
            tracing::warn!(
                cluster = self.cluster,
                node,
                "the node had forgotten its API tokens and has loaded them anew"
            );
            return Ok(present.credential(self.healed(Some(node))));
        }
        let renewed = self.made_in_time(&slot).await?;
        tracing::warn!(
            cluster = self.cluster,
            node,
            lives,
            "the node refused an API token, which was replaced"
        );
        Ok(renewed.credential(self.healed(None)))
    }

    async fn remind(&self, mark: &Mark, node: &str) -> Option<Credential> {
        let _turn = self.heals.turn.lock().await;
        if self.heals.since(mark.heals, node) {
            return Some(mark.token.credential(self.heals.count()));
        }
        match self.api.greet(node, &mark.token.value).await.ok()? {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {}
            status => {
                if status.is_success() {
                    self.heals.leave_alone(node, SHOWN);
                }
                return None;
            }
        }
        // For as long as this takes at most, should the client leave meanwhile.
        self.heals.leave_alone(node, IN_VAIN);
        if !self.load_anew(mark, node).await.ok()? {
            return None;
        }
        self.heals.leave_alone(node, SHOWN);
        tracing::warn!(
            cluster = self.cluster,
            node,
            "the node had forgotten what API tokens may do and has loaded it anew"
        );
        Some(mark.token.credential(self.healed(Some(node))))
    }

    /// Has the node load its tokens, and waits until it knows this one and what it may do, or half of the time is over.
    async fn load_anew(&self, mark: &Mark, node: &str) -> Result<bool, ApiTokenError> {
        self.api.reload(node).await?;
        let known = async {
            loop {
                match self.api.greet(node, &mark.token.value).await {
                    Ok(status) if status.is_success() => return,
                    _ => sleep(LOOK).await,
                }
            }
        };
        Ok(timeout(self.wait / 2, known).await.is_ok())
    }

    /// Counts a healed node, or all of them.
    fn healed(&self, node: Option<&str>) -> u64 {
        self.counters.healed();
        self.recover();
        self.heals.healed(node)
    }

    fn distrust(&self, error: ApiTokenError) {
        let shown = &error as &dyn std::error::Error;
        tracing::error!(
            cluster = self.cluster,
            error = shown,
            "no API token of the engine is used for a while"
        );
        self.pause(error);
        self.distrusted.store(true, Ordering::Release);
    }
}
