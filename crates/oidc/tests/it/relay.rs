//! A client's credentials on their way to the provider's token endpoint.

use http::{HeaderValue, StatusCode};
use oidc::{ClientProof, ProviderRefusal, RelayError, TokenError};
use serde_json::{Map, Value, json};

use crate::keys::TestKey;
use crate::stand_in::{Bench, NOW, StandIn};

async fn ask(bench: &Bench, proof: ClientProof<'_>, scope: Option<&str>) -> Result<String, RelayError> {
    let token = bench.providers.client_credentials("stand-in", proof, scope, 1000).await;
    token.map(|token| token.expose().to_owned())
}

/// Proof and scope, and what the provider sees.
type Case<'a> =
    (ClientProof<'a>, Option<&'a str>, Option<&'a HeaderValue>, Vec<(&'static str, &'static str)>);

fn endpoint(provider: &StandIn) {
    let url = format!("{}/token", provider.issuer);
    provider.change(|answers| {
        answers.discovery.insert("token_endpoint".to_owned(), url.into());
        answers.token = Some((StatusCode::OK, json!({"access_token": "abc", "token_type": "bearer"})));
    });
}

#[tokio::test]
async fn credentials_arrive_as_they_came() {
    let provider = StandIn::start(&[]).await;
    endpoint(&provider);
    let bench = Bench::new(vec![provider.config()]).await;
    let header = HeaderValue::from_static("Basic YWdlbnQ6JXp6");
    let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let grant = ("grant_type", "client_credentials");
    let table: [Case<'_>; 4] = [
        (ClientProof::Basic(&header), None, Some(&header), vec![grant]),
        (ClientProof::Basic(&header), Some("a b"), Some(&header), vec![grant, ("scope", "a b")]),
        (
            ClientProof::Post { client_id: "agent", client_secret: "p&ss=%" },
            None,
            None,
            vec![grant, ("client_id", "agent"), ("client_secret", "p&ss=%")],
        ),
        (
            ClientProof::Assertion { client_id: Some("agent"), assertion: "a.b.c" },
            None,
            None,
            vec![
                grant,
                ("client_id", "agent"),
                ("client_assertion_type", jwt),
                ("client_assertion", "a.b.c"),
            ],
        ),
    ];
    for (proof, scope, authorization, fields) in table {
        assert_eq!(ask(&bench, proof, scope).await.unwrap(), "abc", "{proof:?}");
        let (seen_authorization, seen) = provider.token_request();
        assert_eq!(seen_authorization.as_ref(), authorization);
        let seen: Vec<_> = seen.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(seen, fields);
    }
    assert!(!format!("{:?}", table_proof()).contains("secret"));
}

fn table_proof() -> ClientProof<'static> {
    ClientProof::Post { client_id: "agent", client_secret: "secret" }
}

