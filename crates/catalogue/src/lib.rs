//! What names of indices, aliases and data streams stand for on one cluster. No I/O.
//!
//! Patterns can be compared as text, but two questions need to know what there is: which indices are behind an alias
//! or a data stream, and which names a wildcard reaches today. A [`Catalogue`] answers both as the engine does, from the
//! engine's own listing.
//!
//! ```
//! let listing = br#"{
//!   "indices": [
//!     {"name": "logs-1", "aliases": ["current"], "attributes": ["open"]},
//!     {"name": "logs-2", "attributes": ["hidden", "open"]},
//!     {"name": ".ds-clicks-000001", "attributes": ["hidden", "open"], "data_stream": "clicks"}
//!   ],
//!   "aliases": [{"name": "current", "indices": ["logs-1"]}],
//!   "data_streams": [{"name": "clicks", "backing_indices": [".ds-clicks-000001"], "timestamp_field": "@timestamp"}]
//! }"#;
//! let catalogue = catalogue::Catalogue::from_resolve_index(listing)?;
//! assert_eq!(catalogue.behind("current"), ["logs-1"]);
//! assert_eq!(catalogue.behind("clicks"), [".ds-clicks-000001"]);
//!
//! let visible = catalogue.resolve("*,-current", catalogue::Wildcards::default())?;
//! assert_eq!(visible.names, ["clicks", "logs-1"]);
//! let all = catalogue.resolve("logs-*", catalogue::Wildcards::ALL)?;
//! assert_eq!(all.names, ["logs-1", "logs-2"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it cannot know
//!
//! * It is as old as its listing. Whoever allows by it relies on the engine to judge the names once more.
//! * The listing does not say which aliases are hidden, so a wildcard reaches every alias here. Where that differs from
//!   the engine, this reaches more, never less.
//! * Names on remote clusters are theirs to resolve.

mod listing;
mod resolve;

use std::collections::BTreeMap;

use rest::Pattern;

pub use listing::ListingError;
pub use resolve::{Resolved, Wildcards};

/// One consistent view of a cluster's names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Catalogue {
    names: BTreeMap<Box<str>, Entry>,
    /// The names of aliases alone, in order: there are far fewer of them than of indices.
    aliases: Vec<Box<str>>,
}

/// What one name is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// An index, with documents of its own.
    Index {
        /// Wildcards reach it only on request, or when they and the name begin with a dot.
        hidden: bool,
        /// It cannot be searched, and wildcards reach it only on request.
        closed: bool,
        /// The data stream whose backing index it is.
        data_stream: Option<Box<str>>,
    },
    /// Another name for indices.
    Alias {
        /// Their names.
        indices: Box<[Box<str>]>,
    },
    /// A series of backing indices.
    DataStream {
        /// Their names, oldest first.
        indices: Box<[Box<str>]>,
    },
}

impl Catalogue {
    /// What `name` is; `None` if there is nothing of this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.names.get(name)
    }

    /// Every name with what it is, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.names.iter().map(|(name, entry)| (&**name, entry))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is nothing on the cluster.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The aliases whose names `pattern` matches, in order, with the indices behind each. Unlike an index expression of the
    /// engine's, a leading `*` matches names that begin with `.` here.
    pub fn aliases_in<'c>(&'c self, pattern: &'c Pattern) -> impl Iterator<Item = (&'c str, &'c [Box<str>])> {
        let text = pattern.as_str();
        let (prefix, _) = text.split_once('*').unwrap_or((text, ""));
        let first = self.aliases.partition_point(|name| &**name < prefix);
        self.aliases[first..]
            .iter()
            .map(|name| &**name)
            .take_while(move |name| name.starts_with(prefix))
            .filter(move |name| pattern.matches(name))
            .filter_map(|name| match self.names.get(name) {
                Some(Entry::Alias { indices }) => Some((name, &**indices)),
                _ => None,
            })
    }

    /// The indices that `name` stands for: itself, or what is behind an alias or a data stream. Empty if there is nothing
    /// of this name.
    pub fn behind<'c>(&'c self, name: &str) -> Vec<&'c str> {
        match self.names.get_key_value(name) {
            Some((name, Entry::Index { .. })) => vec![name],
            Some((_, Entry::Alias { indices } | Entry::DataStream { indices })) => {
                indices.iter().map(|index| &**index).collect()
            }
            None => Vec::new(),
        }
    }
}
