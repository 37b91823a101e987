//! What reads the engine's listing of names, over any bytes. Panics when a promise is broken.

use catalogue::{Catalogue, Wildcards};

/// Names to look up, a line feed, and the engine's listing of all names.
pub fn run(bytes: &[u8]) {
    let Some(at) = bytes.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(expression) = std::str::from_utf8(&bytes[..at]) else { return };
    let Ok(catalogue) = Catalogue::from_resolve_index(&bytes[at + 1..]) else { return };
    for wildcards in [Wildcards::default(), Wildcards { hidden: true, closed: true }] {
        let Ok(resolved) = catalogue.resolve(expression, wildcards) else { return };
        assert!(resolved.names.is_sorted(), "names are not in order");
        assert!(resolved.names.iter().all(|name| catalogue.get(name).is_some()), "a name that is not there");
        assert!(resolved.missing.iter().all(|name| catalogue.get(name).is_none()), "a name that is there");
    }
    for (name, _) in catalogue.iter() {
        let _ = catalogue.behind(name);
    }
}
