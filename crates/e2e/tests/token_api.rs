//! Managed tokens over HTTP, from issuing to their end, with a stand-in provider.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, RunningProxy, StandIns, stand_in_config};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const TOKENS: &str = "tokens:\n  store: {embedded: {path: tokens.redb}}\n";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{client}:{secret}").as_bytes()))
}

async fn form(client: &Client, path: &str, authorization: Option<&str>, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    client.send(Method::POST, path, &headers, Bytes::from(body)).await
}

/// The token of a client by its credentials.
async fn issue(world: &StandIns, fields: &[(&str, &str)]) -> Reply {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend(fields);
    form(&world.anonymous(), "/oauth/token", Some(&basic("agent", "s3cret")), &all).await
}

/// Exchanges a provider's token.
async fn exchange(world: &StandIns, token: &str, fields: &[(&str, &str)]) -> Reply {
    let mut all =
        vec![("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    all.extend(fields);
    form(&world.anonymous(), "/oauth/token", None, &all).await
}

/// Secret and id of an issued token.
fn issued(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("token_id"))
}

async fn start(extra: &str) -> StandIns {
    let world = StandIns::start_with(&format!("{TOKENS}{extra}")).await;
    world.provider.add_client("agent", "s3cret", &["read:logs-*", "read:metrics-*"]);
    world
}

/// What became of a request with this token: status, and the reason code where it is refused.
async fn search(world: &StandIns, token: &str, index: &str) -> (u16, String) {
    let reply = world.anonymous().with_token(token).get(&format!("/{index}/_search")).await;
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status.as_u16(), code)
}

fn passes() -> (u16, String) {
    (200, String::new())
}

fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}

#[tokio::test]
async fn a_client_gets_a_token_uses_it_lists_it_and_ends_it() {
    let world = start("").await;
    let reply = issue(
        &world,
        &[
            ("scope", "read:logs-*"),
            ("expires_in", "1800"),
            ("name", "nightly"),
            ("metadata", "{\"team\":\"ops\"}"),
        ],
    )
    .await;
    assert_eq!(
        (reply.header("cache-control"), reply.header("content-type")),
        ("no-store", "application/json")
    );
    let answer = reply.json();
    let (secret, id) = issued(&reply);
    assert!(secret.starts_with("osat_") && secret.len() == 54, "prefix, random part, checksum");
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"], &answer["scope"], &answer["status"]),
        (&json!("Bearer"), &json!(1800), &json!("read:logs-*"), &json!("active"))
    );
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["operation"], &record["decision"], &record["client_id"], &record["targets"]),
        (&json!("oauth.token.issue"), &json!("allow"), &json!("agent"), &json!([id]))
    );

    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["token_id"], &record["client_id"], &record["scopes"], &record["permitted_by"]),
        (&json!(id), &json!("agent"), &json!(["read:logs-*"]), &json!(["read:logs-*"]))
    );
    let seen = world.engine.seen();
    assert!(!format!("{seen:?}").contains(&secret), "the engine does not see it");
    assert_eq!(search(&world, &secret, "metrics-a").await, (403, "insufficient_scope".to_owned()));

    let own = world.anonymous().with_token(
        world
            .provider
            .build_token()
            .claim("sub", "agent")
            .claim("client_id", "agent")
            .claim("scope", "")
            .sign(),
    );
    let list = own.get("/oauth/tokens?client_id=agent&status=active").await.json();
    let shown = own.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!(list, json!({"tokens": [shown], "next_cursor": null}));
    assert_eq!(
        (
            &shown["name"],
            &shown["metadata"],
            &shown["status"],
            &shown["scopes"],
            &shown["owner"]["client_id"]
        ),
        (
            &json!("nightly"),
            &json!({"team": "ops"}),
            &json!("active"),
            &json!(["read:logs-*"]),
            &json!("agent")
        )
    );
    assert!(shown["last_used"]["at"].is_string() && shown["last_used"]["address"] == "127.0.0.1", "{shown}");
    assert!(shown.get("claims").is_none() && !shown.to_string().contains(&secret));

    for _ in 0..2 {
        let reply = own.get_or(Method::DELETE, &format!("/oauth/token/{id}?reason=done")).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
    let shown = own.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!((&shown["status"], &shown["revoked"]["reason"]), (&json!("revoked"), &json!("done")));
    let trail = format!("{:?}", world.proxy.audit().await);
    assert!(!trail.contains(&secret) && !trail.contains("s3cret"), "no secret in the audit trail");
}

