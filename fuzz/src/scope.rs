//! What reads scopes, over any bytes. Panics when a promise is broken.

use access::Scope;

/// A scope of a token.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(scope) = text.parse::<Scope>() {
        let shown = scope.to_string();
        assert_eq!(shown.parse(), Ok(scope), "{shown} means something else than {text}");
    }
}
