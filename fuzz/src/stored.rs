//! What reads the documents of the token store, over any bytes. Panics when a promise is broken.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokens::{
    Change, Filter, Kept, LastUsed, OpenSearchStore, Record, Revocation, Settings, Sort, Store, TokenId,
    Tokens,
};

use super::{
    engine_index::{EngineIndex, settings},
    runtime::block_on,
};

const NOW: i64 = 1_800_000_000;

/// Documents as they are kept in the file, each on a line; in the index they are the same, encrypted.
pub fn run(bytes: &[u8]) {
    let documents: Vec<Change> = bytes.split(|&byte| byte == b'\n').take(16).filter_map(read).collect();
    if !documents.is_empty() {
        block_on(keep(documents));
    }
}

fn read(line: &[u8]) -> Option<Change> {
    let put = |record: Record| Change::Put { record: Box::new(record), expected: None };
    let keep = |kept: Kept| Change::Keep { kept: Box::new(kept), expected: None };
    let revoke = |revocation: Revocation| Change::Revoke(Box::new(revocation));
    let used = |(id, used): (TokenId, LastUsed)| Change::Used(id, used);
    let record = document(line).map(put);
    record
        .or_else(|| document(line).map(keep))
        .or_else(|| document(line).map(revoke))
        .or_else(|| document(line).map(used))
}

fn document<T: DeserializeOwned + Serialize>(line: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(line).ok()?;
    let (Ok(written), Ok(value)) = (serde_json::to_vec(&read), serde_json::to_value(&read)) else {
        panic!("what was read cannot be written");
    };
    let Ok(again) = serde_json::from_slice::<T>(&written) else { panic!("what was written cannot be read") };
    assert_eq!(
        serde_json::to_value(&again).ok(),
        Some(value),
        "a document means something else when it is written"
    );
    Some(read)
}

/// What was kept is there when a proxy starts, and does not keep it from working.
async fn keep(documents: Vec<Change>) {
    let index = EngineIndex::default();
    let open = async || {
        let settings = settings()?;
        OpenSearchStore::open(Box::new(index.clone()), settings).await.ok()
    };
    let (Some(store), Ok(now)) = (open().await, Timestamp::from_second(NOW)) else { panic!("no store") };
    let mut written = Vec::new();
    for document in documents {
        // A name is given once.
        if store.commit(vec![document.clone()]).await.is_err() {
            return;
        }
        written.push(document);
    }
    let Some(store) = open().await else { panic!("no store") };
    let tokens = match Tokens::open(Arc::new(store), Settings::default()).await {
        Ok(tokens) => tokens,
        Err(error) => panic!("what was written cannot be read: {error}"),
    };
    for change in &written {
        match change {
            Change::Put { record, .. } => {
                assert_eq!(tokens.get(&record.id).as_deref(), Some(&**record), "another record");
            }
            Change::Revoke(revocation) => {
                assert!(
                    tokens.revocations().iter().any(|known| known.id == revocation.id),
                    "a revocation is lost"
                );
            }
            _ => {}
        }
    }
    let page = tokens.list(&Filter::default(), Sort::default(), 4, None, now);
    tokens.list(&Filter::default(), Sort::default(), 4, page.next.as_ref(), now);
    tokens.consents();
    tokens.current_policies("main");
    assert!(tokens.maintain(now).await.is_ok(), "what is kept cannot be maintained");
}