/// Holds an answer against the published description of its operation.
fn as_described(document: &Value, name: &str, reply: &Reply) {
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
async fn credentials_that_the_provider_does_not_know() {
    let world = start("").await;
    let client = world.anonymous();
    let grant = ("grant_type", "client_credentials");
    let reply = form(&client, "/oauth/token", Some(&basic("agent", "wrong")), &[grant]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    assert_eq!(reply.header("www-authenticate"), "Basic realm=\"oauth\"");
    assert!(!reply.text().contains("words of the provider"), "its words are not repeated");
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["reason"], &record["client_id"], &record["decision"]),
        (&json!("oauth_invalid_client"), &json!("agent"), &json!("deny"))
    );
    let posted = [grant, ("client_id", "agent"), ("client_secret", "s3cret")];
    issued(&form(&client, "/oauth/token", None, &posted).await);
    let both = form(&client, "/oauth/token", Some(&basic("agent", "s3cret")), &posted).await;
    assert_eq!((both.status, &both.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));

    // The provider does not know this scope, but a mapping may: then what the client holds by default counts.
    let reply = issue(&world, &[("scope", "read:logs-2026")]).await;
    assert_eq!(reply.json()["scope"], "read:logs-2026", "{}", reply.text());
    let reply = issue(&world, &[("scope", "read:secrets")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));

    world.provider.set_down(true);
    let reply = issue(&world, &[]).await;
    assert_eq!(
        (reply.status, &reply.json()["error"], reply.header("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"), "5")
    );
}

#[tokio::test]
async fn an_exchange_narrows_and_never_widens() {
    let world = start("").await;
    let token = world.provider.token("read:logs-* read:metrics-*");
    let reply = exchange(&world, &token, &[("scope", "read:logs-2026-*")]).await;
    assert_eq!(reply.json()["issued_token_type"], ACCESS_TOKEN);
    let (secret, _) = issued(&reply);
    assert_eq!(search(&world, &secret, "logs-2026-01").await, passes());
    for index in ["logs-2025-01", "metrics-a", "logs-*"] {
        assert_eq!(search(&world, &secret, index).await.0, 403, "{index}");
    }
    let all = exchange(&world, &token, &[]).await.json();
    assert_eq!(all["scope"], "read:metrics-* read:logs-*", "without a scope asked, all that is held");

    /// Subject token, further fields, error, reason code.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let now = world.provider.build_token().claims()["iat"].as_u64().unwrap();
    let expired = world.provider.build_token().claim("exp", now - 100).sign();
    let table: [Case<'_>; 9] = [
        (&token, &[("scope", "read:*")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "read:logs-* write:logs-*")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "openid")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "role:all_access")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("audience", "elsewhere")], "invalid_target", "oauth_invalid_target"),
        (&token, &[("resource", "https://elsewhere.example")], "invalid_target", "oauth_invalid_target"),
        (&secret, &[], "invalid_request", "oauth_invalid_request"),
        (&expired, &[], "invalid_request", "expired"),
        ("not.a.token", &[], "invalid_request", "opaque_not_accepted"),
    ];
    for (token, fields, error, reason) in table {
        let reply = exchange(&world, token, fields).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!(error)),
            "{fields:?}"
        );
        assert_eq!(world.proxy.last_audit().await["reason"], reason, "{fields:?}");
    }
    let resource =
        exchange(&world, &token, &[("resource", "https://localhost:8443/"), ("audience", "main")]).await;
    issued(&resource);
}

