//! What reads the keys of providers, over any bytes. Panics when a promise is broken.

use oidc::any_bytes;

/// A length, and a JWK Set.
pub fn run(bytes: &[u8]) {
    let [length, document @ ..] = bytes else { return };
    let signature = vec![1; 1 + 2 * usize::from(*length)];
    let Some((keys, valid)) = any_bytes::keys(document, b"message", &signature) else { return };
    assert!(!valid, "a signature of nobody is valid by a published key");
    let same = any_bytes::keys(document, b"message", &signature);
    assert_eq!(same, Some((keys, valid)), "the same keys were read otherwise");
}
