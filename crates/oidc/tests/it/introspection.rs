//! Opaque tokens, asked for at the provider.

use std::sync::Arc;

use http::StatusCode;
use jsonwebtoken::Algorithm as Signing;
use oidc::{IntrospectionConfig, KeySource, ProviderConfig, TokenError};
use serde_json::{Value, json};

use crate::keys::TestKey;
use crate::stand_in::{AUDIENCE, Bench, CLIENT, NOW, StandIn};

impl StandIn {
    /// Makes a token active with the usual claims and these.
    fn activate(&self, token: &str, extra: &Value) {
        let mut response = json!({
            "active": true, "aud": AUDIENCE, "sub": "alice", "client_id": "agent", "scope": "read:logs-*", "exp": NOW + 300,
        });
        for (name, value) in extra.as_object().unwrap() {
            response[name] = value.clone();
        }
        self.change(|answers| {
            answers.tokens.insert(token.to_owned(), response);
        });
    }
}

#[tokio::test]
async fn an_active_token_is_asked_for_once_until_its_time_is_over() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    provider.activate("opaque", &json!({ "iss": provider.issuer, "groups": ["ops"] }));
    for _ in 0..3 {
        let identity = bench.authenticate("opaque").await.unwrap();
        assert_eq!(identity.user_id.as_deref(), Some("alice"));
        assert_eq!(identity.client_id.as_deref(), Some("agent"));
        assert_eq!(
            (identity.scopes.join(" "), identity.groups.join(" ")),
            ("read:logs-*".into(), "ops".into())
        );
        assert_eq!((identity.expires_at, identity.fresh_until), (NOW + 300, NOW + 30));
        assert!(identity.opaque && !identity.claims.contains_key("active"));
    }
    assert_eq!(provider.introspections(), 1);
    bench.advance(29);
    assert!(bench.authenticate("opaque").await.is_ok());
    assert_eq!(provider.introspections(), 1);
    provider.change(|answers| answers.tokens.clear());
    bench.advance(1);
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::NotActive), "revocation is noticed");
    assert_eq!(provider.introspections(), 2);
}

#[tokio::test]
async fn a_cached_token_ends_with_its_expiry() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    provider.activate("opaque", &json!({ "exp": NOW + 5 }));
    assert_eq!(bench.authenticate("opaque").await.unwrap().fresh_until, NOW + 5);
    bench.advance(36);
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::Expired));
}

#[tokio::test]
async fn a_clock_that_is_set_back_prolongs_nothing_that_was_asked() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    provider.activate("revoked", &json!({ "iss": provider.issuer }));
    assert!(bench.authenticate("revoked").await.is_ok());
    assert_eq!(bench.authenticate("unknown").await, Err(TokenError::NotActive));
    provider.change(|answers| answers.tokens.clear());
    provider.activate("unknown", &json!({ "iss": provider.issuer }));
    bench.clock.set_by(-3 * 3_600);
    assert_eq!(bench.authenticate("revoked").await, Err(TokenError::NotActive));
    assert!(bench.authenticate("unknown").await.is_ok());
    assert_eq!(provider.introspections(), 4);
    // Once the clock is right again.
    bench.clock.set_by(3 * 3_600);
    assert_eq!(bench.authenticate("revoked").await, Err(TokenError::NotActive));
}

#[tokio::test]
async fn an_inactive_token_is_remembered_for_a_short_time() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    for _ in 0..3 {
        assert_eq!(bench.authenticate("unknown").await, Err(TokenError::NotActive));
    }
    assert_eq!(provider.introspections(), 1);
    provider.activate("unknown", &json!({}));
    bench.advance(10);
    assert!(bench.authenticate("unknown").await.is_ok());
}

#[tokio::test]
async fn many_with_the_same_token_cause_one_call() {
    let provider = StandIn::start(&[]).await;
    let bench = Arc::new(Bench::new(vec![provider.config_with_introspection()]).await);
    provider.activate("opaque", &json!({}));
    let held = provider.hold().await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.authenticate("opaque").await.is_ok() })
        })
        .collect();
    while provider.introspections() == 0 {
        tokio::task::yield_now().await;
    }
    // Who gives up leaves the others waiting for the same call.
    calls[99].abort();
    drop(held);
    for call in calls.into_iter().take(99) {
        assert!(call.await.unwrap());
    }
    assert_eq!(provider.introspections(), 1);
}

#[tokio::test]
async fn failures_of_the_provider_are_not_remembered() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    provider.activate("opaque", &json!({}));
    provider.change(|answers| answers.status = Some(StatusCode::BAD_GATEWAY));
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::ProviderUnavailable));
    assert_eq!(bench.status().failures, 1);
    provider.change(|answers| answers.status = None);
    assert!(bench.authenticate("opaque").await.is_ok());
}

