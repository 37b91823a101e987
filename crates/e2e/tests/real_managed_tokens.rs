//! Managed tokens with the real engine and the real Keycloak.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use e2e::{Client, Real, RealConfig, Reply};
use http::{Method, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use testbed::KeycloakInfo;
use transport::client_secret_basic;

const TOKENS: &str = "tokens:\n  store: {embedded: {path: tokens.redb}}\n";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn start(mappings: &str) -> Real {
    Real::start(&RealConfig { extra: format!("{mappings}{TOKENS}"), ..RealConfig::default() }).await
}

async fn form(client: &Client, path: &str, authorization: Option<&str>, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    client.send(Method::POST, path, &headers, Bytes::from(body)).await
}

fn basic(client: &str) -> String {
    client_secret_basic(client, &KeycloakInfo::secret(client)).to_str().unwrap().to_owned()
}

async fn exchange(real: &Real, token: &str, fields: &[(&str, &str)]) -> Reply {
    let mut all =
        vec![("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    all.extend(fields);
    form(&real.anonymous(), "/oauth/token", None, &all).await
}

fn issued(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("token_id"))
}

async fn outcome(real: &Real, token: &str, path: &str) -> (u16, String) {
    let reply = real.anonymous().with_token(token).get(path).await;
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status.as_u16(), code)
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_of_keycloak_gets_a_token_searches_with_it_and_ends_it() {
    let real = start("").await;
    let fields = [("grant_type", "client_credentials"), ("scope", "read:logs-*"), ("expires_in", "86400")];
    let client = real.anonymous();
    let reply = form(&client, "/oauth/token", Some(&basic("langchain-agent")), &fields).await;
    let (secret, id) = issued(&reply);

    let reply = client.clone().with_token(&secret).get("/logs-*/_search?size=1").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.json()["hits"]["total"]["value"].as_u64() > Some(0), "{}", reply.text());
    let record = real.proxy.last_audit().await;
    assert_eq!(record["engine_identity"]["user"], "keycloak:langchain-agent", "{record}");
    assert_eq!(record["token_id"], *id);
    assert_eq!(outcome(&real, &secret, "/metrics-*/_search").await, (403, "insufficient_scope".to_owned()));

    let own = real.client("langchain-agent", "").await;
    let listed = own.get("/oauth/tokens?status=active").await.json();
    assert_eq!(listed["tokens"][0]["token_id"], *id, "{listed}");
    assert!(listed["tokens"][0]["last_used"]["at"].is_string());
    let other = real.client("ops", "").await;
    assert_eq!(other.get("/oauth/tokens").await.json()["tokens"], json!([]));
    assert_eq!(
        own.get_or(Method::DELETE, &format!("/oauth/token/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(outcome(&real, &secret, "/logs-*/_search").await, (401, "managed_token_revoked".to_owned()));

    let secret = KeycloakInfo::secret("langchain-agent");
    let posted = [fields[0], fields[1], ("client_id", "langchain-agent"), ("client_secret", secret.as_str())];
    issued(&form(&client, "/oauth/token", None, &posted).await);
    let wrong = [fields[0], ("client_id", "langchain-agent"), ("client_secret", "wrong")];
    let reply = form(&client, "/oauth/token", None, &wrong).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
}

#[tokio::test]
async fn a_person_exchanges_her_token_for_a_narrower_one() {
    let mappings = "\
mappings:
  - group: sre
    grant: {scopes: [\"read:metrics-*\", \"read:logs-*\"]}
";
    let real = start(mappings).await;
    let alice = real.testbed.keycloak.user_token("alice", "").await.unwrap();
    let (secret, _) =
        issued(&exchange(&real, &alice, &[("scope", "read:logs-app-*"), ("name", "notebook")]).await);
    assert_eq!(outcome(&real, &secret, "/logs-app-*/_search").await, (200, String::new()));
    for path in ["/logs-*/_search", "/metrics-*/_search", "/logs-tenant-2026.11.24/_search"] {
        assert_eq!(outcome(&real, &secret, path).await, (403, "insufficient_scope".to_owned()), "{path}");
    }
    let record = real.proxy.last_audit().await;
    assert_eq!((&record["user_id"], &record["client_id"]), (&json!("alice"), &json!("test-login")));
    let reply = exchange(&real, &alice, &[("scope", "read:pii-*")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
    let bob = real.testbed.keycloak.user_token("bob", "").await.unwrap();
    let reply = exchange(&real, &bob, &[]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
}

#[tokio::test]
async fn a_token_of_keycloak_is_revoked_here_by_its_jti() {
    let mappings = "mappings:\n  - {group: sre, grant: {scopes: [\"admin:tokens\"]}}\n";
    let real = start(mappings).await;
    let keycloak = &real.testbed.keycloak;
    let token = keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    let untouched = keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    let (made_from_it, _) = issued(&exchange(&real, &token, &[]).await);
    for token in [&token, &untouched, &made_from_it] {
        assert_eq!(outcome(&real, token, "/logs-*/_search").await, (200, String::new()));
    }
    let lead = real.anonymous().with_token(keycloak.user_token("alice", "").await.unwrap());
    let body = json!({"jti": claims(&token)["jti"], "issuer": keycloak.issuer, "reason": "leaked"});
    let added = lead.json(Method::POST, "/oauth/revocations", &body).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    assert_eq!(outcome(&real, &token, "/logs-*/_search").await, (401, "token_revoked".to_owned()));
    assert_eq!(
        outcome(&real, &made_from_it, "/logs-*/_search").await,
        (401, "managed_token_revoked".to_owned())
    );
    assert_eq!(outcome(&real, &untouched, "/logs-*/_search").await, (200, String::new()));
}

#[tokio::test]
async fn a_client_that_signs_its_requests_needs_no_secret() {
    let real = start("").await;
    let keycloak = &real.testbed.keycloak;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
    jwk["kid"] = json!("one");
    jwk["use"] = json!("sig");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let id = format!("signing-{}", now.as_nanos());
    let client = json!({
        "clientId": id, "publicClient": false, "serviceAccountsEnabled": true, "standardFlowEnabled": false,
        "clientAuthenticatorType": "client-jwt",
        "attributes": {
            "use.jwks.string": "true",
            "jwks.string": json!({"keys": [jwk]}).to_string(),
            "token.endpoint.auth.signing.alg": "ES256",
        },
        "optionalClientScopes": ["read:logs-*"],
        "protocolMappers": [{
            "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "opensearch-proxy", "access.token.claim": "true"},
        }],
    });
    let clients = "/realms/opensearch/clients";
    let (status, answer) = keycloak.admin(&Method::POST, clients, Some(&client)).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let (_, found) = keycloak.admin(&Method::GET, &format!("{clients}?clientId={id}"), None).await.unwrap();
    let path = format!("{clients}/{}", found[0]["id"].as_str().unwrap());

    let assertion = |id: &str, jti: &str| {
        let mut head = Header::new(Algorithm::ES256);
        head.kid = Some("one".to_owned());
        let claims = json!({
            "iss": id, "sub": id, "aud": keycloak.issuer, "jti": jti, "iat": now.as_secs(), "exp": now.as_secs() + 60,
        });
        jsonwebtoken::encode(&head, &claims, &key).unwrap()
    };
    let ask = async |assertion: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "read:logs-*"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ];
        form(&real.anonymous(), "/oauth/token", None, &fields).await
    };
    let good = assertion(&id, "jti-1");
    let first = ask(&good).await;
    let again = ask(&good).await;
    let forged = ask(&assertion("langchain-agent", "jti-2")).await;
    let (status, answer) = keycloak.admin(&Method::DELETE, &path, None).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");

    let (secret, _) = issued(&first);
    assert_eq!(outcome(&real, &secret, "/logs-*/_search").await, (200, String::new()));
    for (reply, what) in [(again, "an assertion is good once"), (forged, "and for its own client")] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{what}: {}", reply.text());
        assert_eq!(reply.json()["error"], "invalid_client", "{what}");
    }
}
