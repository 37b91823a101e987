//! What finds claims, over any bytes. Panics when a promise is broken.

use claims::ClaimPath;
use serde_json::{Map, Value};

/// A path, a line feed, and claims.
pub fn run(bytes: &[u8]) {
    let at = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let Some(path) = std::str::from_utf8(&bytes[..at]).ok().and_then(|text| text.parse::<ClaimPath>().ok())
    else {
        return;
    };
    let shown = path.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&path), "{shown} means something else");
    let claims: Map<String, Value> =
        serde_json::from_slice(bytes.get(at + 1..).unwrap_or_default()).unwrap_or_default();
    let found = path.select(&claims);
    assert!(!found.iter().any(|value| value.is_array()), "an array was given as a whole");
    assert!(path.texts(&claims).len() <= found.len(), "a text out of nothing");
    if let Some(text) = path.first_string(|name| claims.get(name)) {
        assert!(!text.is_empty() && found.iter().any(|value| value.as_str() == Some(text)), "another text");
    }
}
