//! What reads the first line of a request, over any bytes. Panics when a promise is broken.

use rest::{classify, inquire};

/// A method, a target and the rest of a request line, separated by spaces.
pub fn run(bytes: &[u8]) {
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