#[tokio::test]
async fn claims_of_a_response_are_checked() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config_with_introspection()]).await;
    let missing = |name: &str| Some(TokenError::MissingClaim(name.to_owned()));
    for (number, (extra, expected)) in [
        (json!({}), None),
        (json!({ "aud": [AUDIENCE] }), None),
        (json!({ "aud": "other" }), Some(TokenError::WrongAudience)),
        (json!({ "aud": [] }), missing("aud")),
        (json!({ "iss": "https://other.example" }), Some(TokenError::UnknownIssuer)),
        (json!({ "exp": NOW - 31 }), Some(TokenError::Expired)),
        (json!({ "exp": "never" }), Some(TokenError::Malformed)),
        (json!({ "nbf": NOW + 31 }), Some(TokenError::NotYetValid)),
        (json!({ "cnf": { "jkt": "x" } }), Some(TokenError::SenderConstrained)),
        (json!({ "typ": "Refresh" }), Some(TokenError::WrongType)),
        (json!({ "active": "true" }), Some(TokenError::ProviderUnavailable)),
        (json!({ "active": false }), Some(TokenError::NotActive)),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("token{number}");
        provider.activate(&token, &extra);
        assert_eq!(bench.authenticate(&token).await.err(), expected, "{extra}");
    }
    // What RFC 7662 lets a provider leave out.
    provider.change(|answers| {
        let short = json!({ "active": true, "aud": AUDIENCE, "client_id": "agent" });
        answers.tokens.insert("short".into(), short);
    });
    let identity = bench.authenticate("short").await.unwrap();
    assert_eq!((&*identity.subject, identity.user_id.clone()), ("agent", None));
    assert_eq!((identity.expires_at, identity.fresh_until), (NOW + 30, NOW + 30));
}

#[tokio::test]
async fn an_answer_without_audience_needs_permission() {
    let provider = StandIn::start(&[]).await;
    let lax = IntrospectionConfig {
        allow_missing_audience: true,
        ..provider.config_with_introspection().introspection.unwrap()
    };
    let bench = Bench::new(vec![ProviderConfig { introspection: Some(lax), ..provider.config() }]).await;
    provider.change(|answers| {
        answers.tokens.insert("a".into(), json!({ "active": true, "sub": "alice" }));
        answers.tokens.insert("b".into(), json!({ "active": true, "sub": "alice", "aud": "other" }));
    });
    assert!(bench.authenticate("a").await.is_ok());
    assert_eq!(bench.authenticate("b").await, Err(TokenError::WrongAudience));
}

#[tokio::test]
async fn several_providers_are_asked_in_order() {
    let (first, second) = (StandIn::start(&[]).await, StandIn::start(&[]).await);
    let named = |name: &str, provider: &StandIn| ProviderConfig {
        name: name.into(),
        ..provider.config_with_introspection()
    };
    let bench = Bench::new(vec![named("first", &first), named("second", &second)]).await;
    first.activate("a", &json!({}));
    second.activate("b", &json!({}));
    second.activate("c", &json!({ "aud": "other" }));
    assert_eq!(&*bench.authenticate("a").await.unwrap().provider, "first");
    assert_eq!(second.introspections(), 0);
    assert_eq!(&*bench.authenticate("b").await.unwrap().provider, "second");
    assert_eq!(bench.authenticate("c").await, Err(TokenError::WrongAudience));
    assert_eq!(bench.authenticate("d").await, Err(TokenError::NotActive));
    // As long as one could not be asked, nobody knows.
    first.change(|answers| answers.status = Some(StatusCode::BAD_GATEWAY));
    assert_eq!(bench.authenticate("e").await, Err(TokenError::ProviderUnavailable));
}

#[tokio::test]
async fn without_introspection_opaque_tokens_are_refused_and_shown_to_nobody() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    provider.activate("opaque", &json!({}));
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::OpaqueNotAccepted));
    assert_eq!(provider.introspections(), 0);
}

#[tokio::test]
async fn wrong_credentials_of_this_server_are_no_fault_of_the_token() {
    let provider = StandIn::start(&[]).await;
    let wrong = IntrospectionConfig::new(CLIENT.0, "wrong".into());
    let bench = Bench::new(vec![ProviderConfig { introspection: Some(wrong), ..provider.config() }]).await;
    provider.activate("opaque", &json!({}));
    assert_eq!(bench.authenticate("opaque").await, Err(TokenError::ProviderUnavailable));
    let error = bench.status().last_error.unwrap();
    assert!(error.contains("401") && !error.contains("wrong"), "{error}");
}

#[tokio::test]
async fn signed_tokens_can_be_introspected_too() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let introspection = IntrospectionConfig {
        introspect_jwt: true,
        ..provider.config_with_introspection().introspection.unwrap()
    };
    let bench =
        Bench::new(vec![ProviderConfig { introspection: Some(introspection), ..provider.config() }]).await;
    let token = key.sign(Signing::ES256, &provider.claims());
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::NotActive));
    bench.advance(10);
    provider.activate(&token, &json!({}));
    let identity = bench.authenticate(&token).await.unwrap();
    assert_eq!((identity.fresh_until, identity.opaque), (NOW + 40, false));
    // A forged token is not worth a call.
    let calls = provider.introspections();
    let forged = TestKey::p256("k1").sign(Signing::ES256, &provider.claims());
    assert_eq!(bench.authenticate(&forged).await, Err(TokenError::BadSignature));
    assert_eq!(provider.introspections(), calls);
}

#[tokio::test]
async fn a_provider_without_keys_introspects_everything() {
    let provider = StandIn::start(&[]).await;
    let config =
        ProviderConfig { keys: KeySource::IntrospectionOnly, ..provider.config_with_introspection() };
    let bench = Bench::new(vec![config]).await;
    assert!(bench.status().ready);
    assert_eq!(provider.jwks_requests(), 0);
    let token = TestKey::p256("k1").sign(Signing::ES256, &provider.claims());
    provider.activate(&token, &json!({}));
    assert!(bench.authenticate(&token).await.unwrap().opaque);
}