#[tokio::test]
async fn who_acts_for_the_subject_is_kept() {
    let world = start("").await;
    let issuer = world.provider.issuer();
    let token = |subject: &str, more: &[(&str, Value)]| {
        let mut token = world.provider.build_token().claim("sub", subject).claim("scope", "read:logs-*");
        for (name, value) in more {
            token = token.claim(name, value.clone());
        }
        token.sign()
    };
    let actor = token("robot", &[("client_id", json!("robot-client"))]);
    let acting = [("actor_token", actor.as_str()), ("actor_token_type", ACCESS_TOKEN)];
    let chain = token("alice", &[("act", json!({"sub": "first"})), ("may_act", json!({"sub": "robot"}))]);
    let (_, id) = issued(&exchange(&world, &chain, &acting).await);
    let owner = world.anonymous().with_token(token("alice", &[]));
    let shown = owner.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!(
        shown["act"],
        json!({"iss": issuer, "sub": "robot", "client_id": "robot-client", "act": {"sub": "first"}}),
    );
    for may_act in [
        json!({"sub": "somebody"}),
        json!({"sub": "robot", "iss": "https://x.example"}),
        json!({"x": "y"}),
        json!("robot"),
    ] {
        let subject = token("alice", &[("may_act", may_act.clone())]);
        let reply = exchange(&world, &subject, &acting).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{may_act}"
        );
    }
}

#[tokio::test]
async fn managed_tokens_are_never_shown_to_a_provider() {
    let world = StandIns::start().await;
    let introspection = format!(
        "    introspection: {{endpoint: {}/introspect, client_id: p, client_secret: literal:x}}\n",
        world.provider.issuer()
    );
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let config = config
        .replace("    min_refetch_interval: 1s\n", &format!("    min_refetch_interval: 1s\n{introspection}"));
    // The provider would say of any token that it is good for everything.
    world.provider.set_introspection(json!({
        "active": true, "aud": "opensearch-proxy", "sub": "x", "client_id": "x", "scope": "read:*",
    }));
    let with = RunningProxy::start(ProxyFiles::new(), &format!("{config}{TOKENS}")).await;
    let without = RunningProxy::start(ProxyFiles::new(), &config).await;
    let unknown = "osat_00000000000000000000000000000000000000000000000000";
    for (proxy, token, code) in [
        (&with, "opaque-one", ""),
        (&with, "osat_abc", "managed_token_malformed"),
        (&with, unknown, "managed_token_malformed"),
        (&without, "opaque-one", ""),
        (&without, "osat_abc", "opaque_not_accepted"),
    ] {
        let reply = Client::new(proxy.address, &proxy.ca()).with_token(token).get("/logs-a/_search").await;
        let found = if reply.status.is_success() { String::new() } else { reply.code() };
        assert_eq!(found, code, "{token}");
    }
}

#[tokio::test]
async fn own_tokens_for_everyone_all_for_governance() {
    let world = start("").await;
    let alice = world.provider.build_token().claim("sub", "alice").claim("scope", "read:logs-*").sign();
    let (secret, id) = issued(&exchange(&world, &alice, &[]).await);
    let with = |subject: &str, scope: &str| {
        world
            .anonymous()
            .with_token(world.provider.build_token().claim("sub", subject).claim("scope", scope).sign())
    };
    let path = format!("/oauth/token/{id}");
    // Whoever it is not for learns nothing of it, whatever else they hold.
    for mallory in [with("mallory", "read:*"), with("mallory", "admin:*"), with("mallory", "")] {
        for reply in [mallory.get(&path).await, mallory.get_or(Method::DELETE, &path).await] {
            assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::NOT_FOUND, &json!("not_found")));
        }
        assert_eq!(mallory.get("/oauth/tokens").await.json()["tokens"], json!([]));
        let all = mallory.json(Method::POST, "/oauth/tokens/revoke", &json!({"all": true})).await.json();
        assert_eq!(all["matched"], 0);
        for path in ["/oauth/revocations"] {
            let reply = mallory.get(path).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN);
            assert!(reply.header("www-authenticate").contains("scope=\"monitor:tokens\""));
        }
    }
    let monitor = with("auditor", "monitor:tokens");
    assert_eq!(monitor.get(&path).await.json()["token_id"], *id);
    let reply = monitor.get_or(Method::DELETE, &path).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
    assert!(reply.header("www-authenticate").contains("scope=\"admin:tokens\""));
    // A managed token speaks for itself alone.
    let (other, _) = issued(&exchange(&world, &alice, &[("scope", "read:logs-1")]).await);
    let narrow = world.anonymous().with_token(&other);
    assert_eq!(narrow.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(narrow.get("/oauth/tokens").await.status, StatusCode::FORBIDDEN);
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    let admin = with("lead", "admin:tokens");
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
}

