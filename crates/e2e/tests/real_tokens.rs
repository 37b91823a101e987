//! Tokens of the real Keycloak through the whole proxy: every algorithm, and everything that must make one useless.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use e2e::{Client, Real, RealConfig, eventually};
use http::{Request, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use testbed::KeycloakInfo;
use transport::{HttpClient, TlsOptions, client_secret_basic};

fn with(real: &Real, token: &str) -> Client {
    real.anonymous().with_token(token)
}

async fn refused(real: &Real, token: &str, reason: &str) {
    let reply = with(real, token).get("/logs-*/_search").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, reason), "{}", reply.text());
    assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""));
    let record = real.proxy.last_audit().await;
    assert_eq!((record["layer"].as_str(), record["reason"].as_str()), (Some("token"), Some(reason)));
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn every_algorithm_that_keycloak_signs_with() {
    let real = Real::start(&RealConfig::default()).await;
    for (client, algorithm) in [
        ("langchain-agent", "RS256"),
        ("agent-es256", "ES256"),
        ("agent-eddsa", "EdDSA"),
        ("agent-ps256", "PS256"),
    ] {
        let token = real.testbed.keycloak.token(client, "read:logs-*").await.unwrap();
        assert_eq!(part(&token, 0)["alg"], algorithm);
        let reply = with(&real, &token).get("/logs-*/_search?size=1").await;
        assert_eq!(reply.status, StatusCode::OK, "{algorithm}: {}", reply.text());
        let record = real.proxy.last_audit().await;
        assert_eq!(record["client_id"], client);
        assert_eq!(record["token_id"], part(&token, 1)["jti"]);

        let mut forged = token.into_bytes();
        let middle = forged.len() - 20;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        refused(&real, std::str::from_utf8(&forged).unwrap(), "bad_signature").await;
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_configured_is_refused() {
    let real = Real::start(&RealConfig::default()).await;
    let text = std::fs::read_to_string(real.proxy.config_path()).unwrap();
    real.proxy.rewrite_config(&text.replace("[RS256, PS256, ES256, EdDSA]", "[ES256]"));
    real.proxy.reloader().try_reload().await.unwrap();
    let token = real.testbed.keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    refused(&real, &token, "algorithm_not_allowed").await;
    let token = real.testbed.keycloak.token("agent-es256", "read:logs-*").await.unwrap();
    assert_eq!(with(&real, &token).get("/logs-*/_search").await.status, StatusCode::OK);
}

#[tokio::test]
async fn tokens_for_others_and_of_others() {
    let real = Real::start(&RealConfig::default()).await;
    let keycloak = &real.testbed.keycloak;
    let elsewhere = keycloak.token("other-audience", "read:logs-*").await.unwrap();
    let audience = part(&elsewhere, 1)["aud"].clone();
    refused(&real, &elsewhere, if audience.is_null() { "missing_claim" } else { "wrong_audience" }).await;
    let foreign = keycloak.token_of(&keycloak.foreign_issuer, "langchain-agent", "").await.unwrap();
    refused(&real, &foreign, "unknown_issuer").await;
}

#[tokio::test]
async fn a_token_ends_when_it_says_so_cached_or_not() {
    let config = RealConfig { provider: "    leeway: 0s\n".to_owned(), ..RealConfig::default() };
    let real = Real::start(&config).await;
    let token = real.testbed.keycloak.token("short-lived", "read:logs-*").await.unwrap();
    let client = with(&real, &token);
    assert_eq!(client.get("/logs-*/_search").await.status, StatusCode::OK);
    let reply = eventually("it is refused", async || {
        let reply = client.get("/logs-*/_search").await;
        (reply.status != StatusCode::OK).then_some(reply)
    })
    .await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "expired"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now >= part(&token, 1)["exp"].as_u64().unwrap(), "not before its time");
}

#[tokio::test]
async fn a_users_groups_give_her_what_the_mapping_says() {
    let mappings = "\
mappings:
  - group: sre
    grant: {scopes: [\"read:metrics-*\"]}
  - group: developers
    grant: {scopes: [\"read:logs-*\"]}
";
    let config = RealConfig { extra: mappings.to_owned(), ..RealConfig::default() };
    let real = Real::start(&config).await;
    let statuses = async |user: &str| {
        let client = with(&real, &real.testbed.keycloak.user_token(user, "").await.unwrap());
        let metrics = client.get("/metrics-*/_search").await.status;
        let logs = client.get("/logs-*/_search").await.status;
        let who = client.get("/_plugins/_security/authinfo").await.json();
        (metrics, logs, who["user_name"].as_str().unwrap_or_default().to_owned())
    };
    let alice = statuses("alice").await;
    assert_eq!(alice, (StatusCode::OK, StatusCode::FORBIDDEN, "keycloak:alice".to_owned()));
    let bob = statuses("bob").await;
    assert_eq!(bob, (StatusCode::FORBIDDEN, StatusCode::OK, "keycloak:bob".to_owned()));
    let record = real.proxy.last_audit().await;
    assert_eq!((record["user_id"].as_str(), record["client_id"].as_str()), (Some("bob"), Some("test-login")));
}

#[tokio::test]
async fn what_keycloak_revokes_is_refused_when_the_answer_is_no_longer_fresh() {
    let provider = "    introspection:
      client_id: opensearch-proxy
      client_secret: literal:opensearch-proxy-secret
      introspect_jwt: true
      cache: 1s
      negative_cache: 1s
";
    let real = Real::start(&RealConfig { provider: provider.to_owned(), ..RealConfig::default() }).await;
    let keycloak = &real.testbed.keycloak;
    let token = keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    let untouched = keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    for token in [&token, &untouched] {
        let reply = with(&real, token).get("/logs-*/_search").await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    let url = format!("{}/protocol/openid-connect/revoke", keycloak.issuer).parse().unwrap();
    let http = HttpClient::new(&TlsOptions::default(), None, Duration::from_secs(30), 1 << 20).unwrap();
    let secret = client_secret_basic("langchain-agent", &KeycloakInfo::secret("langchain-agent"));
    let revoked = http.post_form(&url, &[("token", &token)], Some(&secret)).await.unwrap();
    assert_eq!(revoked.status, StatusCode::OK);
    let reply = eventually("the revoked token is refused", async || {
        let reply = with(&real, &token).get("/logs-*/_search").await;
        (reply.status != StatusCode::OK).then_some(reply)
    })
    .await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "not_active"));
    assert_eq!(with(&real, &untouched).get("/logs-*/_search").await.status, StatusCode::OK);
}

/// A proof of possession for the token endpoint (RFC 9449 section 4.2).
fn proof(endpoint: &str) -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let mut head = Header::new(Algorithm::ES256);
    head.typ = Some("dpop+jwt".to_owned());
    head.jwk = Some(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    if let Some(jwk) = &mut head.jwk {
        jwk.common = jsonwebtoken::jwk::CommonParameters::default();
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({
        "jti": format!("proof-{}", now.as_nanos()), "htm": "POST", "htu": endpoint, "iat": now.as_secs(),
    });
    jsonwebtoken::encode(&head, &claims, &key).unwrap()
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_not_taken_from_whoever_carries_it() {
    let real = Real::start(&RealConfig::default()).await;
    let endpoint = format!("{}/protocol/openid-connect/token", real.testbed.keycloak.issuer);
    let http = HttpClient::new(&TlsOptions::default(), None, Duration::from_secs(30), 1 << 20).unwrap();
    let request = Request::post(&endpoint)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, client_secret_basic("dpop-agent", &KeycloakInfo::secret("dpop-agent")))
        .header("dpop", proof(&endpoint))
        .body(Bytes::from_static(b"grant_type=client_credentials&scope=read%3Alogs-*"))
        .unwrap();
    let answer = http.send(request).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let token = answer["access_token"].as_str().unwrap_or_else(|| unreachable!("{answer}")).to_owned();
    assert!(part(&token, 1)["cnf"]["jkt"].is_string(), "Keycloak binds it: {}", part(&token, 1));
    refused(&real, &token, "sender_constrained").await;
}
