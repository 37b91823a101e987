//! Documents of the index.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::store::seal::{Place, Sealed};
use crate::store::{Change, News, StoreError, StoreKeys};
use crate::{Record, RevocationId, TokenId, Version};

/// Kinds of documents. What can decide over a request is followed closely, last uses now and then.
pub(super) const DECISIVE: [&str; 4] = [RECORD, REVOCATION, WITHDRAWN, KEPT];
pub(super) const LAST_USED: &str = "last_used";
const RECORD: &str = "record";
/// What is kept beside tokens.
const KEPT: &str = "kept";
const REVOCATION: &str = "revocation";
/// A revocation that was taken back. A document that was only deleted would tell nobody.
const WITHDRAWN: &str = "withdrawn";
/// Before the id of a token, for the document of its last use.
const USE: &str = "use_";

/// A document as the engine gives it back.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "_id")]
    id: Box<str>,
    #[serde(rename = "_seq_no")]
    pub(super) number: u64,
    #[serde(rename = "_primary_term")]
    pub(super) term: u64,
    #[serde(rename = "_source")]
    source: Option<Source>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Source {
    kind: Box<str>,
    key: Box<str>,
    sealed: String,
}

/// How many items of a bulk request a change is.
pub(super) fn items(change: &Change) -> usize {
    if matches!(change, Change::Remove { .. }) { 2 } else { 1 }
}

impl Document {
    /// Appends the lines of a bulk request that make this change. The item that tells of its success is the last of them.
    pub(super) fn write(change: &Change, keys: &StoreKeys, body: &mut Vec<u8>) -> Result<(), StoreError> {
        let (action, document) = match change {
            Change::Put { record, expected } => {
                let id = record.id.as_str();
                (put(id, *expected), Some((RECORD, id.to_owned(), contents(id, record)?)))
            }
            Change::Keep { kept, expected } => {
                let id = kept.key();
                (put(id, *expected), Some((KEPT, id.to_owned(), contents(id, kept)?)))
            }
            Change::Drop { key, .. } => (json!({"delete": {"_id": key}}), None),
            Change::Remove { id, .. } => {
                let last_use = format!("{USE}{id}");
                line(body, &json!({"delete": {"_id": last_use}}))?;
                (json!({"delete": {"_id": id}}), None)
            }
            Change::Revoke(revocation) => {
                let id = revocation.id.as_str();
                let contents = contents(id, revocation)?;
                (json!({"create": {"_id": id}}), Some((REVOCATION, id.to_owned(), contents)))
            }
            Change::Withdraw(id) => {
                let id = id.as_str();
                (json!({"index": {"_id": id}}), Some((WITHDRAWN, id.to_owned(), contents(id, &())?)))
            }
            Change::Forget(id) => (json!({"delete": {"_id": id}}), None),
            Change::Used(id, used) => {
                let place = format!("{USE}{id}");
                let contents = contents(&place, used)?;
                (json!({"index": {"_id": place}}), Some((LAST_USED, place, contents)))
            }
        };
        line(body, &action)?;
        if let Some((kind, id, contents)) = document {
            let sealed = keys.seal(&Place { kind, id: &id }, contents);
            let Sealed { key, text } =
                sealed.map_err(|source| StoreError::Sealed { entry: id.into(), source })?;
            line(body, &Source { kind: kind.into(), key, sealed: text })?;
        }
        Ok(())
    }

    /// Whether it is encrypted with another key than new ones are.
    pub(super) fn is_of_older_key(&self, keys: &StoreKeys) -> bool {
        self.source.as_ref().is_some_and(|source| !keys.is_current(&source.key))
    }

    /// Appends the lines of a bulk request that encrypt it anew, if nobody writes it meanwhile.
    pub(super) fn seal_anew(self, keys: &StoreKeys, body: &mut Vec<u8>) -> Result<(), StoreError> {
        let Self { id, number, term, source } = self;
        let Source { kind, key, sealed } = source.ok_or_else(|| unreadable(&id, "no contents"))?;
        let place = Place { kind: &kind, id: &id };
        let plain = keys.open(&place, &Sealed { key, text: sealed });
        let sealed = plain.and_then(|plain| keys.seal(&place, plain));
        let Sealed { key, text } =
            sealed.map_err(|source| StoreError::Sealed { entry: id.clone(), source })?;
        line(body, &json!({"index": {"_id": id, "if_seq_no": number, "if_primary_term": term}}))?;
        line(body, &Source { kind, key, sealed: text })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn version(&self) -> Version {
        Version { term: self.term, number: self.number }
    }

    /// What it says.
    pub(super) fn open(self, keys: &StoreKeys) -> Result<News, StoreError> {
        let version = self.version();
        let Self { id, source, .. } = self;
        let Source { kind, key, sealed } = source.ok_or_else(|| unreadable(&id, "no contents"))?;
        let place = Place { kind: &kind, id: &id };
        let plain = keys
            .open(&place, &Sealed { key, text: sealed })
            .map_err(|source| StoreError::Sealed { entry: id.clone(), source })?;
        match &*kind {
            RECORD => Ok(News::Record(Box::new(read::<Record>(&id, &plain)?), version)),
            KEPT => Ok(News::Kept(Box::new(read(&id, &plain)?), version)),
            REVOCATION => Ok(News::Revoked(Box::new(read(&id, &plain)?))),
            WITHDRAWN => Ok(News::Withdrawn(parsed::<RevocationId>(&id, &id)?)),
            LAST_USED => {
                let token = parsed::<TokenId>(&id, id.strip_prefix(USE).unwrap_or_default())?;
                Ok(News::Used(token, read(&id, &plain)?))
            }
            _ => Err(unreadable(&id, "unknown kind")),
        }
    }
}

/// Writes a document in the place of this version, or a new one.
fn put(id: &str, expected: Option<Version>) -> Value {
    match expected {
        None => json!({"create": {"_id": id}}),
        Some(Version { term, number }) => {
            json!({"index": {"_id": id, "if_seq_no": number, "if_primary_term": term}})
        }
    }
}

fn line(body: &mut Vec<u8>, value: &impl Serialize) -> Result<(), StoreError> {
    body.append(&mut contents("a bulk request", value)?);
    body.push(b'\n');
    Ok(())
}

fn contents(id: &str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|source| StoreError::Unreadable { entry: id.into(), source })
}

fn read<T: DeserializeOwned>(id: &str, plain: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(plain).map_err(|source| StoreError::Unreadable { entry: id.into(), source })
}

fn parsed<T: FromStr>(id: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unreadable(id, "not an id"))
}

fn unreadable(id: &str, problem: &str) -> StoreError {
    let source = serde::de::Error::custom(problem);
    StoreError::Unreadable { entry: id.into(), source }
}