#[tokio::test]
async fn rotation_gives_a_new_secret_to_who_holds_as_much() {
    let world = start("").await;
    let wide = world.provider.token("read:logs-* read:metrics-*");
    let (old, id) = issued(&exchange(&world, &wide, &[]).await);
    let rotate = format!("/oauth/token/{id}/rotate");
    // A token that holds less does not get one that holds more, not even of its own subject.
    for token in [world.provider.token("read:logs-*"), world.provider.token("admin:tokens read:logs-*")] {
        let reply = world.anonymous().with_token(token).json(Method::POST, &rotate, &json!({})).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
        );
    }
    let owner = world.anonymous().with_token(&wide);
    let (new, new_id) = issued(&owner.json(Method::POST, &rotate, &json!({"overlap": 600})).await);
    for secret in [&old, &new] {
        assert_eq!(search(&world, secret, "metrics-a").await, passes());
    }
    let again = owner.json(Method::POST, &rotate, &json!({})).await;
    assert_eq!((again.status, &again.json()["error"]), (StatusCode::CONFLICT, &json!("conflict")));
    let shown = owner.get(&format!("/oauth/token/{new_id}")).await.json();
    assert_eq!(shown["rotated_from"], *id);
    // By itself, and at once.
    let itself = world.anonymous().with_token(&new);
    let rotated = itself.json(Method::POST, &format!("/oauth/token/{new_id}/rotate"), &json!({})).await;
    let (newest, _) = issued(&rotated);
    assert_eq!(search(&world, &new, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &newest, "logs-a").await, passes());
}

