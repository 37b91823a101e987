//! What the engine answers, as far as it is needed.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::documents::Document;
use crate::Version;

/// What an index was made with.
#[derive(Debug, PartialEq)]
pub(super) struct IndexAnswer {
    pub(super) form: Option<u64>,
    pub(super) shards: Option<u64>,
}

impl IndexAnswer {
    /// Settings come as texts.
    pub(super) fn of(answer: &Value, index: &str) -> Self {
        let about = &answer[index];
        let shards = about["settings"]["index"]["number_of_shards"].as_str();
        Self {
            form: about["mappings"]["_meta"]["form"].as_u64(),
            shards: shards.and_then(|shards| shards.parse().ok()),
        }
    }
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ItemResult {
    Done(Version),
    /// Another version is there, or one where none should be.
    Conflict,
    /// There is no such document.
    Missing,
    Failed(StatusCode),
}

#[derive(Debug, Deserialize)]
pub(super) struct Bulk {
    items: Vec<std::collections::BTreeMap<String, Item>>,
}

#[derive(Debug, Deserialize)]
struct Item {
    status: u16,
    #[serde(rename = "_seq_no")]
    number: Option<u64>,
    #[serde(rename = "_primary_term")]
    term: Option<u64>,
}

impl Bulk {
    pub(super) fn into_results(self) -> Vec<ItemResult> {
        self.items.into_iter().filter_map(|item| item.into_values().next()).map(Item::into_result).collect()
    }
}

impl Item {
    fn into_result(self) -> ItemResult {
        let version = self.number.zip(self.term).map(|(number, term)| Version { term, number });
        match (self.status, version) {
            (200 | 201, Some(version)) => ItemResult::Done(version),
            (409, _) => ItemResult::Conflict,
            (404, _) => ItemResult::Missing,
            (status, _) => {
                ItemResult::Failed(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
            }
        }
    }
}

/// A document that was asked for by id. `found` is missing where the whole index is.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawFetched")]
pub(super) struct Fetched {
    pub(super) document: Option<Document>,
}

#[derive(Debug, Deserialize)]
struct RawFetched {
    found: bool,
    #[serde(flatten)]
    rest: Value,
}

impl TryFrom<RawFetched> for Fetched {
    type Error = serde_json::Error;

    fn try_from(raw: RawFetched) -> Result<Self, serde_json::Error> {
        let document = if raw.found { Some(serde_json::from_value(raw.rest)?) } else { None };
        Ok(Self { document })
    }
}

/// The answer to a search.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    hits: Hits,
}

#[derive(Debug, Deserialize)]
struct Shards {
    total: u64,
    successful: u64,
}

#[derive(Debug, Deserialize)]
struct Hits {
    hits: Vec<Document>,
}

impl Search {
    /// The documents; `None` if some could be missing.
    pub(super) fn into_documents(self) -> Option<Vec<Document>> {
        let whole = !self.timed_out && self.shards.total > 0 && self.shards.total == self.shards.successful;
        whole.then_some(self.hits.hits)
    }
}
