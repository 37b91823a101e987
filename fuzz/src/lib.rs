//! What the fuzz targets run. Each function takes any bytes and panics when a promise is broken.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

pub(crate) mod pieces;

use std::fmt::Write as _;

use rest::{BodyRefusal, classify, inquire};

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

/// A method, a target and the rest of a request line, separated by spaces.
pub fn request_line(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let ask = classify(method, path, query);
    let inquiry = inquire(method, path, query, None);
    match (ask, inquiry) {
        (Ok(ask), Ok(inquiry)) => {
            let within = inquiry.needs.iter().all(|need| ask.needs.contains(need));
            assert!(!ask.needs.is_empty() && within, "an inquiry needs what its ask does not");
            let plain = path.is_ascii() && !path.contains("//") && !path.contains(['\\', ';', '#']);
            assert!(plain, "a path with two readings passed");
        }
        (Err(refusal), Err(other)) if refusal == other => {}
        _ => panic!("classify and inquire do not agree"),
    }
}

/// The first byte chooses the operation, the second where the body is cut.
pub fn body(bytes: &[u8]) {
    let [operation, cut, body @ ..] = bytes else { return };
    let path = OPERATIONS[usize::from(*operation) % OPERATIONS.len()];
    let Ok(inquiry) = inquire("POST", path, None, Some("application/json")) else {
        panic!("{path} is not known");
    };
    // Refused or not: that is so in whatever pieces it comes.
    drop(pieces::read(&inquiry, body, usize::from(*cut)));
}

/// The first byte chooses the language.
pub fn query_text(bytes: &[u8]) {
    let [language, text @ ..] = bytes else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let path = if language % 2 == 0 { "/_plugins/_sql" } else { "/_plugins/_ppl" };
    let mut json = String::from("{\"query\":\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            character if character.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            character => json.push(character),
        }
    }
    json.push_str("\"}");
    let Ok(inquiry) = inquire("POST", path, None, Some("application/json")) else {
        panic!("{path} is not known");
    };
    match pieces::read(&inquiry, json.as_bytes(), json.len() / 2) {
        Ok(needs) => {
            // Without quotes, comments and functions, every FROM names a table.
            let lower = text.to_ascii_lowercase();
            let plain = !lower.contains(['\'', '"', '`', '(', '/']);
            let from = lower.split_ascii_whitespace().any(|word| word == "from");
            let unseen = path.ends_with("_sql") && plain && from && needs.is_empty();
            assert!(!unseen, "a table went unseen in {text:?}");
        }
        Err(BodyRefusal::Expression { .. } | BodyRefusal::Json { .. }) => {}
        Err(refusal) => panic!("{refusal}"),
    }
}
