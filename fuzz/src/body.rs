//! What reads bodies, over any bytes. Panics when a promise is broken.

use rest::inquire;

use super::pieces;

const OPERATIONS: [&str; 19] = [
    "/_bulk",
    "/logs/_bulk",
    "/_msearch",
    "/logs/_msearch/template",
    "/logs/_search",
    "/logs/_search/template",
    "/_mget",
    "/_reindex",
    "/_aliases",
    "/logs/_alias/x",
    "/logs/_clone/x",
    "/_rank_eval",
    "/_plugins/_sql",
    "/_plugins/_ppl",
    "/logs/_mapping",
    "/_template/t",
    "/_snapshot/r/s/_restore",
    "/_plugins/_ml/models/_register",
    "/_plugins/_ml/tools/_execute/SearchIndexTool",
];

/// The first byte chooses the operation, the second where the body is cut.
pub fn run(bytes: &[u8]) {
    let [operation, cut, body @ ..] = bytes else { return };
    let path = OPERATIONS[usize::from(*operation) % OPERATIONS.len()];
    let Ok(inquiry) = inquire("POST", path, None, Some("application/json")) else {
        panic!("{path} is not known");
    };
    // Refused or not: that is so in whatever pieces it comes.
    drop(pieces::read(&inquiry, body, usize::from(*cut)));
}
