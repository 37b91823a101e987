//! The identity `api_token`, against a stand-in for an engine that has API tokens.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, RunningProxy, StandInProvider, StandInTokenEngine, eventually};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const CERTIFICATE: &str = "certificate: {certificate: proxy.pem, private_key: proxy-key.pem}";
const PASSWORD: &str = "user: {name: token-admin, password: \"${file:admin-password}\"}";
const JWT: &str = "fallback: {signed_jwt: {private_key: signing.pem}}";
const CACHE: &str = "DELETE /_plugins/_security/api/cache";
const MAKE: &str = "POST /_plugins/_security/api/apitokens";

struct World {
    provider: StandInProvider,
    engine: StandInTokenEngine,
    proxy: RunningProxy,
}

impl World {
    /// One node; `settings` are of `api_token`, beside the administrator's certificate.
    async fn start(settings: &[&str]) -> Self {
        Self::start_as(CERTIFICATE, settings, 1, |_| ()).await
    }

    async fn start_as(
        admin: &str,
        settings: &[&str],
        nodes: usize,
        before: impl FnOnce(&StandInTokenEngine),
    ) -> Self {
        let files = ProxyFiles::new();
        files.write("admin-password", "adm1n");
        let engine = StandInTokenEngine::start(&files, nodes).await;
        before(&engine);
        let provider = StandInProvider::start().await;
        let config = config(&files, &provider, &engine, admin, settings);
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, engine, proxy }
    }

    fn client(&self, scope: &str) -> Client {
        self.with_token(self.provider.token(scope))
    }

    fn with_token(&self, token: String) -> Client {
        Client::new(self.proxy.address, &self.proxy.ca()).with_token(token)
    }

    async fn get(&self, scope: &str, path: &str) -> Reply {
        self.client(scope).get(path).await
    }

    fn calls(&self, call: &str) -> usize {
        self.engine.calls().iter().filter(|seen| *seen == call).count()
    }

    async fn metric(&self, name: &str) -> f64 {
        self.proxy.metric(&format!("{name}{{cluster=\"main\"}}")).await.unwrap()
    }

    async fn identity(&self) -> Value {
        self.proxy.last_audit().await["engine_identity"].clone()
    }
}

