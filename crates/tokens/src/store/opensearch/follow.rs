//! Learning what other proxies wrote.
//!
//! Each write to the index's one shard has a number greater than those before, by which changes are asked for. A number is given
//! before its write can be found, so one may turn up after a greater one. So each look goes back over the numbers of the last
//! minute. It asks for the numbers alone, which cost little, and then for the documents of those that are new.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answers::Search;
use super::documents::{DECISIVE, Document, LAST_USED};
use super::{BATCH, JSON, OpenSearchStore, engine_said, parse};
use crate::{News, StoreError, Version};

/// How long a write can take from its number to where a search finds it, generously.
const LATE: Duration = Duration::from_secs(60);
/// How many writes can have a number and not be found yet when everything is read, generously.
const IN_FLIGHT: u64 = 5000;
/// How often last uses at other proxies are looked for.
const USES_EVERY: Duration = Duration::from_secs(60);
const NEVER: i64 = i64::MIN;

#[derive(Debug)]
pub(super) struct Following {
    state: Mutex<State>,
    max_stale: Duration,
    /// Times count from here, since the machine's clock may be set.
    begun: Instant,
    /// In milliseconds: what was acknowledged before has been learnt.
    current_at: AtomicI64,
    /// The same for what was read and has yet to be taken in.
    read_at: AtomicI64,
    /// Documents that were found encrypted with an older key.
    older: std::sync::Mutex<BTreeSet<Box<str>>>,
}

#[derive(Debug, Default)]
struct State {
    /// All writes up to this number are known; `None`: nothing is.
    settled: Option<u64>,
    /// Those after it that are known, too.
    known: HashSet<Version>,
    /// The greatest number at some earlier times.
    seen: VecDeque<(Instant, u64)>,
    uses: Option<u64>,
    uses_at: Option<Instant>,
}

impl Following {
    pub(super) fn new(max_stale: Duration) -> Self {
        let never = || AtomicI64::new(NEVER);
        Self {
            state: Mutex::default(),
            max_stale,
            begun: Instant::now(),
            current_at: never(),
            read_at: never(),
            older: std::sync::Mutex::default(),
        }
    }

    /// All that is in the index.
    pub(super) async fn everything(&self, store: &OpenSearchStore) -> Result<Vec<News>, StoreError> {
        let mut state = self.state.lock().await;
        let began = Instant::now();
        let documents = all_after(store, &DECISIVE, None, true).await?;
        let uses = all_after(store, &[LAST_USED], None, true).await?;
        let mut fresh = State { uses: greatest(&uses), uses_at: Some(began), ..State::default() };
        if let Some(newest) = greatest(&documents) {
            fresh.settled = newest.checked_sub(IN_FLIGHT);
            fresh.seen.push_back((began, newest));
        }
        fresh.known.extend(documents.iter().map(Document::version));
        fresh.settle(began);
        let news = self.opened(store, began, documents.into_iter().chain(uses))?;
        *state = fresh;
        Ok(news)
    }

    /// What is new.
    pub(super) async fn news(&self, store: &OpenSearchStore) -> Result<Vec<News>, StoreError> {
        let mut state = self.state.lock().await;
        let began = Instant::now();
        let listed = all_after(store, &DECISIVE, state.settled, false).await?;
        let newest = greatest(&listed);
        let new: Vec<Document> =
            listed.into_iter().filter(|document| !state.known.contains(&document.version())).collect();
        let mut documents = Vec::new();
        for part in new.chunks(BATCH) {
            documents.append(&mut with_ids(store, part.iter().map(Document::id)).await?);
        }
        let uses_due = state.uses_at.is_none_or(|at| began.duration_since(at) >= USES_EVERY);
        let uses =
            if uses_due { all_after(store, &[LAST_USED], state.uses, true).await? } else { Vec::new() };
        let newest_use = greatest(&uses);
        let versions: Vec<Version> = new.iter().chain(&documents).map(Document::version).collect();
        let news = self.opened(store, began, documents.into_iter().chain(uses))?;
        // From here on nothing fails, so what was not taken in is never counted as known.
        state.known.extend(versions);
        state.seen.extend(newest.map(|newest| (began, newest)));
        state.settle(began);
        if uses_due {
            state.uses_at = Some(began);
            state.uses = newest_use.max(state.uses);
        }
        Ok(news)
    }

