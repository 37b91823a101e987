//! An engine with the one index in which tokens are kept.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokens::{EngineClient, OpenSearchSettings, StoreKey, StoreKeys};

/// How a store in this index works.
pub(crate) fn settings() -> Option<OpenSearchSettings> {
    let key = StoreKey::derive(b"a secret of no worth, for fuzzing only").ok()?;
    Some(OpenSearchSettings {
        index: "tokens".into(),
        keys: StoreKeys::new(key, Vec::new()),
        max_stale: Duration::from_secs(60),
    })
}

/// The documents by their names: number and contents.
type Documents = BTreeMap<String, (u64, Value)>;

/// Keeps what it is sent, and gives it back.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineIndex(Arc<Mutex<(u64, Documents)>>);

impl EngineIndex {
    fn write(&self, body: &[u8]) -> Value {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, documents) = &mut *state;
        let mut lines =
            body.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let mut items = Vec::new();
        while let Some(action) = lines.next() {
            let action: Value = action;
            *number += 1;
            let Some((kind, about)) = action.as_object().and_then(|members| members.iter().next()) else {
                break;
            };
            let id = about["_id"].as_str().unwrap_or_default().to_owned();
            let status = match kind.as_str() {
                "delete" => {
                    if documents.remove(&id).is_some() {
                        200
                    } else {
                        404
                    }
                }
                "create" if documents.contains_key(&id) => {
                    lines.next();
                    409
                }
                _ => {
                    documents.insert(id, (*number, lines.next().unwrap_or_default()));
                    201
                }
            };
            items.push(json!({kind: {"status": status, "_seq_no": *number, "_primary_term": 1}}));
        }
        json!({ "items": items })
    }

    fn search(&self, body: &[u8]) -> Value {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let filter = &asked["query"]["bool"]["filter"];
        let kinds = filter[0]["terms"]["kind"].as_array();
        let after = filter[1]["range"]["_seq_no"]["gt"].as_u64();
        let ids = asked["query"]["ids"]["values"].as_array();
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = state
            .1
            .iter()
            .filter(|(id, (number, source))| {
                kinds.is_none_or(|kinds| kinds.contains(&source["kind"]))
                    && after.is_none_or(|after| *number > after)
                    && ids.is_none_or(|ids| ids.contains(&json!(id)))
            })
            .collect();
        found.sort_by_key(|(_, (number, _))| *number);
        let hits = found.into_iter().map(|(id, (number, source))| {
            json!({"_id": id, "_seq_no": number, "_primary_term": 1, "_source": source})
        });
        json!({
            "timed_out": false,
            "_shards": {"total": 1, "successful": 1},
            "hits": {"hits": hits.collect::<Vec<_>>()},
        })
    }
}

#[async_trait]
impl EngineClient for EngineIndex {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let path = request.uri().path();
        let answer = if path.ends_with("/_bulk") {
            self.write(request.body())
        } else if path.ends_with("/_search") {
            self.search(request.body())
        } else {
            json!({})
        };
        Ok(Response::builder().status(StatusCode::OK).body(answer.to_string().into())?)
    }
}
