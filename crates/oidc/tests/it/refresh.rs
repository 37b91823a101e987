//! Documents of a provider over time: rotation, failures, limits.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::Algorithm as Signing;
use oidc::{
    BearerToken, Clock, ConfigError, IntrospectionConfig, KeySource, ProviderConfig, Providers, TokenCache,
    TokenError,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::keys::TestKey;
use crate::stand_in::{Bench, NOW, StandIn};

/// Claims that outlive the hours a test may pass.
pub(crate) fn lasting(provider: &StandIn) -> Value {
    let mut claims = provider.claims();
    claims["exp"] = json!(NOW + 1_000_000);
    claims
}

/// Runs the background refresh until dropped.
pub(crate) struct Background(Option<oneshot::Sender<()>>, tokio::task::JoinHandle<()>);

impl Background {
    pub(crate) fn start(bench: &Bench) -> Self {
        let (stop, stopped) = oneshot::channel();
        let run = Arc::clone(&bench.providers).run(async {
            let _ = stopped.await;
        });
        Self(Some(stop), tokio::spawn(run))
    }

    pub(crate) async fn stop(mut self) {
        drop(self.0.take());
        self.1.await.unwrap();
    }
}

#[tokio::test]
async fn a_new_key_is_found_by_the_first_token_that_names_it() {
    let (old, new) = (TestKey::p256("old"), TestKey::p256("new"));
    let provider = StandIn::start(&[&old]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let epoch = bench.providers.epoch();
    bench.advance(60);
    provider.publish(&[&old, &new]);
    assert!(bench.authenticate(&new.sign(Signing::ES256, &provider.claims())).await.is_ok());
    assert!(bench.authenticate(&old.sign(Signing::ES256, &provider.claims())).await.is_ok());
    assert_eq!(provider.jwks_requests(), 2);
    assert_eq!(bench.providers.epoch(), epoch, "a key that is added voids nothing");

    bench.advance(60);
    provider.publish(&[&new]);
    assert_eq!(
        bench.authenticate(&TestKey::p256("none").sign(Signing::ES256, &provider.claims())).await,
        Err(TokenError::UnknownKey)
    );
    assert_ne!(bench.providers.epoch(), epoch, "a key that is withdrawn voids what it verified");
    assert_eq!(
        bench.authenticate(&old.sign(Signing::ES256, &provider.claims())).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn a_withdrawn_key_takes_what_a_cache_holds_with_it() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    let cache = TokenCache::new(100, Duration::from_hours(10));
    let token = BearerToken::new(key.sign(Signing::ES256, &lasting(&provider)).as_bytes(), 10_000).unwrap();
    let epoch = bench.providers.epoch();
    let identity = bench.providers.authenticate(&token).await.unwrap();
    let expires_at = identity.fresh_until;
    cache.insert(token.hash(), Arc::new(identity), expires_at, bench.clock.unix(), epoch);
    assert!(cache.get(&token.hash(), bench.clock.unix(), bench.providers.epoch()).is_some());

    provider.publish(&[&TestKey::p256("k2")]);
    bench.advance(900);
    bench.until(|status| status.fetches == 2).await;
    assert!(cache.get(&token.hash(), bench.clock.unix(), bench.providers.epoch()).is_none());
    assert_eq!(bench.providers.authenticate(&token).await, Err(TokenError::UnknownKey));
    background.stop().await;
}

#[tokio::test]
async fn a_key_replaced_under_its_id_voids_what_it_verified() {
    let (old, new) = (TestKey::p256("same"), TestKey::p256("same"));
    let provider = StandIn::start(&[&old]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    let epoch = bench.providers.epoch();
    provider.publish(&[&new]);
    bench.advance(900);
    bench.until(|status| status.fetches == 2).await;
    assert_ne!(bench.providers.epoch(), epoch);
    let mut claims = lasting(&provider);
    claims["iat"] = json!(NOW);
    assert!(bench.authenticate(&new.sign(Signing::ES256, &claims)).await.is_ok());
    assert_eq!(bench.authenticate(&old.sign(Signing::ES256, &claims)).await, Err(TokenError::BadSignature));
    background.stop().await;
}

#[tokio::test]
async fn a_hundred_tokens_with_a_new_key_cause_one_fetch() {
    let (old, new) = (TestKey::p256("old"), TestKey::p256("new"));
    let provider = StandIn::start(&[&old]).await;
    // Without the rate limit, so that only the shared flight holds requests back.
    let config = ProviderConfig { min_refetch_interval: Duration::ZERO, ..provider.config() };
    let bench = Arc::new(Bench::new(vec![config]).await);
    provider.publish(&[&old, &new]);
    let held = provider.hold().await;
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let mut claims = provider.claims();
            claims["jti"] = json!(number.to_string());
            let (bench, token) = (Arc::clone(&bench), new.sign(Signing::ES256, &claims));
            tokio::spawn(async move { bench.authenticate(&token).await.is_ok() })
        })
        .collect();
    while provider.jwks_requests() < 2 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(provider.jwks_requests(), 2);
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_take_the_fetch_along() {
    let (old, new) = (TestKey::p256("old"), TestKey::p256("new"));
    let provider = StandIn::start(&[&old]).await;
    let bench = Arc::new(Bench::new(vec![provider.config()]).await);
    bench.advance(60);
    provider.publish(&[&old, &new]);
    let token = new.sign(Signing::ES256, &provider.claims());
    let held = provider.hold().await;
    let call = {
        let (bench, token) = (Arc::clone(&bench), token.clone());
        tokio::spawn(async move { bench.authenticate(&token).await })
    };
    while provider.jwks_requests() < 2 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.is_err());
    drop(held);
    assert!(bench.authenticate(&token).await.is_ok());
    assert_eq!(provider.jwks_requests(), 2);
}

#[tokio::test]
async fn made_up_keys_cause_few_fetches() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let forged = TestKey::p256("x");
    let attempt = async |kid: &str| {
        let token = forged.named(kid).sign(Signing::ES256, &lasting(&provider));
        assert_eq!(bench.authenticate(&token).await, Err(TokenError::UnknownKey));
    };
    for number in 0..20 {
        attempt(&format!("early {number}")).await;
    }
    assert_eq!(provider.jwks_requests(), 1, "the first fetch is too young");
    bench.advance(10);
    for number in 0..20 {
        attempt(&format!("later {number}")).await;
    }
    assert_eq!(provider.jwks_requests(), 2);
    // An id that did not exist is not asked for again soon, another one is.
    bench.advance(10);
    attempt("later 0").await;
    assert_eq!(provider.jwks_requests(), 2);
    attempt("other").await;
    assert_eq!(provider.jwks_requests(), 3);
    bench.advance(60);
    attempt("later 0").await;
    assert_eq!(provider.jwks_requests(), 4);
    // Tokens refused for their claims never cause a fetch.
    bench.advance(60);
    let mut expired = provider.claims();
    expired["exp"] = json!(NOW - 1_000);
    let token = forged.named("expired").sign(Signing::ES256, &expired);
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::Expired));
    assert_eq!(provider.jwks_requests(), 4);
}

