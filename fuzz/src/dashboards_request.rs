//! What reads requests for OpenSearch Dashboards, over any bytes. Panics when a promise is broken.

use rest::{Need, Place, Resource};

use super::pieces;

/// The first byte says where the body is cut. Then come method, target and media type, separated by spaces, and after a line
/// feed the body.
pub fn run(bytes: &[u8]) {
    let [cut, request @ ..] = bytes else { return };
    let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let body = request.get(line.len() + 1..).unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return };
    let mut words = line.splitn(3, ' ');
    let (Some(method), Some(target), media) = (words.next(), words.next(), words.next()) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Ok(inquiry) = dashboards::inquire(method, path, query, media) else { return };
    let plain = path.is_ascii() && !path.contains("//") && !path.contains(['\\', '#']);
    assert!(plain, "a path with two readings passed");
    assert!(!inquiry.needs.is_empty() || inquiry.body.is_some(), "a request that needs nothing passed");
    let whole = pieces::read(&inquiry, body, usize::from(*cut));
    if matches!(inquiry.operation.place, Place::Body | Place::Handle) {
        let found = whole.unwrap_or_default();
        let mut needs = inquiry.needs.iter().chain(&found);
        let of_dashboards = |need: &Need| matches!(need.on, Resource::Dashboards { .. });
        assert!(!needs.any(of_dashboards), "what goes on to the engine is judged by scopes for Dashboards");
    }
}
