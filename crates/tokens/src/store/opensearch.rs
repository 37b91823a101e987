//! Records in an index of the engine, for several proxies.

mod answers;
mod documents;
mod follow;

use std::error::Error;
use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use self::answers::{Bulk, Fetched, IndexAnswer, ItemResult};
use self::documents::Document;
use self::follow::Following;
use super::{Change, Contents, News, Store, StoreError, StoreKeys, Version};
use crate::{Kept, Record, TokenId};

/// How many documents one request reads or writes.
const BATCH: usize = 500;
/// Counts changes of form that an older proxy would misread.
const FORM: u64 = 1;
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Sends requests to the engine that has the index: to which node, under which identity, and with which limits, is its matter.
#[async_trait]
pub trait EngineClient: Debug + Send + Sync + 'static {
    /// Sends a request, whose URI is a path with its query, and reads the whole answer, of up to 32 MiB.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>>;
}

/// How an [`OpenSearchStore`] works.
#[derive(Clone, Debug)]
pub struct OpenSearchSettings {
    /// The index; usually [`OpenSearchStore::DEFAULT_INDEX`].
    pub index: Box<str>,
    /// What its documents are encrypted with.
    pub keys: StoreKeys,
    /// How long tokens are still accepted after revocations could last be learnt.
    pub max_stale: Duration,
}

/// An index of the engine that several proxies share.
///
/// A document is written with `refresh` and read with the sequence number after the last, so that what one proxy acknowledged the
/// others learn at their next look. A change names the version that it replaces, and fails if another proxy was faster.
///
/// All that is kept is encrypted and bound to its place. Whoever can read the index learns how many tokens there are; whoever can write it
/// can make none and change none, but can delete documents, revocations among them, and bring old ones back.
pub struct OpenSearchStore {
    engine: Box<dyn EngineClient>,
    settings: OpenSearchSettings,
    following: Following,
}

impl Debug for OpenSearchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSearchStore").field("index", &self.settings.index).finish_non_exhaustive()
    }
}

impl OpenSearchStore {
    /// The usual name of the index.
    pub const DEFAULT_INDEX: &str = ".oauth-tokens";

