use e2e::{Real, RealConfig};
use http::{Method, StatusCode};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::person::Person;

/// The variable by which the program is given a token of the proxy's own.
const TOKEN: &str = "OPENSEARCH_AUTH_TOKEN";

fn config(more: &str) -> RealConfig {
    RealConfig {
        extra: format!("tokens:\n  store: {{embedded: {{path: tokens.redb}}}}\n{more}"),
        ..RealConfig::default()
    }
}

fn id_of(told: &str) -> &str {
    let at = told.find("tok_").unwrap();
    told[at..].split([' ', '\n']).next().unwrap()
}

fn secret_of(told: &str) -> &str {
    told.lines().find_map(|line| line.strip_prefix("Token: ")).unwrap()
}

#[tokio::test]
async fn a_narrower_token_is_made_used_rotated_and_revoked() {
    let real = Real::start(&config("")).await;
    let person = Person::new(&real).await;
    person.log_in("alice", "read:logs-* read:metrics-*").await;
    let told = person
        .run(&["create-token", "--scopes", "read:logs-*", "--expires", "24h", "--name", "nightly"])
        .await
        .ok();
    assert!(told.starts_with("✅ Token created: tok_"), "{told}");
    let (id, secret) = (id_of(&told), secret_of(&told));
    let logs = ["curl", "/logs-*/_count", "--silent", "--fail-with-body"];
    let metrics = ["curl", "/metrics-*/_count", "--silent", "--fail-with-body"];
    assert!(person.run_with((TOKEN, secret), &logs).await.ok().contains("\"count\""));
    person.run_with((TOKEN, secret), &metrics).await.failed(22);
    person.run(&metrics).await.ok();

    let wider = person.run(&["create-token", "--scopes", "read:pii-customers"]).await.failed(1);
    assert!(wider.contains("invalid_scope"), "{wider}");

    let listed = person.run(&["list-tokens", "--status", "active", "--output", "json"]).await.ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["tokens"][0]["token_id"], id, "{listed}");
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1, "{listed}");
    let shown = person.run(&["show-token", id]).await.ok();
    for part in ["nightly", "read:logs-*", "active"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let told = person.run(&["rotate-token", "--token-id", id]).await.ok();
    let (next, next_secret) = (id_of(&told), secret_of(&told));
    assert_ne!(next, id);
    person.run_with((TOKEN, secret), &logs).await.failed(22);
    person.run_with((TOKEN, next_secret), &logs).await.ok();

    assert_eq!(person.run(&["revoke-token", "--token-id", next]).await.ok(), "✅ Token revoked\n");
    let said = person.run_with((TOKEN, next_secret), &["list-tokens"]).await.failed(4);
    assert!(said.contains("invalid_token"), "{said}");
    person.run_with((TOKEN, next_secret), &logs).await.failed(22);
    person.leave().await;
}

#[tokio::test]
async fn a_token_for_a_service_is_made_with_its_secret_and_many_are_revoked_at_once() {
    let real = Real::start(&config("")).await;
    let person = Person::new(&real).await;
    let secret = ("OPENSEARCH_AUTH_CLIENT_SECRET", "langchain-agent-secret");
    let create =
        ["create-token", "--client-id", "langchain-agent", "--scopes", "read:logs-*", "--expires", "1h"];
    let told = person.run_with(secret, &create).await.ok();
    let token = secret_of(&told).to_owned();
    person.run_with((TOKEN, &token), &["curl", "/logs-*/_count", "--silent", "--fail"]).await.ok();
    let wrong = ("OPENSEARCH_AUTH_CLIENT_SECRET", "wrong");
    let said = person.run_with(wrong, &create).await.failed(1);
    assert!(said.contains("invalid_client"), "{said}");

    person.log_in("alice", "read:logs-*").await;
    for name in ["one", "two"] {
        person.run(&["create-token", "--name", name]).await.ok();
    }
    let told = person.run(&["revoke-token", "--scope", "read:logs-*", "--dry-run"]).await.ok();
    assert!(told.contains("one") && told.ends_with("2 tokens would be revoked\n"), "{told}");
    let told = person.run(&["revoke-token", "--scope", "read:logs-*", "--yes"]).await.ok();
    assert_eq!(told, "✅ 2 tokens revoked\n");
    // That of the service is not hers.
    person.run_with((TOKEN, &token), &["curl", "/logs-*/_count", "--silent", "--fail"]).await.ok();
    person.leave().await;
}