#[tokio::test]
async fn what_the_provider_answers_is_read_and_not_repeated() {
    let provider = StandIn::start(&[]).await;
    endpoint(&provider);
    let bench = Bench::new(vec![provider.config()]).await;
    let leak = "the secret s3cret of agent is wrong";
    let table = [
        (
            400,
            json!({"error": "invalid_scope", "error_description": leak}),
            "the identity provider answered invalid_scope",
        ),
        (401, json!({"error": "invalid_client"}), "the identity provider answered invalid_client"),
        (401, json!({"error": "unauthorized_client"}), "the identity provider answered invalid_client"),
        (401, json!({"error": leak}), "the identity provider answered invalid_client"),
        (401, json!([]), "the identity provider answered invalid_client"),
        (
            400,
            json!({"error": leak}),
            "the identity provider's answer cannot be used: it is no error of RFC 6749",
        ),
        (429, json!({"error": "invalid_client"}), "the identity provider cannot be asked"),
        (500, json!({"error": leak}), "the identity provider cannot be asked"),
        (302, json!({}), "the identity provider cannot be asked"),
        (200, json!([]), "the identity provider's answer cannot be used: it is no JSON object"),
        (
            200,
            json!({"token_type": "bearer"}),
            "the identity provider's answer cannot be used: it has no access_token",
        ),
        (
            200,
            json!({"token_type": "DPoP", "access_token": "abc"}),
            "the identity provider's answer cannot be used: its token is no bearer token",
        ),
        (
            200,
            json!({"token_type": "bearer", "access_token": "a b"}),
            "the identity provider's answer cannot be used: its access_token is malformed or too long",
        ),
        (
            200,
            json!({"token_type": "bearer", "access_token": "a".repeat(1001)}),
            "the identity provider's answer cannot be used: its access_token is malformed or too long",
        ),
    ];
    for (status, body, words) in table {
        let status = StatusCode::from_u16(status).unwrap();
        provider.change(|answers| answers.token = Some((status, body.clone())));
        let error = ask(&bench, table_proof(), None).await.unwrap_err();
        assert_eq!(error.to_string(), words, "{status} {body}");
    }
    let error = bench.providers.client_credentials("other", table_proof(), None, 1000).await.unwrap_err();
    assert!(matches!(error, RelayError::UnknownProvider));
    provider
        .change(|answers| answers.token = Some((StatusCode::BAD_REQUEST, json!({"error": "invalid_scope"}))));
    let error = ask(&bench, table_proof(), None).await.unwrap_err();
    assert!(matches!(error, RelayError::Refused(ProviderRefusal::InvalidScope)));
}

#[tokio::test]
async fn without_a_safe_token_endpoint_nothing_is_sent() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    for url in [None, Some("http://192.0.2.1/token")] {
        provider.change(|answers| {
            answers.discovery.remove("token_endpoint");
            answers.discovery.extend(url.map(|url| ("token_endpoint".to_owned(), url.into())));
        });
        let bench = Bench::new(vec![provider.config()]).await;
        let error = ask(&bench, table_proof(), None).await.unwrap_err();
        assert!(matches!(error, RelayError::NoTokenEndpoint), "{url:?}: {error}");
        assert!(bench.status().ready, "keys can be had all the same");
    }
}

#[tokio::test]
async fn a_provider_is_not_flooded() {
    let provider = StandIn::start(&[]).await;
    endpoint(&provider);
    let bench = Bench::new(vec![provider.config()]).await;
    let held = provider.hold().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..33 {
        let providers = std::sync::Arc::clone(&bench.providers);
        calls.spawn(async move { providers.client_credentials("stand-in", table_proof(), None, 1000).await });
    }
    let first = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(first, RelayError::Busy), "the one beyond the limit is refused at once: {first}");
    drop(held);
    let others = calls.join_all().await;
    assert!(others.iter().all(Result::is_ok));
}

#[tokio::test]
async fn claims_of_earlier_tokens_are_read_by_the_rules_of_now() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let claims = |change: &[(&str, Value)]| -> Map<String, Value> {
        let mut claims = provider.claims();
        for (name, value) in change {
            claims[name] = value.clone();
        }
        claims.as_object().unwrap().clone()
    };
    let recall = |claims| bench.providers.recall(&provider.issuer, claims);
    let identity = recall(claims(&[("exp", (NOW - 5000).into()), ("nonce", "n".into())])).unwrap();
    assert_eq!((&*identity.subject, identity.scopes.join(" ")), ("alice", "read:logs-*".to_owned()));
    assert_eq!((identity.client_id.as_deref(), identity.opaque), (Some("agent"), false));
    for (change, error) in [
        (("aud", json!("elsewhere")), TokenError::WrongAudience),
        (("iss", json!("https://other.example")), TokenError::UnknownIssuer),
        (("cnf", json!({"jkt": "x"})), TokenError::SenderConstrained),
    ] {
        assert_eq!(recall(claims(&[change])).unwrap_err(), error);
    }
    assert_eq!(bench.providers.recall("https://gone.example", claims(&[])), Err(TokenError::UnknownIssuer));
}
