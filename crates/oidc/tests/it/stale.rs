//! Documents that cannot be renewed: how old keys may get, and that discovery and keys do not wait for each other.

use std::time::Duration;

use http::StatusCode;
use jsonwebtoken::Algorithm as Signing;
use oidc::{IntrospectionConfig, KeySource, ProviderConfig, Providers, TokenError};
use serde_json::{Value, json};

use crate::keys::TestKey;
use crate::refresh::{Background, lasting};
use crate::stand_in::{Bench, NOW, StandIn};

const HOUR: u64 = 3_600;

fn down(provider: &StandIn, down: bool) {
    provider.change(|answers| answers.status = down.then_some(StatusCode::SERVICE_UNAVAILABLE));
}

#[tokio::test]
async fn tokens_go_by_the_clock_as_it_is_set_and_keys_by_the_time_that_passes() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let token = key.sign(Signing::ES256, &provider.claims());
    let fetches = bench.status().fetches;
    for (set_by, expected) in [
        (3 * HOUR.cast_signed(), Some(TokenError::Expired)),
        (-6 * HOUR.cast_signed(), Some(TokenError::NotYetValid)),
        (3 * HOUR.cast_signed(), None),
        (-NOW.cast_signed(), Some(TokenError::NotYetValid)),
        (NOW.cast_signed(), None),
    ] {
        bench.clock.set_by(set_by);
        assert_eq!(bench.authenticate(&token).await.err(), expected, "{set_by}");
        let status = bench.status();
        assert!(status.ready && !status.too_stale);
        assert_eq!((status.fetched_age, status.fetches), (Some(Duration::ZERO), fetches));
    }
}

#[tokio::test]
async fn keys_are_used_until_they_are_too_old_and_again_once_renewed() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let token = key.sign(Signing::ES256, &lasting(&provider));
    down(&provider, true);

    bench.advance(24 * HOUR - 1);
    let identity = bench.authenticate(&token).await.unwrap();
    assert_eq!(
        identity.fresh_until,
        NOW + 24 * HOUR,
        "no cache may use it longer than the keys that verified it"
    );
    let status = bench.status();
    assert!(status.ready && !status.too_stale);
    assert_eq!(status.problem(), None);

    bench.advance(1);
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::ProviderUnavailable));
    let status = bench.status();
    assert!(!status.ready && status.too_stale);
    assert!(status.problem().is_some_and(|problem| problem.contains("max_stale")), "{status:?}");
    assert_eq!((status.keys, status.fetched_age), (1, Some(Duration::from_hours(24))));

    let background = Background::start(&bench);
    bench.until(|status| status.consecutive_failures == 1).await;
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::ProviderUnavailable));
    down(&provider, false);
    bench.advance(1);
    bench.until(|status| status.ready).await;
    assert!(!bench.status().too_stale);
    assert!(bench.authenticate(&token).await.is_ok());
    background.stop().await;
}

#[tokio::test]
async fn a_provider_with_fresh_keys_is_not_held_back_by_another_ones_age() {
    let key = TestKey::p256("k1");
    let (old, fresh) = (StandIn::start(&[&key]).await, StandIn::start(&[&key]).await);
    let configs = vec![old.config(), ProviderConfig { name: "fresh".into(), ..fresh.config() }];
    let bench = Bench::new(configs).await;
    down(&old, true);
    let background = Background::start(&bench);
    bench.advance(25 * HOUR);
    bench.until(|status| status.consecutive_failures > 0).await;
    bench.until_true(|| fresh.jwks_requests() == 2).await;
    bench.until_true(|| bench.providers.status()[1].ready).await;
    let refused = bench.authenticate(&key.sign(Signing::ES256, &lasting(&old))).await;
    assert_eq!(refused, Err(TokenError::ProviderUnavailable));
    assert!(bench.authenticate(&key.sign(Signing::ES256, &lasting(&fresh))).await.is_ok());
    background.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    down(&provider, true);
    for (keys, expected) in
        [(KeySource::Discovery, "no keys yet"), (KeySource::IntrospectionOnly, "no introspection endpoint")]
    {
        let config = ProviderConfig { keys, ..provider.config_with_introspection() };
        let bench = Bench::new(vec![config]).await;
        let problem = bench.status().problem();
        assert!(problem.is_some_and(|problem| problem.contains(expected)), "{problem:?}");
    }
}