#[tokio::test]
async fn what_somebody_else_must_approve() {
    let policies = "  policies:\n    - {name: careful, scopes: ['read:*'], approval: required}\n\
                    mappings:\n  - {scope: 'monitor:cluster', grant: {scopes: ['admin:tokens']}}\n";
    let real = Real::start(&config(policies)).await;
    let (bob, alice) = (Person::new(&real).await, Person::new(&real).await);
    bob.log_in("bob", "read:logs-*").await;
    alice.log_in("alice", "read:logs-* monitor:cluster").await;
    let told = bob.run(&["create-token", "--scopes", "read:logs-*"]).await.ok();
    assert!(told.starts_with("⏳ Token requested: tok_"), "{told}");
    let (id, secret) = (id_of(&told), secret_of(&told));
    let logs = ["curl", "/logs-*/_count", "--silent", "--fail"];
    bob.run_with((TOKEN, secret), &logs).await.failed(22);
    let said = bob.run(&["requests", "approve", id]).await.failed(1);
    assert!(said.contains("admin:tokens"), "{said}");
    assert!(alice.run(&["requests", "list"]).await.ok().contains(id));
    alice.run(&["requests", "approve", id, "--reason", "as agreed"]).await.ok();
    bob.run_with((TOKEN, secret), &logs).await.ok();
    assert!(bob.run(&["show-token", id]).await.ok().contains("as agreed"));
    bob.leave().await;
    alice.leave().await;
}

#[tokio::test]
async fn a_service_that_signs_looks_after_its_tokens_without_a_secret() {
    let real = Real::start(&config("")).await;
    let person = Person::new(&real).await;
    let keycloak = &real.testbed.keycloak;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = person.home().join("key.pem");
    std::fs::write(&pem, key.serialize_pem()).unwrap();
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
    jwk["use"] = json!("sig");
    let id = format!("signing-{}", person.client_id());
    let client = json!({
        "clientId": id, "publicClient": false, "serviceAccountsEnabled": true, "standardFlowEnabled": false,
        "clientAuthenticatorType": "client-jwt",
        "attributes": {"use.jwks.string": "true", "jwks.string": json!({"keys": [jwk]}).to_string()},
        "defaultClientScopes": ["basic", "opensearch-audience", "read:logs-*"],
    });
    let clients = "/realms/opensearch/clients";
    let (status, answer) = keycloak.admin(&Method::POST, clients, Some(&client)).await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{answer}");

    let proof = ["--client-key", pem.to_str().unwrap()];
    let create =
        ["create-token", "--client-id", &id, "--scopes", "read:logs-*", "--provider-scopes", "basic"];
    let told = person.run(&[&create[..], &proof].concat()).await.ok();
    let (token, secret) = (id_of(&told), secret_of(&told));
    let logs = ["curl", "/logs-*/_count", "--silent", "--fail"];
    person.run_with((TOKEN, secret), &logs).await.ok();
    let as_client =
        async |command: &[&str]| person.run(&[command, &["--as-client", &id], &proof].concat()).await.ok();
    assert!(as_client(&["list-tokens"]).await.contains(token));
    assert!(as_client(&["show-token", token]).await.contains("read:logs-*"));
    let told = as_client(&["rotate-token", "--token-id", token]).await;
    let (next, next_secret) = (id_of(&told), secret_of(&told));
    person.run_with((TOKEN, next_secret), &logs).await.ok();
    assert_eq!(as_client(&["revoke-token", "--token-id", next]).await, "✅ Token revoked\n");
    person.run_with((TOKEN, next_secret), &logs).await.failed(22);

    let (_, found) = keycloak.admin(&Method::GET, &format!("{clients}?clientId={id}"), None).await.unwrap();
    let path = format!("{clients}/{}", found[0]["id"].as_str().unwrap());
    keycloak.admin(&Method::DELETE, &path, None).await.unwrap();
    person.leave().await;
}
