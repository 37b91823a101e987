//! Answers beside the published description.

use bytes::Bytes;
use e2e::Reply;
use http::Method;
use serde_json::{Value, json};

use crate::world::{basic, exchange, form, issued, passes, search, start};

/// Holds an answer against the published description of its operation.
pub(crate) fn as_described(document: &Value, name: &str, reply: &Reply) {
    let operations = document["paths"].as_object().unwrap().values();
    let operation = operations
        .flat_map(|item| item.as_object().unwrap().values())
        .find(|operation| operation["operationId"] == name)
        .unwrap();
    let mut response = &operation["responses"][reply.status.as_str()];
    if let Some(target) = response["$ref"].as_str() {
        response = document.pointer(target.trim_start_matches('#')).unwrap();
    }
    assert!(response["description"].is_string(), "{name} answers {}: {}", reply.status, reply.text());
    let schema = &response["content"]["application/json"]["schema"];
    if schema.is_null() {
        assert!(reply.body.is_empty(), "{name}: {}", reply.text());
        return;
    }
    let whole = json!({"allOf": [schema], "components": document["components"]});
    let validator = jsonschema::validator_for(&whole).unwrap();
    let errors: Vec<String> = validator.iter_errors(&reply.json()).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {}", reply.text());
}

#[tokio::test]
async fn answers_are_as_the_published_description_says() {
    let world = start(
        "  policies:\n    - {name: slow, when: {claim: {path: team, equals: slow}}, scopes: [\"read:*\"], approval: required}\n    - {name: all, scopes: [\"read:*\"]}\n",
    )
    .await;
    let client = world.anonymous();
    let document = client.get("/oauth/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let check = |name: &str, reply: &Reply| as_described(&document, name, reply);
    check("oauth.openapi", &client.get("/oauth/openapi.json").await);
    let metadata = client.get("/.well-known/oauth-authorization-server").await;
    check("oauth.metadata", &metadata);
    assert_eq!(metadata.json()["issuer"], "https://localhost:8443");
    assert_eq!(metadata.json()["token_endpoint"], "https://localhost:8443/oauth/token");

    let token = world.provider.token("read:logs-* admin:tokens");
    let owner = world.anonymous().with_token(&token);
    let body = |value: Value| Bytes::from(value.to_string());
    let headers = [("content-type", "application/json")];
    let post =
        async |path: String, value: Value| owner.send(Method::POST, &path, &headers, body(value)).await;
    let good =
        exchange(&world, &token, &[("scope", "read:logs-*"), ("name", "n"), ("description", "d")]).await;
    check("oauth.token.issue", &good);
    check("oauth.token.issue", &exchange(&world, &token, &[("scope", "read:x")]).await);
    check(
        "oauth.token.issue",
        &form(&client, "/oauth/token", Some(&basic("a", "b")), &[("grant_type", "client_credentials")]).await,
    );
    let (secret, id) = issued(&good);
    check("oauth.token.show", &owner.get(&format!("/oauth/token/{id}")).await);
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    check("oauth.token.show", &owner.get(&format!("/oauth/token/{id}")).await);
    check("oauth.token.show", &owner.get("/oauth/token/none").await);
    check("oauth.token.show", &client.get(&format!("/oauth/token/{id}")).await);
    check("oauth.tokens.list", &owner.get("/oauth/tokens?limit=1").await);
    check("oauth.tokens.list", &owner.get("/oauth/tokens?limit=0").await);
    check("oauth.introspect", &form(&owner, "/oauth/introspect", None, &[("token", &secret)]).await);
    check("oauth.introspect", &form(&owner, "/oauth/introspect", None, &[("token", "x")]).await);
    let rotated = post(format!("/oauth/token/{id}/rotate"), json!({"overlap": 60, "reason": "r"})).await;
    check("oauth.token.rotate", &rotated);
    check("oauth.token.rotate", &post(format!("/oauth/token/{id}/rotate"), json!({})).await);
    check("oauth.token.show", &owner.get(&format!("/oauth/token/{id}")).await);
    check(
        "oauth.tokens.revoke",
        &post("/oauth/tokens/revoke".to_owned(), json!({"all": true, "dry_run": true})).await,
    );
    check("oauth.tokens.revoke", &post("/oauth/tokens/revoke".to_owned(), json!({})).await);
    let (_, newer) = issued(&rotated);
    check("oauth.token.revoke", &owner.get_or(Method::DELETE, &format!("/oauth/token/{newer}")).await);
    check("oauth.token.show", &owner.get(&format!("/oauth/token/{newer}")).await);
    check("oauth.revoke", &form(&client, "/oauth/revoke", None, &[("token", &secret)]).await);
    check("oauth.revoke", &form(&client, "/oauth/revoke", None, &[]).await);

    let slow = world
        .provider
        .build_token()
        .claim("sub", "slow")
        .claim("team", "slow")
        .claim("scope", "read:logs-*")
        .sign();
    for decision in ["approve", "deny"] {
        let pending = exchange(&world, &slow, &[]).await;
        check("oauth.token.issue", &pending);
        let (_, id) = issued(&pending);
        check("oauth.requests.list", &owner.get("/oauth/requests").await);
        let path = format!("/oauth/requests/{id}/{decision}");
        check(&format!("oauth.requests.{decision}"), &post(path.clone(), json!({"reason": "r"})).await);
        check(&format!("oauth.requests.{decision}"), &post(path, json!({})).await);
    }
    check("oauth.review", &owner.get("/oauth/review").await);
    let revocations = "/oauth/revocations".to_owned();
    let added =
        post(revocations.clone(), json!({"jti": "j", "until": "2999-01-01T00:00:00Z", "reason": "r"})).await;
    check("oauth.revocations.add", &added);
    check("oauth.revocations.add", &post(revocations.clone(), json!({})).await);
    check("oauth.revocations.list", &owner.get(&revocations).await);
    check("oauth.revocations.list", &world.client("read:logs-*").get(&revocations).await);
    let path = format!("{revocations}/{}", added.json()["revocation_id"].as_str().unwrap());
    check("oauth.revocations.withdraw", &owner.get_or(Method::DELETE, &path).await);
    check("oauth.revocations.withdraw", &owner.get_or(Method::DELETE, &path).await);
}

#[tokio::test]
async fn a_service_with_clients_of_its_own_answers_as_described_too() {
    let world = start(
        "  authorization:\n    login: {client_id: proxy, client_secret: \"literal:x\"}\n    clients:\n      - {client_id: agent, name: Agent, grants: [device_code], scopes: [\"read:logs-*\"]}\n",
    )
    .await;
    let client = world.anonymous();
    let document = client.get("/oauth/openapi.json").await.json();
    let check = |name: &str, reply: &Reply| as_described(&document, name, reply);
    let metadata = client.get("/.well-known/oauth-authorization-server").await;
    check("oauth.metadata", &metadata);
    let metadata = metadata.json();
    assert_eq!(metadata["authorization_endpoint"], "https://localhost:8443/oauth/authorize");
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    for fields in [vec![("client_id", "agent")], vec![("client_id", "other")], vec![]] {
        check("oauth.device.begin", &form(&client, "/oauth/device_authorization", None, &fields).await);
    }
    let owner = world.client("read:logs-*");
    check("oauth.consents.list", &owner.get("/oauth/consents").await);
    check("oauth.consents.list", &client.get("/oauth/consents").await);
    let path = "/oauth/consents/con_aaaaaaaaaaaaaaaaaaaa";
    check("oauth.consents.withdraw", &owner.get_or(Method::DELETE, path).await);
    // Where there are none, nothing of it is served.
    let world = start("").await;
    let without = world.anonymous();
    let reply = form(&without, "/oauth/device_authorization", None, &[("client_id", "agent")]).await;
    check("oauth.device.begin", &reply);
    assert_eq!(reply.status, 404);
    assert_eq!(without.get("/oauth/device").await.status, 404);
}
