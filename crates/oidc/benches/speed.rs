//! What a token costs: `cargo bench -p oidc`.
//!
//! Each figure is the best of several rounds, so that whatever else the machine does disturbs it least. With an
//! argument only the figures whose name contains it are measured.

#![expect(clippy::expect_used, reason = "a measurement that cannot run should say so at once")]

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use oidc::{BearerToken, DEFAULT_MAX_TOKEN_LENGTH, KeySource, ProviderConfig, Providers, TokenCache};
use serde_json::json;

const ROUNDS: u32 = 20;
const COUNT: u32 = 200;
const AUDIENCE: &str = "search";

/// The best time for one of [`COUNT`] runs.
fn best(mut run: impl FnMut()) -> Duration {
    let round = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..COUNT {
            run();
        }
        start.elapsed() / COUNT
    };
    (0..ROUNDS).map(|_| round(&mut run)).min().unwrap_or_default()
}

fn one(name: &str, run: impl FnMut()) {
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    if filters.peek().is_none() || filters.any(|filter| name.contains(&filter)) {
        println!("{name:<44} {:>10.2} µs", best(run).as_secs_f64() * 1e6);
    }
}

/// Publishes `keys` to whoever asks, at the address returned.
fn publish(keys: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            // The question does not matter.
            let _ = stream.read(&mut request);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{keys}", keys.len());
        }
    });
    address
}

/// Signs claims such as an access token of RFC 9068 has.
fn sign(key: &RsaKeyPair, issuer: &str, id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": "key-1"}).to_string();
    let claims = json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "client_id": "agent",
        "iat": now, "exp": now + 3600, "jti": id, "scope": "read:logs-* write:app-logs-*",
    });
    let encode = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .expect("a signature");
    format!("{message}.{}", encode(&signature))
}

fn bearer(token: &str) -> BearerToken {
    BearerToken::new(token.as_bytes(), DEFAULT_MAX_TOKEN_LENGTH).expect("a bearer token")
}

fn main() {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
    let (public, encode) = (key.public_key(), |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes));
    let modulus = encode(public.modulus().big_endian_without_leading_zero());
    let exponent = encode(public.exponent().big_endian_without_leading_zero());
    let jwk = json!({"kty": "RSA", "use": "sig", "kid": "key-1", "n": modulus, "e": exponent});
    let address = publish(json!({ "keys": [jwk] }).to_string());
    let issuer = format!("http://{address}");

    let mut config = ProviderConfig::new("company", &issuer, vec![AUDIENCE.to_owned()]);
    config.keys = KeySource::JwksUri(format!("{issuer}/jwks").parse().expect("an address"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let providers = Providers::new(vec![config]).expect("a provider that can be used");
    assert!(runtime.block_on(providers.prefetch()), "the keys are there");

    let good = sign(&key, &issuer, "token-1");
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let second = sign(&key, &issuer, "token-2");
    let (_, other) = second.rsplit_once('.').expect("three parts");
    let forged = bearer(&format!("{message}.{other}"));
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).expect("Base64url");
    let ready = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref()).expect("a public key");
    one("the signature of a token alone", || {
        ready.verify_sig(message.as_bytes(), &signature).expect("a good signature");
    });
    let token = bearer(&good);
    // Its header is known from now on, as in a proxy that has seen other tokens.
    runtime.block_on(providers.authenticate(&token)).expect("a good token");
    one("a token that was not seen before", || {
        black_box(runtime.block_on(providers.authenticate(&token)).expect("a good token"));
    });
    one("a forged token", || {
        black_box(runtime.block_on(providers.authenticate(&forged)).expect_err("a forged token"));
    });
    let cache = TokenCache::new(100, Duration::from_mins(5));
    cache.insert(token.hash(), Arc::new(()), u64::MAX, 1, 0);
    one("a token that is known", || {
        let token = bearer(black_box(&good));
        black_box(cache.get(&token.hash(), 1, 0).expect("it was put there"));
    });
}