    fn opened(
        &self,
        store: &OpenSearchStore,
        began: Instant,
        documents: impl Iterator<Item = Document>,
    ) -> Result<Vec<News>, StoreError> {
        let keys = &store.settings.keys;
        let documents: Vec<Document> = documents.collect();
        let older = documents.iter().filter(|document| document.is_of_older_key(keys));
        self.older
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(older.map(|document| Box::from(document.id())));
        let news = documents.into_iter().map(|document| document.open(keys)).collect::<Result<_, _>>()?;
        self.read_at.store(self.time_of(began), Ordering::Release);
        Ok(news)
    }

    /// Some of the documents that were found encrypted with an older key.
    pub(super) fn older(&self) -> Vec<Box<str>> {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).iter().take(BATCH).cloned().collect()
    }

    /// These are not any more.
    pub(super) fn no_longer_older(&self, ids: &[Box<str>]) {
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.retain(|id| !ids.contains(id));
    }

    pub(super) fn learnt(&self) {
        self.current_at.fetch_max(self.read_at.load(Ordering::Acquire), Ordering::AcqRel);
    }

    pub(super) fn is_current(&self) -> bool {
        let at = self.current_at.load(Ordering::Acquire);
        at != NEVER && self.time_of(Instant::now()).saturating_sub(at) <= milliseconds(self.max_stale)
    }

    fn time_of(&self, moment: Instant) -> i64 {
        milliseconds(moment.saturating_duration_since(self.begun))
    }
}

impl State {
    fn settle(&mut self, now: Instant) {
        while let Some(&(at, number)) = self.seen.front()
            && now.duration_since(at) >= LATE
        {
            self.seen.pop_front();
            self.settled = Some(number).max(self.settled);
        }
        if let Some(settled) = self.settled {
            self.known.retain(|version| version.number > settled);
        }
    }
}

/// Documents of these kinds with greater numbers, in the order of those. Without their contents they are no more than numbers.
async fn all_after(
    store: &OpenSearchStore,
    kinds: &[&str],
    after: Option<u64>,
    contents: bool,
) -> Result<Vec<Document>, StoreError> {
    // Without contents a page can be as large as the engine makes one.
    let size = if contents { BATCH } else { 10_000 };
    let mut found: Vec<Document> = Vec::new();
    let mut after = after;
    loop {
        let mut filter = vec![json!({"terms": {"kind": kinds}})];
        if let Some(number) = after {
            filter.push(json!({"range": {"_seq_no": {"gt": number}}}));
        }
        let page = search(store, size, &json!({"bool": {"filter": filter}}), contents).await?;
        let more = page.len() == size;
        after = page.last().map(|document| document.number).or(after);
        found.extend(page);
        if !more {
            return Ok(found);
        }
    }
}

/// These documents as they are now. One that was deleted meanwhile is missing.
pub(super) async fn with_ids<'d>(
    store: &OpenSearchStore,
    ids: impl Iterator<Item = &'d str>,
) -> Result<Vec<Document>, StoreError> {
    let ids: Vec<&str> = ids.collect();
    search(store, ids.len(), &json!({"ids": {"values": ids}}), true).await
}

async fn search(
    store: &OpenSearchStore,
    size: usize,
    query: &Value,
    contents: bool,
) -> Result<Vec<Document>, StoreError> {
    // Copies may show a write later than the primary does.
    let path =
        format!("/{}/_search?preference=_primary&allow_partial_search_results=false", store.settings.index);
    let body = json!({
        "size": size,
        "_source": contents,
        "seq_no_primary_term": true,
        "track_total_hits": false,
        "query": query,
        "sort": [{"_seq_no": "asc"}],
    });
    let (status, answer) = store.send(Method::POST, &path, JSON, body.to_string().into_bytes()).await?;
    if !status.is_success() {
        return Err(engine_said("look for changes in", status));
    }
    let search: Search = parse(&answer, "look for changes in")?;
    search.into_documents().ok_or(StoreError::Incomplete)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn greatest(documents: &[Document]) -> Option<u64> {
    documents.iter().map(|document| document.number).max()
}