fn config(
    files: &ProxyFiles,
    provider: &StandInProvider,
    engine: &StandInTokenEngine,
    admin: &str,
    settings: &[&str],
) -> String {
    format!(
        "\
{base}providers:
  - name: stand-in
    issuer: {issuer}
    audiences: [opensearch-proxy]
clusters:
  - name: main
    nodes: [{nodes}]
    ca: ca.pem
    identity:
      api_token:
        admin: {{{admin}}}
        {settings}
mappings:
  - scope: with-role
    grant: {{scopes: [\"read:logs-*\"], roles: [tenant_a]}}
tokens:
  store: {{embedded: {{path: tokens.redb}}}}
",
        base = files.base_config(),
        issuer = provider.issuer(),
        nodes = engine.urls().join(", "),
        settings = settings.join("\n        "),
    )
}

fn live(engine: &StandInTokenEngine) -> usize {
    engine.tokens().iter().filter(|token| token.get("revoked_at").is_none()).count()
}

#[tokio::test]
async fn one_token_serves_all_requests_of_a_client_and_set_of_grants() {
    let world = World::start(&[]).await;
    let client = world.client("read:logs-*");
    let mut replies = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        replies.spawn(async move { client.get("/logs-a/_search").await.status });
    }
    assert!(replies.join_all().await.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(world.engine.made(), 1);
    let token = world.engine.tokens().pop().unwrap();
    assert!(token["name"].as_str().unwrap().starts_with("oauth-proxy-"));
    assert_eq!(token["index_permissions"][0]["index_pattern"], json!(["logs-*"]));
    assert_eq!(world.identity().await["kind"], "api_token");
    assert_eq!(world.identity().await["user"], format!("token:{}", token["name"].as_str().unwrap()));

    // Another person through the same client, and another token of the provider: the same.
    let person =
        world.provider.build_token().claim("scope", "read:logs-*").claim("preferred_username", "bob");
    assert_eq!(world.with_token(person.sign()).get("/logs-b/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 1);
    // Another client, and other grants: others.
    let other = world.provider.build_token().claim("scope", "read:logs-*").claim("client_id", "other").sign();
    assert_eq!(world.with_token(other).get("/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.get("read:logs-a", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 3);
    assert!((world.metric("api_tokens_held").await - 3.0).abs() < f64::EPSILON);
    assert!((world.metric("api_tokens_made_total").await - 3.0).abs() < f64::EPSILON);
    // The secret of a token is written down nowhere.
    let written = json!(world.proxy.audit().await).to_string() + &world.proxy.admin("/metrics").await.text();
    assert!(!written.contains("os_0"));
}

#[tokio::test]
async fn what_the_proxy_allows_the_token_allows() {
    let world = World::start(&[]).await;
    let bulk = "{\"index\":{\"_index\":\"logs-a\"}}\n{\"a\":1}\n";
    let searches = "{\"index\":\"logs-a\"}\n{}\n";
    for (scope, method, path, body) in [
        ("read:logs-*", Method::GET, "/logs-a/_search", ""),
        ("read:logs-*", Method::GET, "/logs-a/_doc/1", ""),
        ("read:logs-*", Method::GET, "/", ""),
        ("read:logs-*", Method::POST, "/_mget", "{\"docs\":[{\"_index\":\"logs-a\",\"_id\":\"1\"}]}"),
        ("read:logs-*", Method::POST, "/_msearch", searches),
        ("write:logs-*", Method::PUT, "/logs-a/_doc/1", "{}"),
        ("write:logs-*", Method::POST, "/_bulk", bulk),
        ("monitor:cluster", Method::GET, "/_cluster/health", ""),
    ] {
        let headers: &[(&str, &str)] = match path {
            "/_bulk" | "/_msearch" => &[("content-type", "application/x-ndjson")],
            _ if body.is_empty() => &[],
            _ => &[("content-type", "application/json")],
        };
        let reply = world.client(scope).send(method, path, headers, Bytes::from(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{scope} {path}: {}", reply.text());
        let used = world.engine.uses().pop().unwrap();
        assert!(used.user.unwrap().starts_with("token:"), "{path}");
    }
}

#[tokio::test]
async fn a_restart_is_found_out_and_healed_without_another_token() {
    let world = World::start(&[]).await;
    let clients = ["read:logs-*", "read:logs-a"].map(|scope| world.client(scope));
    for client in &clients {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    }
    world.engine.restart();
    let mut replies = tokio::task::JoinSet::new();
    for client in clients.iter().cycle().take(12) {
        let client = client.clone();
        replies.spawn(async move { client.get("/logs-a/_search").await.status });
    }
    let statuses = replies.join_all().await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(world.engine.made(), 2);
    assert!(world.metric("api_tokens_heals_total").await >= 1.0);

    // What was sent of a body is gone; the next try finds the token known.
    world.engine.restart();
    let search = json!({ "query": { "match_all": {} } });
    let reply = clients[0].json(Method::POST, "/logs-a/_search", &search).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "api_token_renewed"));
    let reply = clients[0].json(Method::POST, "/logs-a/_search", &search).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 2);
}

#[tokio::test]
async fn a_node_that_restarts_beside_others_learns_what_tokens_may_do() {
    let world = World::start_as(CERTIFICATE, &[], 2, |_| ()).await;
    let client = world.client("read:logs-*");
    for _ in 0..2 {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    }
    world.engine.restart_node(1);
    for _ in 0..4 {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    }
    let nodes: Vec<_> = world.engine.uses().iter().map(|used| used.node).collect();
    assert!(nodes.contains(&0) && nodes.contains(&1));
    assert_eq!((world.engine.made(), world.calls(CACHE)), (1, 1));
}

#[tokio::test]
async fn the_engines_own_no_stays_one_and_heals_nothing() {
    let world = World::start(&[]).await;
    // The proxy allows it, and the stand-in asks for the permission to search.
    let reply = world.get("monitor:logs-*", "/logs-a/_stats").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.text().contains("no permissions for"));
    assert_eq!(world.calls(CACHE), 0);
}

#[tokio::test]
async fn a_token_that_an_administrator_revoked_is_replaced() {
    let world = World::start(&[]).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    world.engine.revoke_all();
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!((world.engine.made(), world.calls(CACHE)), (2, 0));
    let user = world.identity().await["user"].clone();
    let listed = world.engine.tokens();
    let present = listed.iter().find(|token| token.get("revoked_at").is_none()).unwrap();
    assert_eq!(user, format!("token:{}", present["name"].as_str().unwrap()));
}

#[tokio::test]
async fn tokens_that_are_switched_off_are_not_made_over_and_over() {
    let world = World::start(&[]).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    world.engine.set_enabled(false);
    for _ in 0..5 {
        let reply = world.get("read:logs-*", "/logs-a/_search").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.code(), "api_token_unavailable");
    }
    assert_eq!(world.engine.made(), 1);
    assert!(world.metric("api_tokens_usable").await.abs() < f64::EPSILON);
    world.engine.set_enabled(true);
    eventually("tokens count again", async || {
        (world.get("read:logs-*", "/logs-a/_search").await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(world.engine.made(), 1);
    assert!((world.metric("api_tokens_usable").await - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn without_a_place_requests_are_refused_and_the_engine_is_left_alone() {
    let world = World::start(&[]).await;
    world.engine.leave("somebody-else", -3600);
    world.engine.set_max_tokens(1);
    for _ in 0..5 {
        let reply = world.get("read:logs-*", "/logs-a/_search").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.code(), "api_tokens_exhausted");
    }
    assert!(world.calls(MAKE) < 5);
    assert!(world.metric("api_tokens_usable").await.abs() < f64::EPSILON);
    // What is not ours is not deleted, however dead.
    assert_eq!(world.engine.tokens().len(), 1);
}

#[tokio::test]
async fn the_fallback_stands_in_visibly() {
    let world = World::start(&[JWT]).await;
    world.engine.set_max_tokens(0);
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.identity().await["kind"], "signed_jwt");
    assert_eq!(world.engine.uses().pop().unwrap().user.as_deref(), Some("jwt"));
    // A role may narrow by documents, so it is not left out.
    assert_eq!(world.get("with-role", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.identity().await["kind"], "signed_jwt");
    for (reason, expected) in [("api_tokens_exhausted", 1.0), ("api_token_cannot_express", 1.0)] {
        let name = format!("api_tokens_fallbacks_total{{cluster=\"main\",reason=\"{reason}\"}}");
        let count = world.proxy.metric(&name).await.unwrap();
        assert!((count - expected).abs() < f64::EPSILON, "{reason}: {count}");
    }
}

#[tokio::test]
async fn what_the_engine_does_under_no_token_goes_under_the_fallback_if_there_is_one() {
    let body = json!({ "doc": { "a": 1 } });
    let world = World::start(&[JWT]).await;
    let reply = world.client("read:logs-* write:logs-*").json(Method::POST, "/logs-a/_update/1", &body).await;
    assert_eq!((reply.status, world.identity().await["kind"].clone()), (StatusCode::OK, json!("signed_jwt")));
    assert_eq!(world.engine.made(), 0);

    let world = World::start(&[]).await;
    let reply = world.client("read:logs-* write:logs-*").json(Method::POST, "/logs-a/_update/1", &body).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.text().contains("Update is not supported"));
}

#[tokio::test]
async fn a_token_whose_answer_was_lost_is_found_and_ended() {
    let world = World::start(&[]).await;
    world.engine.lose_answers(true);
    let reply = world.get("read:logs-*", "/logs-a/_search").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "api_token_unavailable")
    );
    assert_eq!(world.engine.made(), 1);
    world.engine.lose_answers(false);
    eventually("another token is made", async || {
        (world.get("read:logs-*", "/logs-a/_search").await.status == StatusCode::OK).then_some(())
    })
    .await;
    eventually("the lost one is ended", async || (world.engine.tokens().len() == 1).then_some(())).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 2);
}

#[tokio::test]
async fn what_a_token_cannot_say_is_refused_without_a_fallback() {
    let world = World::start(&[]).await;
    let reply = world.get("with-role", "/logs-a/_search").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "api_token_cannot_express"));
    assert!(reply.text().contains("role:tenant_a"));
    assert_eq!(world.engine.made(), 0);
}

#[tokio::test]
async fn no_more_tokens_are_held_than_configured() {
    let world = World::start(&["max_tokens: 1"]).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    let reply = world.get("read:logs-a", "/logs-a/_search").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "api_tokens_exhausted")
    );
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_dead_proxies_left_is_deleted_and_what_lives_is_not() {
    let name = |prefix: &str, unique: char| {
        format!("{prefix}-{}-{}", "0123456789abcdef", unique.to_string().repeat(32))
    };
    let world = World::start_as(CERTIFICATE, &[], 1, |engine| {
        engine.leave(&name("oauth-proxy", 'a'), -3600);
        engine.leave(&name("oauth-proxy", 'b'), 3600);
        engine.leave(&name("another-prefix", 'c'), -3600);
        engine.leave("oauth-proxy-made-by-hand", -3600);
    })
    .await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    eventually("what has ended is deleted", async || (world.engine.tokens().len() == 4).then_some(())).await;
    let names: Vec<_> = world.engine.tokens().iter().map(|token| token["name"].clone()).collect();
    assert!(!names.contains(&json!(name("oauth-proxy", 'a'))));
    assert_eq!(live(&world.engine), 4);

    // When the engine has no place, it is made in the same way.
    world.engine.leave(&name("oauth-proxy", 'd'), -3600);
    world.engine.set_max_tokens(world.engine.tokens().len());
    assert_eq!(world.get("read:logs-a", "/logs-a/_search").await.status, StatusCode::OK);
}

#[tokio::test]
async fn unused_tokens_are_revoked_and_so_are_all_on_stopping() {
    let world = World::start(&["idle: 1s"]).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    eventually("it is revoked and its place freed", async || world.engine.tokens().is_empty().then_some(()))
        .await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 2);

    let World { engine, proxy, provider: _provider } = world;
    proxy.stop().await;
    assert!(engine.tokens().is_empty());
}

#[tokio::test]
async fn with_a_password_tokens_are_revoked_and_their_places_stay_taken() {
    let world = World::start_as(PASSWORD, &[], 1, |_| ()).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    let World { engine, proxy, provider: _provider } = world;
    proxy.stop().await;
    assert_eq!((engine.tokens().len(), live(&engine)), (1, 0));
    assert!(!engine.calls().iter().any(|call| call.contains("/.opensearch_security")));
}

#[tokio::test]
async fn an_engine_that_is_slow_is_not_waited_for_and_not_asked_twice() {
    let world = World::start(&["wait: 200ms"]).await;
    world.engine.hold(true);
    for _ in 0..2 {
        let reply = world.get("read:logs-*", "/logs-a/_search").await;
        assert_eq!(reply.code(), "api_token_unavailable");
    }
    world.engine.hold(false);
    eventually("the token is there", async || {
        (world.get("read:logs-*", "/logs-a/_search").await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!((world.engine.made(), world.calls(MAKE)), (1, 1));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends() {
    let world = World::start(&["lifetime: 10s"]).await;
    eventually("a second one is made, and no request fails", async || {
        assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
        (world.engine.made() == 2).then_some(())
    })
    .await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_keeps_tokens_unless_their_settings_change() {
    let world = World::start(&["idle: 20m"]).await;
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    world.proxy.rewrite_config(&config.replace("tenant_a", "tenant_b"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 1);

    world.proxy.rewrite_config(&config.replace("idle: 20m", "idle: 30m"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.get("read:logs-*", "/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.engine.made(), 2);
    eventually("the one of before is ended", async || (world.engine.tokens().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_client_that_is_not_to_act_any_more_loses_its_tokens_at_the_engine() {
    let world = World::start(&[]).await;
    for client in ["leaver", "stayer"] {
        let token = world.provider.build_token().claim("client_id", client).claim("scope", "read:logs-*");
        assert_eq!(world.with_token(token.sign()).get("/logs-a/_search").await.status, StatusCode::OK);
    }
    assert_eq!(world.engine.tokens().len(), 2);
    let admin = world.client("admin:tokens");
    let reply = admin.json(Method::POST, "/oauth/revocations", &json!({ "client_id": "leaver" })).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    eventually("one is ended", async || (world.engine.tokens().len() == 1).then_some(())).await;
    assert_eq!((live(&world.engine), world.engine.made()), (1, 2));
}