    /// Makes the index, or looks whether the one that is there can be used.
    ///
    /// # Errors
    /// [`StoreError::Open`] if its name cannot be, if it is not one that this made, or is of a newer proxy.
    pub async fn open(
        engine: Box<dyn EngineClient>,
        settings: OpenSearchSettings,
    ) -> Result<Self, StoreError> {
        let following = Following::new(settings.max_stale);
        let store = Self { engine, settings, following };
        let name = &store.settings.index;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if name.len() < 2 || !name.bytes().all(plain) || name.starts_with(['-', '_']) || &**name == ".." {
            return Err(
                store.refused("an index is named with small letters, digits, '.', '_' and '-'".into())
            );
        }
        store.prepare().await?;
        Ok(store)
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        let body = json!({
            // One shard, since the numbers by which changes are followed are counted in each.
            "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": true}},
            "mappings": {
                "dynamic": "strict",
                "_meta": {"form": FORM},
                "properties": {
                    "kind": {"type": "keyword"},
                    "key": {"type": "keyword", "index": false},
                    "sealed": {"type": "binary"},
                },
            },
        });
        let path = format!("/{}", self.settings.index);
        let (status, answer) = self.send(Method::PUT, &path, JSON, body.to_string().into_bytes()).await?;
        if status.is_success() {
            return Ok(());
        }
        let exists = answer.windows(33).any(|part| part == b"resource_already_exists_exception");
        if !exists {
            return Err(engine_said("make", status));
        }
        let (status, answer) = self.send(Method::GET, &path, JSON, Vec::new()).await?;
        if !status.is_success() {
            return Err(engine_said("look at", status));
        }
        let found: Value = parse(&answer, "look at")?;
        match IndexAnswer::of(&found, &self.settings.index) {
            IndexAnswer { form: Some(FORM), shards: Some(1) } => Ok(()),
            IndexAnswer { form: Some(form), .. } if form > FORM => {
                Err(self.refused(format!("it was made by a newer proxy (form {form}, known is {FORM})")))
            }
            _ => Err(self.refused(
                "it was not made by the proxy, or with more than one shard: remove it or name another".into(),
            )),
        }
    }

    fn refused(&self, problem: String) -> StoreError {
        StoreError::Open { path: format!("index {}", self.settings.index).into(), problem: problem.into() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), StoreError> {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, JSON);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| StoreError::Storage(error.into()))?;
        let answer = self.engine.send(request).await.map_err(StoreError::Storage)?;
        Ok((answer.status(), answer.into_body()))
    }

    /// Writes some changes; the version of each. Stops at nothing: what failed is told at the end.
    async fn write(&self, changes: &[Change]) -> Result<Vec<ItemResult>, StoreError> {
        let mut body = Vec::new();
        for change in changes {
            Document::write(change, &self.settings.keys, &mut body)?;
        }
        let path = format!("/{}/_bulk?refresh=true", self.settings.index);
        let (status, answer) = self.send(Method::POST, &path, NDJSON, body).await?;
        if !status.is_success() {
            return Err(engine_said("write to", status));
        }
        let mut results = parse::<Bulk>(&answer, "write to")?.into_results().into_iter();
        let told = changes.iter().map(|change| results.nth(documents::items(change) - 1));
        told.collect::<Option<_>>().ok_or(StoreError::Versions)
    }

    /// New records whose change failed as a whole, which nobody has been told of.
    async fn take_back(&self, changes: &[Change]) {
        let path = format!("/{}/_bulk", self.settings.index);
        let new = changes.iter().filter_map(|change| match change {
            Change::Put { record, expected: None } => Some(&record.id),
            _ => None,
        });
        let body: String =
            new.flat_map(|id| [json!({"delete": {"_id": id}}).to_string(), "\n".into()]).collect();
        if !body.is_empty() {
            // If this fails too, a record stays whose secret nobody has. It ends like any other.
            let _ = self.send(Method::POST, &path, NDJSON, body.into_bytes()).await;
        }
    }

    /// One document as it is now.
    async fn read_again(&self, id: &str) -> Result<Option<News>, StoreError> {
        let path = format!("/{}/_doc/{id}", self.settings.index);
        let (status, answer) = self.send(Method::GET, &path, JSON, Vec::new()).await?;
        // A missing index is 404 too, and says so in another form.
        if !status.is_success() && status != StatusCode::NOT_FOUND {
            return Err(engine_said("read", status));
        }
        match parse::<Fetched>(&answer, "read")?.document {
            Some(document) => document.open(&self.settings.keys).map(Some),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Store for OpenSearchStore {
    async fn load(&self) -> Result<Contents, StoreError> {
        let mut contents = Contents::default();
        for news in self.following.everything(self).await? {
            match news {
                News::Record(record, version) => contents.records.push((*record, version)),
                News::Revoked(revocation) => contents.revocations.push(*revocation),
                News::Kept(kept, version) => contents.kept.push((*kept, version)),
                News::Used(id, used) => contents.last_used.push((id, used)),
                News::Withdrawn(_) => {}
            }
        }
        self.following.learnt();
        Ok(contents)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Version>, StoreError> {
        let mut versions = Vec::new();
        for part in changes.chunks(BATCH) {
            let results = match self.write(part).await {
                Ok(results) => results,
                Err(error) => {
                    self.take_back(&changes).await;
                    return Err(error);
                }
            };
            for (change, result) in part.iter().zip(results) {
                match (change, result) {
                    (Change::Put { .. } | Change::Keep { .. }, ItemResult::Done(version)) => {
                        versions.push(version);
                    }
                    // What is to be forgotten may have been forgotten by another proxy.
                    (_, ItemResult::Done(_))
                    | (
                        Change::Remove { .. } | Change::Drop { .. } | Change::Forget(_),
                        ItemResult::Missing,
                    ) => {}
                    (Change::Put { record, .. }, ItemResult::Conflict | ItemResult::Missing) => {
                        self.take_back(&changes).await;
                        return Err(StoreError::Conflict(record.id.clone()));
                    }
                    (Change::Keep { kept, .. }, ItemResult::Conflict | ItemResult::Missing) => {
                        self.take_back(&changes).await;
                        return Err(StoreError::Overtaken(kept.key().into()));
                    }
                    (_, ItemResult::Failed(status)) => {
                        self.take_back(&changes).await;
                        return Err(engine_said("write to", status));
                    }
                    (_, ItemResult::Conflict | ItemResult::Missing) => {
                        self.take_back(&changes).await;
                        return Err(engine_said("write to", StatusCode::CONFLICT));
                    }
                }
            }
        }
        Ok(versions)
    }

    async fn news(&self) -> Result<Vec<News>, StoreError> {
        self.following.news(self).await
    }

    fn learnt(&self) {
        self.following.learnt();
    }

    async fn reread(&self, id: &TokenId) -> Result<Option<(Record, Version)>, StoreError> {
        match self.read_again(id.as_str()).await? {
            Some(News::Record(record, version)) => Ok(Some((*record, version))),
            _ => Ok(None),
        }
    }

    async fn reread_kept(&self, key: &str) -> Result<Option<(Kept, Version)>, StoreError> {
        match self.read_again(key).await? {
            Some(News::Kept(kept, version)) => Ok(Some((*kept, version))),
            _ => Ok(None),
        }
    }
    async fn upkeep(&self) -> Result<usize, StoreError> {
        let ids = self.following.older();
        if ids.is_empty() {
            return Ok(0);
        }
        let keys = &self.settings.keys;
        let mut body = Vec::new();
        for document in follow::with_ids(self, ids.iter().map(AsRef::as_ref)).await? {
            if document.is_of_older_key(keys) {
                document.seal_anew(keys, &mut body)?;
            }
        }
        if body.is_empty() {
            self.following.no_longer_older(&ids);
            return Ok(0);
        }
        let path = format!("/{}/_bulk?refresh=true", self.settings.index);
        let (status, answer) = self.send(Method::POST, &path, NDJSON, body).await?;
        if !status.is_success() {
            return Err(engine_said("write to", status));
        }
        let results = parse::<Bulk>(&answer, "write to")?.into_results();
        // Where another proxy was faster, what it wrote is found when it is learnt.
        self.following.no_longer_older(&ids);
        Ok(results.iter().filter(|result| matches!(result, ItemResult::Done(_))).count())
    }

    fn is_current(&self) -> bool {
        self.following.is_current()
    }
}

fn engine_said(doing: &'static str, status: StatusCode) -> StoreError {
    StoreError::Engine { doing, status: status.as_u16() }
}

fn parse<'a, T: serde::Deserialize<'a>>(answer: &'a [u8], doing: &'static str) -> Result<T, StoreError> {
    serde_json::from_slice(answer).map_err(|source| StoreError::Answer { doing, source })
}