#[tokio::test]
async fn a_provider_that_is_down_leaves_its_keys_in_use() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    provider.change(|answers| answers.status = Some(StatusCode::INTERNAL_SERVER_ERROR));
    bench.advance(900);
    bench.until(|status| status.consecutive_failures == 1).await;
    let status = bench.status();
    assert!(status.ready && status.keys == 1);
    assert_eq!(status.fetched_age, Some(Duration::from_mins(15)));
    assert!(status.last_error.unwrap().contains("500"));
    assert!(bench.authenticate(&key.sign(Signing::ES256, &lasting(&provider))).await.is_ok());
    // Whether this key exists cannot be known now: not the token's fault.
    let unknown = TestKey::p256("new").sign(Signing::ES256, &lasting(&provider));
    assert_eq!(bench.authenticate(&unknown).await, Err(TokenError::ProviderUnavailable));

    // Tried again after 1 s, then 2 s.
    bench.advance(1);
    bench.until(|status| status.consecutive_failures == 2).await;
    provider.change(|answers| answers.status = None);
    bench.advance(2);
    bench.until(|status| status.consecutive_failures == 0).await;
    assert_eq!(bench.status().last_error, None);
    background.stop().await;
}

#[tokio::test]
async fn a_provider_that_was_never_reached_is_retried_until_it_is() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    provider.change(|answers| answers.status = Some(StatusCode::SERVICE_UNAVAILABLE));
    let bench = Bench::unfetched(vec![provider.config()]);
    assert!(!bench.providers.prefetch().await);
    let token = key.sign(Signing::ES256, &provider.claims());
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::ProviderUnavailable));
    let background = Background::start(&bench);
    provider.change(|answers| answers.status = None);
    bench.advance(1);
    bench.until(|status| status.ready).await;
    assert!(bench.authenticate(&token).await.is_ok());
    background.stop().await;
}

