//! An index as the engine keeps it: numbers, conflicts, searches. In memory.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tokens::EngineClient;

/// Several clients of one engine share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Engine(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    index: Option<Value>,
    documents: BTreeMap<String, (u64, Value)>,
    number: u64,
    unreachable: bool,
    partial: bool,
    hidden: BTreeSet<String>,
    requests: usize,
}

impl Engine {
    pub(crate) fn with_index(index: Value) -> Self {
        let engine = Self::default();
        engine.0.lock().unwrap().index = Some(index);
        engine
    }

    pub(crate) fn reachable(&self, reachable: bool) {
        self.0.lock().unwrap().unreachable = !reachable;
    }

    /// Whether a part of the index does not answer.
    pub(crate) fn partial(&self, partial: bool) {
        self.0.lock().unwrap().partial = partial;
    }

    /// Keeps a document from being found by searches, as one whose write is under way.
    pub(crate) fn hide(&self, id: &str) {
        self.0.lock().unwrap().hidden.insert(id.into());
    }

    pub(crate) fn show_all(&self) {
        self.0.lock().unwrap().hidden.clear();
    }

    pub(crate) fn source(&self, id: &str) -> Value {
        self.0.lock().unwrap().documents[id].1.clone()
    }

    /// Writes a document past the proxies.
    pub(crate) fn overwrite(&self, id: &str, source: Value) {
        let mut state = self.0.lock().unwrap();
        let number = state.next();
        state.documents.insert(id.into(), (number, source));
    }

    /// The next number that a write gets; as if so many were made to other documents.
    pub(crate) fn skip_numbers(&self, count: u64) {
        self.0.lock().unwrap().number += count;
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().documents.len()
    }

    pub(crate) fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap().documents)
    }
}

#[async_trait]
impl EngineClient for Engine {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let mut state = self.0.lock().unwrap();
        state.requests += 1;
        if state.unreachable {
            return Err("nobody answers".into());
        }
        let (status, answer) = state.answer(request.method(), request.uri().path(), request.body());
        Ok(Response::builder().status(status).body(answer.to_string().into()).unwrap())
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), &*parts) {
            ("PUT", [name]) if self.index.is_none() => {
                let made: Value = serde_json::from_slice(body).unwrap();
                let mut made = json!({ *name: made });
                // The engine gives settings back as texts.
                made[*name]["settings"]["index"]["number_of_shards"] = json!("1");
                self.index = Some(made);
                (200, json!({"acknowledged": true}))
            }
            ("PUT", [_]) => (400, json!({"error": {"type": "resource_already_exists_exception"}})),
            ("GET", [_]) => (200, self.index.clone().unwrap()),
            ("GET", [_, "_doc", id]) => match self.documents.get(*id) {
                Some((number, source)) => (
                    200,
                    json!({"_id": id, "found": true, "_seq_no": number, "_primary_term": 1, "_source": source}),
                ),
                None => (404, json!({"_id": id, "found": false})),
            },
            ("POST", [_, "_bulk"]) => (200, self.bulk(body)),
            ("POST", [_, "_search"]) => (200, self.search(&serde_json::from_slice(body).unwrap())),
            other => panic!("{other:?} is no request of the store"),
        }
    }

    fn bulk(&mut self, body: &[u8]) -> Value {
        let mut items = Vec::new();
        let mut lines = std::str::from_utf8(body).unwrap().lines();
        while let Some(line) = lines.next() {
            let action: Value = serde_json::from_str(line).unwrap();
            let (name, about) = action.as_object().unwrap().iter().next().unwrap();
            let id = about["_id"].as_str().unwrap().to_owned();
            let source =
                (name != "delete").then(|| serde_json::from_str::<Value>(lines.next().unwrap()).unwrap());
            let found = self.documents.get(&id).map(|(number, _)| *number);
            let expected = about.get("if_seq_no").map(Value::as_u64);
            let conflict = (name == "create" && found.is_some())
                || expected.is_some_and(|expected| expected != found || about["if_primary_term"] != 1);
            let item = if conflict {
                json!({"status": 409, "error": {"type": "version_conflict_engine_exception"}})
            } else {
                let number = self.next();
                let status = match (source, found) {
                    (Some(source), found) => {
                        self.documents.insert(id, (number, source));
                        if found.is_some() { 200 } else { 201 }
                    }
                    (None, Some(_)) => {
                        self.documents.remove(&id);
                        200
                    }
                    (None, None) => 404,
                };
                json!({"status": status, "_seq_no": number, "_primary_term": 1})
            };
            items.push(json!({ name: item }));
        }
        json!({"took": 1, "items": items})
    }

    fn search(&self, body: &Value) -> Value {
        let query = &body["query"];
        let ids = query["ids"]["values"].as_array();
        let filters = query["bool"]["filter"].as_array();
        let wanted = |id: &str, number: u64, source: &Value| {
            let named = ids.is_none_or(|ids| ids.iter().any(|known| known == id));
            let filtered = filters.is_none_or(|filters| {
                filters.iter().all(|filter| match filter["range"]["_seq_no"]["gt"].as_u64() {
                    Some(after) => number > after,
                    None => filter["terms"]["kind"].as_array().unwrap().contains(&source["kind"]),
                })
            });
            named && filtered && !self.hidden.contains(id)
        };
        let mut found: Vec<_> =
            self.documents.iter().filter(|(id, (number, source))| wanted(id, *number, source)).collect();
        found.sort_by_key(|(_, (number, _))| *number);
        found.truncate(usize::try_from(body["size"].as_u64().unwrap()).unwrap());
        let hits = found.into_iter().map(|(id, (number, source))| {
            let mut hit = json!({"_id": id, "_seq_no": number, "_primary_term": 1});
            if body["_source"] == true {
                hit["_source"] = source.clone();
            }
            hit
        });
        let successful = u8::from(!self.partial);
        json!({
            "timed_out": false,
            "_shards": {"total": 1, "successful": successful, "failed": 1 - successful},
            "hits": {"hits": hits.collect::<Vec<_>>()},
        })
    }
}
