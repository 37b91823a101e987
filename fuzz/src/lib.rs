//! What the fuzz targets run. Each function takes any bytes and panics when a promise is broken.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

use std::fmt::Write as _;

use rest::{BodyLimits, BodyRefusal, Inquiry, Need, classify, inquire};

const OPERATIONS: [&str; 18] = [
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
    let whole = read(&inquiry, &[body]);
    let cut = usize::from(*cut) % (body.len() + 1);
    let (first, second) = body.split_at(cut);
    let single: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(whole, read(&inquiry, &[first, second]), "the pieces of a body matter");
    assert_eq!(whole, read(&inquiry, &single), "the pieces of a body matter");
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
    match read(&inquiry, &[json.as_bytes()]) {
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

fn read(inquiry: &Inquiry, pieces: &[&[u8]]) -> Result<Vec<Need>, BodyRefusal> {
    let mut needs = Vec::new();
    if let Some(plan) = &inquiry.body {
        let mut reader = plan.reader(BodyLimits { text: 256, line: 256, keys: 16, depth: 20 });
        for piece in pieces {
            reader.feed(piece, &mut needs)?;
        }
        reader.finish(&mut needs)?;
    }
    Ok(needs)
}
