//! What the nodes of a [`StandInTokenEngine`](super::StandInTokenEngine) keep, together and each for itself.

use std::{
    collections::{BTreeMap, HashMap},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

/// The index of tokens, which all nodes share, and the settings.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) documents: BTreeMap<String, Document>,
    pub(super) enabled: bool,
    pub(super) max_tokens: usize,
    pub(super) max_duration: i64,
    pub(super) made: usize,
}

/// A token as the index has it.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) name: String,
    pub(super) token: String,
    pub(super) permissions: Permissions,
    pub(super) iat: i64,
    pub(super) expires_at: i64,
    pub(super) revoked_at: Option<i64>,
    pub(super) created_by: String,
}

/// What a name may do.
#[derive(Clone, Debug, Default)]
pub(super) struct Permissions {
    pub(super) cluster: Vec<String>,
    /// Patterns with actions.
    pub(super) index: Vec<(Vec<String>, Vec<String>)>,
}

/// What one node has loaded.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Token to name.
    pub(super) tokens: HashMap<String, (String, i64)>,
    pub(super) privileges: HashMap<String, Permissions>,
    /// The privileges are loaded after the next request with a token.
    pub(super) loading: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self { documents: BTreeMap::new(), enabled: true, max_tokens: 100, max_duration: 7_776_000, made: 0 }
    }
}

impl Index {
    /// As GET tells it: never with the token.
    pub(super) fn list(&self) -> Value {
        let entry = |(id, document): (&String, &Document)| {
            let index: Vec<Value> = document
                .permissions
                .index
                .iter()
                .map(|(patterns, actions)| json!({ "index_pattern": patterns, "allowed_actions": actions }))
                .collect();
            let mut entry = json!({
                "id": id,
                "name": document.name,
                "iat": document.iat,
                "expires_at": document.expires_at,
                "cluster_permissions": document.permissions.cluster,
                "index_permissions": index,
                "created_by": document.created_by,
            });
            if let Some(revoked_at) = document.revoked_at {
                entry["revoked_at"] = json!(revoked_at);
            }
            entry
        };
        self.documents.iter().map(entry).collect()
    }
}

impl Memory {
    pub(super) fn load_tokens(&mut self, index: &Index) {
        let live = index.documents.values().filter(|document| document.revoked_at.is_none());
        self.tokens = live
            .map(|document| (document.token.clone(), (document.name.clone(), document.expires_at)))
            .collect();
    }

    /// By name: of two tokens with one name, one's permissions are both's.
    pub(super) fn load_privileges(&mut self, index: &Index) {
        let live = index.documents.values().filter(|document| document.revoked_at.is_none());
        self.privileges =
            live.map(|document| (document.name.clone(), document.permissions.clone())).collect();
        self.loading = false;
    }

    pub(super) fn load(&mut self, index: &Index) {
        self.load_tokens(index);
        self.load_privileges(index);
    }
}

impl Permissions {
    pub(super) fn on_cluster(&self, action: &str) -> bool {
        self.cluster.iter().any(|pattern| matches(pattern, action))
    }

    pub(super) fn on_index(&self, index: &str, action: &str) -> bool {
        self.index.iter().any(|(patterns, actions)| {
            patterns.iter().any(|pattern| matches(pattern, index))
                && actions.iter().any(|pattern| matches(pattern, action))
        })
    }
}

/// `*` for any characters; case counts.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }),
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("a time that fits")
}
