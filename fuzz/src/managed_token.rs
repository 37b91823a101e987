//! What reads managed tokens and their names, over any bytes. Panics when a promise is broken.

use tokens::{Secret, TokenId};

/// A managed token, and the name of one.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(secret) = Secret::parse(text) {
        assert!(Secret::is_meant_by(text), "a token of a provider was taken for one of the proxy's");
        assert_eq!(secret.expose(), text, "another token was read");
        assert!(!format!("{secret:?}").contains(text), "a token was shown");
    }
    if let Ok(id) = text.parse::<TokenId>() {
        assert_eq!(id.as_str(), text, "another name was read");
    }
}
