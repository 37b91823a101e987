//! What reads policies, over any bytes. Panics when a promise is broken.

use policy::{PolicySet, Source};

/// Policies in Cedar.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.lines().count();
    let source = Source { name: "any.cedar".to_owned(), text: text.to_owned() };
    if let Err(faults) = PolicySet::parse(&[source]) {
        assert!(!faults.is_empty(), "refused without a reason");
        let placed = faults.iter().filter_map(|fault| fault.place.as_ref());
        assert!(placed.clone().all(|place| place.line <= lines + 1), "a fault outside of the text");
    }
    assert!(policy::comments(text).iter().all(|comment| comment.starts_with("//")), "no comment");
}
