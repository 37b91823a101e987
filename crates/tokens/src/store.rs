//! Where records are kept.

mod embedded;
mod opensearch;
mod seal;

use std::fmt::Debug;

use async_trait::async_trait;
use thiserror::Error;

pub use embedded::EmbeddedStore;
pub use opensearch::{EngineClient, OpenSearchSettings, OpenSearchStore};
pub use seal::{SealError, ShortSecret, StoreKey, StoreKeys};

use crate::{Kept, LastUsed, Record, Revocation, RevocationId, TokenId};

/// Keeps records durably. [`crate::Tokens`] holds everything in memory and asks a store only when something changes.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// All that is kept.
    async fn load(&self) -> Result<Contents, StoreError>;

    /// Makes changes durable before it returns; the new version for each [`Change::Put`] and [`Change::Keep`], in order.
    ///
    /// A store in one place makes all or none of them. One that cannot do that makes each by itself whole, in order, and takes new
    /// records back if it reports an error; what else it has made then is learnt from [`Self::news`].
    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Version>, StoreError>;

    /// What was changed since the last call, or since [`Self::load`], by whomever. May tell a change more than once. Nothing, where no
    /// other process can change anything.
    async fn news(&self) -> Result<Vec<News>, StoreError> {
        Ok(Vec::new())
    }

    /// What [`Self::news`] told has been taken in.
    fn learnt(&self) {}

    /// One record as it is now; `None` if there is none.
    async fn reread(&self, id: &TokenId) -> Result<Option<(Record, Version)>, StoreError>;

    /// The same for what is kept beside tokens.
    async fn reread_kept(&self, key: &str) -> Result<Option<(Kept, Version)>, StoreError>;

    /// Does what is due now and then and changes nothing that is kept: how many entries it wrote anew. A part of it, if it is much.
    async fn upkeep(&self) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Whether what other processes changed is known here, as far as that must be known to accept tokens. Always, where no other
    /// process can change anything.
    fn is_current(&self) -> bool {
        true
    }
}

/// Which of the successive contents of a record this is: a later one is greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// Grows when another copy of the store takes over, which may number differently.
    pub(crate) term: u64,
    pub(crate) number: u64,
}

/// All that a store keeps.
#[derive(Debug, Default)]
pub struct Contents {
    /// The records with their versions.
    pub records: Vec<(Record, Version)>,
    /// The revocations of provider tokens.
    pub revocations: Vec<Revocation>,
    /// What is kept beside tokens.
    pub kept: Vec<(Kept, Version)>,
    /// Last uses, of records that exist and perhaps of others.
    pub last_used: Vec<(TokenId, LastUsed)>,
}

/// A change that a store tells of.
#[derive(Clone, Debug)]
pub enum News {
    /// A record is new or different.
    Record(Box<Record>, Version),
    /// Provider tokens are revoked.
    Revoked(Box<Revocation>),
    /// That is taken back.
    Withdrawn(RevocationId),
    /// Something beside tokens is new or different.
    Kept(Box<Kept>, Version),
    /// A token was used.
    Used(TokenId, LastUsed),
}

/// A change to what is kept.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a record.
    Put {
        /// The record.
        record: Box<Record>,
        /// The version that it replaces; `None`: it is new.
        expected: Option<Version>,
    },
    /// Forgets a record, and its last use.
    Remove {
        /// Which.
        id: TokenId,
        /// Its version.
        expected: Version,
    },
    /// Writes something beside tokens.
    Keep {
        /// That.
        kept: Box<Kept>,
        /// The version that it replaces; `None`: it is new.
        expected: Option<Version>,
    },
    /// Forgets something beside tokens.
    Drop {
        /// Which.
        key: Box<str>,
        /// Its version.
        expected: Version,
    },
    /// Writes a revocation.
    Revoke(Box<Revocation>),
    /// Takes a revocation back, so that everybody learns of it.
    Withdraw(RevocationId),
    /// Forgets a revocation that everybody forgets by themselves, since its time is over.
    Forget(RevocationId),
    /// Notes a last use.
    Used(TokenId, LastUsed),
}

/// A store failed. Nothing was changed, unless it says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process wrote the record meanwhile.
    #[error("the record of {0} was changed by another process meanwhile: look at it again")]
    Conflict(TokenId),
    /// Another process wrote something beside tokens meanwhile.
    #[error("{0} was changed by another process meanwhile: look at it again")]
    Overtaken(Box<str>),
    /// Not to be opened.
    #[error("the token store {path} cannot be opened: {problem}")]
    Open {
        /// The file.
        path: Box<str>,
        /// Why, and what to do.
        problem: Box<str>,
    },
    /// What it holds is not understood.
    #[error("the token store holds an entry that cannot be read ({entry}): restore it from a backup")]
    Unreadable {
        /// Which.
        entry: Box<str>,
        /// Why.
        source: serde_json::Error,
    },
    /// What it holds cannot be decrypted.
    #[error("an entry of the token store cannot be used ({entry}): {source}")]
    Sealed {
        /// Which.
        entry: Box<str>,
        /// Why.
        source: SealError,
    },
    /// The engine refuses.
    #[error(
        "the engine answered {status} when the proxy wanted to {doing} the token index: see its log, and what its user may do there"
    )]
    Engine {
        /// What was tried.
        doing: &'static str,
        /// Its answer.
        status: u16,
    },
    /// The engine's answer is not what it should be.
    #[error("the engine's answer is not understood when the proxy wanted to {doing} the token index")]
    Answer {
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A part of the index did not answer.
    #[error("the engine read only a part of the token index: see its health")]
    Incomplete,
    /// The store did not tell the version of each record that it wrote.
    #[error("the token store did not say what it wrote: look at the token again")]
    Versions,
    /// Reading or writing.
    #[error(
        "the token store cannot be read or written, see its disk; restart the proxy once that is repaired"
    )]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}
