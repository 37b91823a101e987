//! The token service beside providers, clusters, the disk and odd requests.

use std::os::unix::fs::PermissionsExt as _;

use bytes::Bytes;
use e2e::{Client, ProxyFiles, RunningProxy, StandIns, stand_in_config};
use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{TOKENS, exchange, issued, passes, refused, search, start};

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

/// Method, path, headers, body, status.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);

#[tokio::test]
async fn requests_that_are_not_as_they_should_be() {
    let world = start("").await;
    let token = world.provider.token("read:logs-*");
    let client = world.anonymous().with_token(&token);
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    let json_type = [("content-type", "application/json")];
    let big = "a".repeat(70_000);
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
    // A secret in the place of an id is not written down.
    let (secret, _) = issued(&exchange(&world, &token, &[]).await);
    assert_eq!(client.get(&format!("/oauth/token/{secret}")).await.status, StatusCode::NOT_FOUND);
    let record = world.proxy.last_audit().await;
    assert!(!record.to_string().contains(&secret[5..]), "{record}");
    let metric = "token_operations_total{operation=\"oauth.token.issue\",status=\"2xx\"}";
    assert_eq!(world.proxy.metric(metric).await, Some(1.0));
    // Elsewhere nothing changes: a path that only looks alike is the engine's.
    assert_eq!(client.get("/oauth").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        StandIns::start().await.client("read:oauth").get("/oauth/_search").await.status,
        StatusCode::OK
    );
}