#[tokio::test]
async fn many_are_ended_at_once_after_a_look() {
    let world = start("").await;
    let token = world.provider.token("read:logs-* read:metrics-*");
    let mut secrets = Vec::new();
    for scope in ["read:logs-a", "read:logs-b", "read:metrics-a"] {
        secrets.push(issued(&exchange(&world, &token, &[("scope", scope)]).await));
    }
    let owner = world.anonymous().with_token(&token);
    let revoke = async |body: Value| owner.json(Method::POST, "/oauth/tokens/revoke", &body).await;
    for body in [
        json!({}),
        json!({"all": true, "scope": "read:logs-*"}),
        json!({"scopes": "x"}),
        json!({"dry_run": true}),
    ] {
        assert_eq!(revoke(body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let tried = revoke(json!({"scope": "read:logs-*", "dry_run": true})).await.json();
    assert_eq!((&tried["matched"], &tried["revoked"]), (&json!(2), &json!(0)));
    assert_eq!(search(&world, &secrets[0].0, "logs-a").await, passes());
    let done = revoke(json!({"scope": "read:logs-*", "reason": "leaked"})).await.json();
    assert_eq!((&done["matched"], &done["revoked"]), (&json!(2), &json!(2)));
    let record = world.proxy.last_audit().await;
    assert_eq!(record["targets"].as_array().unwrap().len(), 2);
    for (secret, _) in &secrets[..2] {
        assert_eq!(search(&world, secret, "logs-a").await, refused("managed_token_revoked"));
    }
    assert_eq!(search(&world, &secrets[2].0, "metrics-a").await, passes());
    // Pages.
    let page = owner.get("/oauth/tokens?limit=2&sort=-created_at").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = owner.get(&format!("/oauth/tokens?limit=2&sort=-created_at&cursor={cursor}")).await.json();
    assert_eq!((page["tokens"].as_array().unwrap().len(), rest["tokens"].as_array().unwrap().len()), (2, 1));
    for query in
        ["limit=0", "limit=9999", "cursor=x", "sort=x", "status=x", "limit=1&limit=2", "access_token=x"]
    {
        assert_eq!(
            owner.get(&format!("/oauth/tokens?{query}")).await.status,
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
}

#[tokio::test]
async fn whoever_holds_a_token_may_end_it() {
    let world = start("").await;
    let client = world.anonymous();
    let token = world.provider.build_token().claim("jti", "j-1").claim("scope", "read:logs-*").sign();
    let (secret, _) = issued(&exchange(&world, &token, &[]).await);
    let (kept, _) = issued(&exchange(&world, &token, &[]).await);
    for text in [secret.as_str(), secret.as_str(), "osat_nothing", "nothing", "a.b.c", "not a token at all"] {
        let reply = form(&client, "/oauth/revoke", None, &[("token", text)]).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0), "{text}");
    }
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &kept, "logs-a").await, passes());
    // A provider's token, verified and cached before, and what was made from it.
    assert_eq!(search(&world, &token, "logs-a").await, passes());
    assert_eq!(form(&client, "/oauth/revoke", None, &[("token", &token)]).await.status, StatusCode::OK);
    assert_eq!(search(&world, &token, "logs-a").await, refused("token_revoked"));
    assert_eq!(search(&world, &kept, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(exchange(&world, &token, &[]).await.status, StatusCode::BAD_REQUEST);
    let other = world.provider.build_token().claim("jti", "j-2").claim("scope", "read:logs-*").sign();
    assert_eq!(search(&world, &other, "logs-a").await, passes());
}

#[tokio::test]
async fn tokens_of_a_provider_are_revoked_by_what_they_say() {
    let world = start("").await;
    let admin = world
        .anonymous()
        .with_token(world.provider.build_token().claim("sub", "lead").claim("scope", "admin:tokens").sign());
    let bob = |issued_at: u64| {
        let token = world.provider.build_token().claim("sub", "bob").claim("client_id", "bobs-client");
        token.claim("iat", issued_at).claim("scope", "read:logs-*").sign()
    };
    let now = world.provider.build_token().claims()["iat"].as_u64().unwrap();
    let (old, new) = (bob(now - 60), bob(now));
    let (managed, _) = issued(&exchange(&world, &old, &[]).await);
    let before = moment(now - 30);
    let add = async |body: Value| admin.json(Method::POST, "/oauth/revocations", &body).await;
    for body in [
        json!({}),
        json!({"jti": "a", "subject": "b"}),
        json!({"subject": ""}),
        json!({"subject": "bob", "issuer": "https://elsewhere.example"}),
        json!({"subject": "bob", "until": "2001-01-01T00:00:00Z"}),
        json!({"subject": "bob", "also": 1}),
    ] {
        assert_eq!(add(body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let added = add(json!({"subject": "bob", "issuer": world.provider.issuer(), "issued_before": before, "reason": "stolen laptop"})).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    assert_eq!(search(&world, &old, "logs-a").await, refused("token_revoked"));
    assert_eq!(search(&world, &managed, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &new, "logs-a").await, passes());
    let listed = admin.get("/oauth/revocations").await.json();
    assert_eq!(listed["revocations"], json!([added.json()]));
    let path = format!("/oauth/revocations/{}", added.json()["revocation_id"].as_str().unwrap());
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(search(&world, &old, "logs-a").await, passes());
    assert_eq!(add(json!({"client_id": "bobs-client"})).await.status, StatusCode::CREATED);
    for token in [&old, &new] {
        assert_eq!(search(&world, token, "logs-a").await, refused("token_revoked"));
    }
    // With only `monitor:tokens` one may look.
    let monitor = world.client("monitor:tokens");
    assert_eq!(monitor.get("/oauth/revocations").await.status, StatusCode::OK);
    assert_eq!(
        monitor.json(Method::POST, "/oauth/revocations", &json!({"jti": "x"})).await.status,
        StatusCode::FORBIDDEN
    );
}

/// RFC 3339 of seconds since 1970.
fn moment(seconds: u64) -> String {
    jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn what_a_token_means_is_told_to_who_may_know() {
    let world = start("").await;
    let token = world.provider.token("read:logs-*");
    let (secret, id) = issued(&exchange(&world, &token, &[]).await);
    let owner = world.anonymous().with_token(&token);
    let ask = async |client: &Client, token: &str| {
        form(client, "/oauth/introspect", None, &[("token", token)]).await
    };
    let told = ask(&owner, &secret).await.json();
    assert_eq!(
        (&told["active"], &told["scope"], &told["client_id"], &told["jti"], &told["token_type"]),
        (&json!(true), &json!("read:logs-*"), &json!("tester"), &json!(id), &json!("Bearer"))
    );
    assert_eq!(ask(&owner, &token).await.json()["jti"], "token-1");
    let mallory = world.anonymous().with_token(world.provider.build_token().claim("sub", "mallory").sign());
    for token in [&secret, &token, "osat_nothing", "nothing"] {
        assert_eq!(ask(&mallory, token).await.json(), json!({"active": false}));
    }
    assert_eq!(ask(&world.client("monitor:tokens"), &secret).await.json()["active"], true);
    let reply = ask(&world.anonymous(), &secret).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    owner.get_or(Method::DELETE, &format!("/oauth/token/{id}")).await;
    assert_eq!(ask(&owner, &secret).await.json(), json!({"active": false}));
}

const POLICIES: &str = "  max_lifetime: 10d
  policies:
    - name: by-request
      when: {claim: {path: team, equals: interns}}
      scopes: [\"read:*\"]
      max_lifetime: 1h
      require: [name, metadata.ticket]
      approval: required
    - name: everybody
      when: {provider: stand-in, claim: {path: team, equals: staff}}
      scopes: [\"read:logs-*\"]
";

#[tokio::test]
async fn policies_say_who_may_have_what_and_who_must_agree() {
    let world = start(POLICIES).await;
    let of = |subject: &str, team: &str, scope: &str| {
        world.provider.build_token().claim("sub", subject).claim("team", team).claim("scope", scope).sign()
    };
    let staff = of("carol", "staff", "read:logs-* write:logs-*");
    assert_eq!(
        exchange(&world, &staff, &[]).await.json()["scope"],
        "read:logs-*",
        "what is held and allowed"
    );
    let reply = exchange(&world, &staff, &[("scope", "write:logs-*")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
    let long = exchange(&world, &staff, &[("expires_in", "99999999")]).await.json();
    assert_eq!(long["expires_in"], 864_000, "shortened to what is allowed");
    let reply = exchange(&world, &of("dave", "guests", "read:logs-*"), &[]).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (StatusCode::BAD_REQUEST, &json!("unauthorized_client"))
    );

    let intern = of("erin", "interns", "read:logs-* admin:tokens");
    let reply = exchange(&world, &intern, &[("name", "try")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
    let asked = [
        ("name", "try"),
        ("metadata", "{\"ticket\":\"T-1\"}"),
        ("scope", "read:logs-*"),
        ("expires_in", "7200"),
    ];
    let reply = exchange(&world, &intern, &asked).await;
    assert_eq!((&reply.json()["status"], &reply.json()["expires_in"]), (&json!("pending"), &json!(3600)));
    let (secret, id) = issued(&reply);
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_pending"));
    let erin = world.anonymous().with_token(&intern);
    let lead = world.anonymous().with_token(of("lead", "staff", "admin:tokens"));
    let waiting = lead.get("/oauth/requests").await.json();
    assert_eq!(waiting["tokens"][0]["token_id"], *id);
    let approve = format!("/oauth/requests/{id}/approve");
    let own = erin.json(Method::POST, &approve, &json!({})).await;
    assert_eq!((own.status, &own.json()["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
    let approved = lead.json(Method::POST, &approve, &json!({"reason": "T-1"})).await.json();
    assert_eq!(
        (&approved["status"], &approved["approved"]["by"]["subject"]),
        (&json!("active"), &json!("lead"))
    );
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    assert_eq!(lead.json(Method::POST, &approve, &json!({})).await.status, StatusCode::CONFLICT);

    let (secret, id) = issued(&exchange(&world, &intern, &asked).await);
    let deny = format!("/oauth/requests/{id}/deny");
    assert_eq!(lead.json(Method::POST, &deny, &json!({"reason": "no"})).await.json()["status"], "denied");
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_denied"));
    assert_eq!(lead.get("/oauth/requests").await.json()["tokens"], json!([]));
    assert_eq!(lead.get("/oauth/review").await.json(), json!({"findings": []}));
}

#[tokio::test]
async fn what_is_withdrawn_from_the_owner_is_withdrawn_from_the_token() {
    let mapping = "mappings:\n  - {scope: reader, grant: {scopes: [\"read:logs-*\", \"read:metrics-*\"]}}\n";
    let world = start(mapping).await;
    let (secret, _) = issued(&exchange(&world, &world.provider.token("reader"), &[]).await);
    assert_eq!(search(&world, &secret, "metrics-a").await, passes());
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let narrower = config.replace(", \\\"read:metrics-*\\\"", "").replace(", \"read:metrics-*\"", "");
    assert_ne!(config, narrower);
    world.proxy.rewrite_config(&narrower);
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(search(&world, &secret, "metrics-a").await, (403, "insufficient_scope".to_owned()));
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    // Nor does it become more when the owner does.
    world.proxy.rewrite_config(&config.replace("read:metrics-*", "read:*"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(search(&world, &secret, "other").await, (403, "insufficient_scope".to_owned()));
    // Another store needs another process.
    for other in [config.replace("tokens.redb", "others.redb"), config.replace(TOKENS, "")] {
        world.proxy.rewrite_config(&other);
        let error = world.proxy.reloader().try_reload().await.unwrap_err();
        assert_eq!(error.to_string(), "tokens.store cannot change while running; restart to change it");
    }
}

#[tokio::test]
async fn tokens_and_their_end_outlive_the_process() {
    let world = start("").await;
    let token = world.provider.token("read:logs-*");
    let (live, _) = issued(&exchange(&world, &token, &[]).await);
    let (dead, id) = issued(&exchange(&world, &token, &[]).await);
    let owner = world.anonymous().with_token(&token);
    assert_eq!(
        owner.get_or(Method::DELETE, &format!("/oauth/token/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
    let StandIns { provider, engine, proxy } = world;
    let stopped = proxy.stop().await;
    // A folder of its own, since the first proxy lives on in this process for a moment.
    let files = ProxyFiles::new();
    std::fs::copy(stopped.path("tokens.redb"), files.path("tokens.redb")).unwrap();
    let config = format!("{}{TOKENS}", stand_in_config(&files, &provider, &[&engine.url()]));
    let proxy = RunningProxy::start(files, &config).await;
    let world = StandIns { provider, engine, proxy };
    assert_eq!(search(&world, &live, "logs-a").await, passes());
    assert_eq!(search(&world, &dead, "logs-a").await, refused("managed_token_revoked"));
    let store = world.proxy.files().path("tokens.redb");
    let bytes = std::fs::read(&store).unwrap();
    for secret in [&live, &dead] {
        let random = &secret.as_bytes()[5..48];
        assert!(!bytes.windows(random.len()).any(|part| part == random), "only a hash is stored");
    }
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_cluster_that_gets_the_callers_own_token_gets_no_managed_one() {
    let world = StandIns::start().await;
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let node = world.engine.url();
    let own = "identity: {signed_jwt: {private_key: signing.pem}}\n";
    let clusters = format!(
        "{own}    path_prefix: /main\n    audience: of-main\n  - name: plain\n    nodes: [{node}]\n    path_prefix: /plain\n    audience: of-plain\n    identity: {{forward: {{}}}}\n"
    );
    let config = config.replace(own, &clusters);
    let files = ProxyFiles::new();
    let proxy = RunningProxy::start(files, &format!("{config}{TOKENS}")).await;
    let world = StandIns { proxy, ..world };
    let audiences = json!(["opensearch-proxy", "of-main", "of-plain"]);
    let token = world.provider.build_token().claim("aud", audiences).claim("scope", "read:logs-*").sign();
    let (secret, id) = issued(&exchange(&world, &token, &[]).await);
    assert_eq!(search(&world, &secret, "main/logs-a").await, passes());
    assert_eq!(search(&world, &secret, "plain/logs-a").await, (403, "no_rights".to_owned()));
    assert!(!format!("{:?}", world.engine.seen()).contains(&secret));
    let reply = exchange(&world, &token, &[("audience", "plain")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_target")));
    let reply = exchange(&world, &token, &[("audience", "main")]).await;
    let (secret, named) = issued(&reply);
    assert_ne!(id, named);
    assert_eq!(search(&world, &secret, "main/logs-a").await, passes());
    let shown = world.anonymous().with_token(&token).get(&format!("/oauth/token/{named}")).await.json();
    assert_eq!(shown["clusters"], json!(["main"]));
}

#[tokio::test]
async fn requests_that_are_not_as_they_should_be() {
    let world = start("").await;
    let token = world.provider.token("read:logs-*");
    let client = world.anonymous().with_token(&token);
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    let json_type = [("content-type", "application/json")];
    let big = "a".repeat(70_000);
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);
    let table: [Case<'_>; 13] = [
        (Method::GET, "/oauth/token", &[], "", 405),
        (Method::PUT, "/oauth/tokens", &[], "", 405),
        (Method::GET, "/oauth/nothing", &[], "", 404),
        (Method::GET, "/oauth/", &[], "", 404),
        (Method::GET, "/oauth/token/tok_", &[], "", 404),
        (Method::GET, "/oauth/token/tok_aaaaaaaaaaaaaaaaaaaa", &[], "", 404),
        (Method::POST, "/oauth/introspect", &json_type, "{}", 400),
        (Method::POST, "/oauth/introspect", &form_type, "token=a&token=b", 400),
        (Method::POST, "/oauth/introspect", &form_type, "", 400),
        (Method::POST, "/oauth/introspect", &form_type, &big, 400),
        (Method::POST, "/oauth/introspect", &form_type, "token=a&access_token=b", 400),
        (Method::POST, "/oauth/tokens/revoke", &form_type, "all=true", 400),
        (Method::POST, "/oauth/tokens/revoke", &json_type, "{\"all\":true,\"all\":false}", 400),
    ];
    for (method, path, headers, body, status) in table {
        let reply = client.send(method.clone(), path, headers, Bytes::from(body.to_owned())).await;
        assert_eq!(reply.status.as_u16(), status, "{method} {path}: {}", reply.text());
        assert!(reply.json()["error"].is_string() && reply.json()["error_description"].is_string());
        assert_eq!(reply.header("cache-control"), "no-store");
        let record = world.proxy.last_audit().await;
        assert_eq!(record["decision_id"], reply.header("x-decision-id"), "{path}");
        assert!(record["reason"].as_str().unwrap().starts_with("oauth_"), "{record}");
    }
    assert_eq!(client.get("/oauth/token").await.header("allow"), "POST");
    // Elsewhere nothing changes: a path that only looks alike is the engine's.
    assert_eq!(client.get("/oauth").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        StandIns::start().await.client("read:oauth").get("/oauth/_search").await.status,
        StatusCode::OK
    );
}
