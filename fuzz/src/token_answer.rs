//! What reads the answers of token endpoints, over any bytes. Panics when a promise is broken.

use http::StatusCode;
use oidc::any_bytes;
use serde_json::Value;

const LONGEST: usize = 256;
/// Shorter ones could stand in any message.
const TELLING: usize = 12;

/// The first byte chooses the status of the answer, the rest is its body.
pub fn run(bytes: &[u8]) {
    let [status, body @ ..] = bytes else { return };
    let status = [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED][usize::from(status % 3)];
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let given = answer["access_token"].as_str().unwrap_or_default();
    match any_bytes::token_answer(status, body, LONGEST) {
        Ok(token) => {
            assert_eq!(status, StatusCode::OK, "a refusal was taken for a token");
            let kind = answer["token_type"].as_str().unwrap_or_default();
            assert!(kind.eq_ignore_ascii_case("bearer"), "a {kind} token was taken");
            assert!(token.expose() == given && given.len() <= LONGEST, "another token was read");
            assert!(!format!("{token:?}").contains(given), "a token is shown");
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(given.len() < TELLING || !shown.contains(given), "a token is shown");
        }
    }
}
