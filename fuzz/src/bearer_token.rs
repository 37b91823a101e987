//! What reads tokens, over any bytes. Panics when a promise is broken.

use std::{
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use data_encoding::BASE64URL_NOPAD;
use oidc::{BearerToken, ProviderConfig, Providers, TokenError};
use serde_json::{Map, Value};

/// No token of the fuzzer names this issuer, so that no key is ever asked for.
static PROVIDERS: LazyLock<Option<Providers>> = LazyLock::new(|| {
    let config = ProviderConfig::new("fuzz", "https://never-named.invalid/", vec!["fuzz".to_owned()]);
    Providers::new(vec![config]).ok()
});

/// A header value; or, with a line feed in it, the header and the claims of a token as they are before encoding.
pub fn run(bytes: &[u8]) {
    let Some(at) = bytes.iter().position(|&byte| byte == b'\n') else {
        if let Ok(token) = BearerToken::from_authorization(bytes, 256) {
            let text = token.expose();
            assert!(
                bytes.ends_with(text.as_bytes()) && bytes.len() == text.len() + 7,
                "another token was read"
            );
            assert!(text.len() <= 256 && !text.contains([' ', ',', '\t']), "no token by RFC 6750");
            refused(&token);
        }
        return;
    };
    let (header, claims) = (&bytes[..at], &bytes[at + 1..]);
    let text = format!("{}.{}.AAAA", BASE64URL_NOPAD.encode(header), BASE64URL_NOPAD.encode(claims));
    let Ok(token) = BearerToken::new(text.as_bytes(), 64 * 1024) else { return };
    if let Some(TokenError::UnknownIssuer) = refused(&token) {
        let object = |json| serde_json::from_slice::<Map<String, Value>>(json);
        let (Ok(header), Ok(_)) = (object(header), object(claims)) else { panic!("no JSON was read") };
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or("none");
        assert!(
            !algorithm.eq_ignore_ascii_case("none") && !algorithm.starts_with("HS"),
            "{algorithm} was read"
        );
        let dangerous = ["crit", "jwk", "jku", "x5u"].iter().any(|&name| header.contains_key(name));
        assert!(!dangerous, "a token that brings its own rules was read");
    }
}

/// Nobody signed it: whatever it says, it must be refused, and at once.
fn refused(token: &BearerToken) -> Option<TokenError> {
    let providers = PROVIDERS.as_ref()?;
    let checked = pin!(providers.authenticate(token)).poll(&mut Context::from_waker(Waker::noop()));
    match checked {
        Poll::Ready(Err(error)) => Some(error),
        Poll::Ready(Ok(_)) => panic!("a token that nobody signed passed"),
        Poll::Pending => panic!("something was fetched for a token of an unknown issuer"),
    }
}