#[tokio::test]
async fn cache_control_can_only_shorten_the_refresh() {
    for (value, pause) in [
        ("max-age=60", 60),
        ("public, MAX-AGE=60, must-revalidate", 60),
        ("max-age=0", 10),
        ("max-age=86400", 900),
        ("no-cache", 900),
        ("max-age=soon", 900),
    ] {
        let key = TestKey::p256("k1");
        let provider = StandIn::start(&[&key]).await;
        provider.change(|answers| answers.jwks_headers = vec![("cache-control", value.to_owned())]);
        let bench = Bench::new(vec![provider.config()]).await;
        let background = Background::start(&bench);
        // The pause is shortened at random by a tenth at most.
        bench.advance(pause * 9 / 10 - 1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.status().fetches, 1, "{value}");
        bench.advance(pause / 10 + 1);
        bench.until(|status| status.fetches == 2).await;
        background.stop().await;
    }
}

#[tokio::test]
async fn no_setting_makes_the_refresh_a_flood() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    provider.change(|answers| answers.jwks_headers = vec![("cache-control", "max-age=0".to_owned())]);
    let none = Duration::ZERO;
    let config = ProviderConfig { refresh: none, min_refetch_interval: none, ..provider.config() };
    let bench = Bench::new(vec![config]).await;
    let background = Background::start(&bench);
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.status().fetches, 1);
    bench.advance(1);
    bench.until(|status| status.fetches == 2).await;
    background.stop().await;
}

#[tokio::test]
async fn discovery_must_be_of_the_issuer_and_secure() {
    let key = TestKey::p256("k1");
    for (member, value, text) in [
        ("issuer", json!("https://other.example"), "another issuer"),
        ("issuer", json!("HTTP://127.0.0.1"), "another issuer"),
        ("issuer", json!(7), "not the expected JSON"),
        ("jwks_uri", json!("http://keys.example/keys"), "not https"),
        ("jwks_uri", json!("file:///etc/passwd"), "not https"),
        ("jwks_uri", Value::Null, "jwks_uri"),
        ("introspection_endpoint", json!("http://keys.example/i"), "not https"),
    ] {
        let provider = StandIn::start(&[&key]).await;
        provider.change(|answers| {
            answers.discovery.insert(member.to_owned(), value.clone());
        });
        let bench = Bench::unfetched(vec![provider.config()]);
        assert!(!bench.providers.prefetch().await, "{member} = {value}");
        let error = bench.status().last_error.unwrap();
        assert!(error.contains(text), "{member} = {value}: {error}");
        assert_eq!(provider.jwks_requests(), 0);
    }
}

#[tokio::test]
async fn discovery_at_the_place_of_rfc_8414_and_without() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    provider.change(|answers| answers.oauth_well_known_only = true);
    let token = key.sign(Signing::ES256, &provider.claims());
    assert!(Bench::new(vec![provider.config()]).await.authenticate(&token).await.is_ok());

    let jwks = format!("{}/keys", provider.issuer).parse().unwrap();
    provider.change(|answers| answers.asked.clear());
    let config = ProviderConfig { keys: KeySource::JwksUri(jwks), ..provider.config() };
    assert!(Bench::new(vec![config]).await.authenticate(&token).await.is_ok());
    assert_eq!(provider.requests("/.well-known/oauth-authorization-server/realms/test"), 0);
}

