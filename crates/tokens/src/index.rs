//! All tokens in memory.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::{Digest, Token, TokenId};

const SHARDS: usize = 64;

/// Finds tokens without asking the store. By digest in many parts, so that requests that look up and a change hardly ever meet.
#[derive(Debug)]
pub(crate) struct Index {
    by_digest: Box<[RwLock<HashMap<Digest, Token>>]>,
    by_id: RwLock<HashMap<TokenId, Token>>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { by_digest: (0..SHARDS).map(|_| RwLock::default()).collect(), by_id: RwLock::default() }
    }

    fn shard(&self, digest: &Digest) -> &RwLock<HashMap<Digest, Token>> {
        &self.by_digest[usize::from(digest.as_bytes()[0]) % SHARDS]
    }

    pub(crate) fn find(&self, digest: &Digest) -> Option<Token> {
        self.shard(digest).read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    pub(crate) fn get(&self, id: &TokenId) -> Option<Token> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Shows a token, unless a later version of it is known already. Keeps what is known of its last use.
    pub(crate) fn put(&self, token: Token) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let token = match by_id.get(&token.id) {
            Some(known) if known.version() >= token.version() => return,
            Some(known) => known.replaced_by(token),
            None => token,
        };
        let mut shard = self.shard(&token.digest).write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(token.digest, token.clone());
        by_id.insert(token.id.clone(), token);
    }

    pub(crate) fn remove(&self, id: &TokenId) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = by_id.remove(id) {
            let mut shard = self.shard(&token.digest).write().unwrap_or_else(PoisonError::into_inner);
            shard.remove(&token.digest);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them, in no order. Takes their handles first, so that a long look at them holds up nothing.
    pub(crate) fn all(&self) -> Vec<Token> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
