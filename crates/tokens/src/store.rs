//! Where records are kept.

mod embedded;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;

pub use embedded::EmbeddedStore;

use crate::{LastUsed, Record, Revocation, RevocationId, TokenId};

/// Keeps records durably. [`crate::Tokens`] holds everything in memory and asks a store only when something changes.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// All that is kept.
    async fn load(&self) -> Result<Contents, StoreError>;

    /// Makes changes durable before it returns, all or none of them; the new version for each [`Change::Put`], in order.
    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Version>, StoreError>;

    /// Whether what other processes changed is known here, as far as that must be known to accept tokens. Always, where no other
    /// process can change anything.
    fn is_current(&self, now: Timestamp) -> bool {
        let _ = now;
        true
    }
}

/// Which of the successive contents of a record this is. Only equality means something.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Version(pub(crate) u64, pub(crate) u64);

/// All that a store keeps.
#[derive(Debug, Default)]
pub struct Contents {
    /// The records with their versions.
    pub records: Vec<(Record, Version)>,
    /// The revocations of provider tokens.
    pub revocations: Vec<Revocation>,
    /// Last uses, of records that exist and perhaps of others.
    pub last_used: Vec<(TokenId, LastUsed)>,
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
    /// Writes a revocation.
    Revoke(Box<Revocation>),
    /// Forgets a revocation.
    Withdraw(RevocationId),
    /// Notes a last use.
    Used(TokenId, LastUsed),
}

/// A store failed. Nothing was changed, unless it says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process wrote the record meanwhile.
    #[error("the record of {0} was changed by another process meanwhile: look at it again")]
    Conflict(TokenId),
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
    /// The store did not tell the version of each record that it wrote.
    #[error("the token store did not say what it wrote: look at the token again")]
    Versions,
    /// Reading or writing.
    #[error(
        "the token store cannot be read or written, see its disk; restart the proxy once that is repaired"
    )]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}
