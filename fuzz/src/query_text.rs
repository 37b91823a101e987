//! What reads SQL and PPL, over any bytes. Panics when a promise is broken.

use std::fmt::Write as _;

use rest::{BodyRefusal, inquire};

use super::pieces;

/// The first byte chooses the language.
pub fn run(bytes: &[u8]) {
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