#[tokio::test]
async fn bad_key_documents_change_nothing() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    let mut fetches = 1;
    for (body, status) in [
        (Some(b"<html>".to_vec()), None),
        (Some(b"{}".to_vec()), None),
        (Some(vec![b' '; 2 * 1024 * 1024]), None),
        (None, Some(StatusCode::FOUND)),
    ] {
        provider.change(|answers| {
            answers.jwks_body = body;
            answers.status = status;
        });
        bench.advance(900);
        fetches += 1;
        bench.until(|status| status.fetches == fetches).await;
        assert_eq!(
            (bench.status().keys, bench.status().consecutive_failures),
            (1, u32::try_from(fetches).unwrap() - 1)
        );
    }
    // A well-formed set is believed, also an empty one: so keys are withdrawn.
    provider.change(|answers| {
        answers.jwks_body = Some(br#"{"keys":[]}"#.to_vec());
        answers.status = None;
    });
    let epoch = bench.providers.epoch();
    bench.advance(900);
    bench.until(|status| status.consecutive_failures == 0).await;
    assert!(!bench.status().ready);
    assert_ne!(bench.providers.epoch(), epoch);
    let token = key.sign(Signing::ES256, &lasting(&provider));
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::UnknownKey));
    background.stop().await;
}

#[tokio::test]
async fn configurations_that_cannot_work_are_refused() {
    let config = |issuer: &str| ProviderConfig::new("a", issuer, vec!["x".into()]);
    let good = config("https://a.example");
    let url = |text: &str| Some(text.parse().unwrap());
    let introspection =
        |endpoint| Some(IntrospectionConfig { endpoint, ..IntrospectionConfig::new("c", "s".into()) });
    for (what, configs, expected) in [
        ("http", vec![config("http://a.example")], "must be https"),
        ("no URL", vec![config("a.example")], "no URL"),
        ("query", vec![config("https://a.example?x")], "no query"),
        ("credentials", vec![config("https://u@a.example")], "credentials"),
        ("no audience", vec![ProviderConfig { audiences: vec![], ..good.clone() }], "audience"),
        (
            "empty audience",
            vec![ProviderConfig { audiences: vec![String::new()], ..good.clone() }],
            "audience",
        ),
        ("no algorithm", vec![ProviderConfig { algorithms: vec![], ..good.clone() }], "algorithm"),
        ("no type", vec![ProviderConfig { token_types: vec![], ..good.clone() }], "type"),
        (
            "no keys",
            vec![ProviderConfig { keys: KeySource::IntrospectionOnly, ..good.clone() }],
            "introspection",
        ),
        (
            "insecure keys",
            vec![ProviderConfig {
                keys: KeySource::JwksUri("http://a.example/k".parse().unwrap()),
                ..good.clone()
            }],
            "must be https",
        ),
        (
            "insecure introspection",
            vec![ProviderConfig {
                introspection: introspection(url("http://a.example/i?x=secret")),
                ..good.clone()
            }],
            "http://a.example/i must be https",
        ),
        ("same name", vec![good.clone(), config("https://b.example")], "named `a`"),
        (
            "same issuer",
            vec![good.clone(), ProviderConfig { name: "b".into(), ..good.clone() }],
            "issuer `https://a.example`",
        ),
    ] {
        let error = Providers::new(configs).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{what}: {error}");
    }
    let lenient = ProviderConfig { allow_http: true, ..config("http://a.example") };
    assert!(Providers::new(vec![lenient]).is_ok());
    let missing = transport::TlsOptions { ca: Some("/nonexistent/ca.pem".into()), identity: None };
    let error = Providers::new(vec![ProviderConfig { tls: missing, ..good }]).unwrap_err();
    assert!(matches!(&error, ConfigError::Tls { .. }) && error.to_string().contains("/nonexistent/ca.pem"));
}