#[tokio::test]
async fn introspection_does_not_age_since_every_answer_is_new() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let config =
        ProviderConfig { keys: KeySource::IntrospectionOnly, ..provider.config_with_introspection() };
    let bench = Bench::new(vec![config]).await;
    let mut answer = lasting(&provider);
    answer["active"] = json!(true);
    provider.change(|answers| {
        answers.discovery_status = Some(StatusCode::SERVICE_UNAVAILABLE);
        answers.tokens.insert("opaque".to_owned(), answer);
    });
    bench.advance(48 * HOUR);
    assert!(bench.authenticate("opaque").await.is_ok());
    assert!(bench.status().ready && !bench.status().too_stale);
}

#[tokio::test]
async fn keys_do_not_wait_for_discovery() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    let held = provider.hold_discovery().await;
    bench.advance(HOUR);
    bench.until_true(|| provider.discoveries() == 2).await;
    bench.until(|status| status.fetches == 2).await;
    assert_eq!(bench.status().consecutive_failures, 0);

    let new = TestKey::p256("k2");
    provider.publish(&[&key, &new]);
    bench.advance(60);
    assert!(bench.authenticate(&new.sign(Signing::ES256, &lasting(&provider))).await.is_ok());
    drop(held);
    background.stop().await;
}

#[tokio::test]
async fn failed_discovery_leaves_the_known_place_of_the_keys_in_use() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    // Neither an error nor a document without keys replaces what is known.
    provider.change(|answers| answers.discovery_status = Some(StatusCode::INTERNAL_SERVER_ERROR));
    bench.advance(HOUR);
    bench.until(|status| status.failures == 1).await;
    bench.until(|status| status.fetches == 2).await;
    provider.change(|answers| {
        answers.discovery_status = None;
        answers.discovery.insert("jwks_uri".to_owned(), Value::Null);
    });
    // Tried again after 1 s, then 2 s.
    bench.advance(1);
    bench.until(|status| status.failures == 2).await;
    provider.publish(&[&TestKey::p256("k2")]);
    bench.advance(900);
    bench.until(|status| status.fetches == 3).await;
    let status = bench.status();
    assert!(status.ready && status.consecutive_failures == 0);
    let old = bench.authenticate(&key.sign(Signing::ES256, &lasting(&provider))).await;
    assert_eq!(old, Err(TokenError::UnknownKey));
    background.stop().await;
}

#[tokio::test]
async fn keys_that_moved_are_fetched_where_they_are_now() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let background = Background::start(&bench);
    let moved = format!("{}/moved/keys", provider.issuer);
    provider.change(|answers| {
        answers.discovery.insert("jwks_uri".to_owned(), json!(moved));
    });
    bench.advance(HOUR);
    bench.until_true(|| provider.requests("/realms/test/moved/keys") > 0).await;
    bench.until(|status| status.fetches >= 2).await;
    assert!(bench.authenticate(&key.sign(Signing::ES256, &lasting(&provider))).await.is_ok());
    background.stop().await;
}

#[tokio::test]
async fn keys_from_a_configured_place_do_not_need_discovery() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    provider.change(|answers| answers.discovery_status = Some(StatusCode::NOT_FOUND));
    let jwks = format!("{}/keys", provider.issuer).parse().unwrap();
    let config = ProviderConfig { keys: KeySource::JwksUri(jwks), ..provider.config_with_introspection() };
    let bench = Bench::new(vec![config]).await;
    assert!(bench.authenticate(&key.sign(Signing::ES256, &provider.claims())).await.is_ok());
    // What cannot be introspected without discovery is told so.
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::ProviderUnavailable));
    assert!(bench.status().last_error.is_none_or(|error| error.contains("404")));
    assert_eq!(bench.status().failures, 1);
}

#[test]
fn an_age_that_a_healthy_provider_would_reach_is_refused() {
    let config = |refresh, min_refetch_interval, max_stale| ProviderConfig {
        refresh: Duration::from_secs(refresh),
        min_refetch_interval: Duration::from_secs(min_refetch_interval),
        max_stale: Duration::from_secs(max_stale),
        introspection: Some(IntrospectionConfig::new("c", "s".into())),
        ..ProviderConfig::new("a", "https://a.example", vec!["x".into()])
    };
    for (refresh, least, most, fine) in
        [(900, 10, 901, true), (900, 10, 900, false), (1, 60, 60, false), (0, 0, 1, false), (0, 0, 2, true)]
    {
        let result = Providers::new(vec![config(refresh, least, most)]);
        assert_eq!(result.is_ok(), fine, "{refresh} {least} {most}");
        if let Err(error) = result {
            assert!(error.to_string().contains("max_stale"), "{error}");
        }
    }
}
