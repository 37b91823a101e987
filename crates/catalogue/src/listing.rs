//! Reading the engine's listing.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::{Catalogue, Entry};

/// Why a text is not a listing.
#[derive(Debug, Error)]
#[error("the answer of /_resolve/index is not as expected: {0}; is this OpenSearch 2 or later?")]
pub struct ListingError(#[from] serde_json::Error);

/// The parts of the answer that matter; later engines may add more.
#[derive(Deserialize)]
struct Listing {
    indices: Vec<Index>,
    aliases: Vec<Alias>,
    data_streams: Vec<DataStream>,
}

#[derive(Deserialize)]
struct Index {
    name: Box<str>,
    #[serde(default)]
    attributes: Vec<Box<str>>,
    data_stream: Option<Box<str>>,
}

#[derive(Deserialize)]
struct Alias {
    name: Box<str>,
    indices: Box<[Box<str>]>,
}

#[derive(Deserialize)]
struct DataStream {
    name: Box<str>,
    backing_indices: Box<[Box<str>]>,
}

impl Catalogue {
    /// Reads the answer to `GET /_resolve/index/*?expand_wildcards=all`, asked for with rights over everything: what the
    /// engine leaves out for lack of rights does not exist here.
    pub fn from_resolve_index(json: &[u8]) -> Result<Self, ListingError> {
        let Listing { indices, aliases, data_streams } = serde_json::from_slice(json)?;
        let mut names = BTreeMap::new();
        for Index { name, attributes, data_stream } in indices {
            let has = |attribute: &str| attributes.iter().any(|has| **has == *attribute);
            names.insert(name, Entry::Index { hidden: has("hidden"), closed: has("closed"), data_stream });
        }
        for Alias { name, indices } in aliases {
            names.insert(name, Entry::Alias { indices });
        }
        for DataStream { name, backing_indices } in data_streams {
            names.insert(name, Entry::DataStream { indices: backing_indices });
        }
        let is_alias = |entry: &Entry| matches!(entry, Entry::Alias { .. });
        let aliases =
            names.iter().filter(|(_, entry)| is_alias(entry)).map(|(name, _)| name.clone()).collect();
        Ok(Self { names, aliases })
    }
}
