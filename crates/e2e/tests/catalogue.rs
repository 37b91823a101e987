//! What names stand for, between stand-ins: who asks and when, what counts meanwhile, and how requests are judged by it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use e2e::{
    Client, ProxyFiles, RunningProxy, SeenRequest, Session, StandInEngine, StandInProvider, StandIns,
    eventually, stand_in_config,
};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

const LISTING: &str = "/_resolve/index/*";

/// Lists once, and from then on after changes only.
const ONLY_AFTER_CHANGES: &str = "{refresh: 10m, stale: 1h}";
const JUDGING: &str = "{refresh: 10m, stale: 1h, judge_aliases: true}";

/// What there is on the stand-in's cluster: aliases with their indices.
fn listing(aliases: &[(&str, &[&str])]) -> Value {
    let index = |name: &str| json!({ "name": name, "attributes": ["open"] });
    json!({
        "indices": [
            {"name": ".ds-clicks-1", "attributes": ["hidden", "open"], "data_stream": "clicks"},
            index("logs-1"), index("logs-2"), index("pii"),
        ],
        "aliases": aliases.iter().map(|(name, indices)| json!({ "name": name, "indices": indices })).collect::<Vec<_>>(),
        "data_streams": [{"name": "clicks", "backing_indices": [".ds-clicks-1"], "timestamp_field": "@timestamp"}],
    })
}

const USUAL: [(&str, &[&str]); 5] = [
    ("current", &["logs-1", "logs-2"]),
    ("mixed", &["logs-1", "pii"]),
    ("of-clicks", &["logs-1", ".ds-clicks-1"]),
    (".dotted", &["logs-1"]),
    ("logs-all", &["logs-1", "pii"]),
];

struct World {
    all: StandIns,
    /// What the engine lists; `None`: it fails.
    listed: Arc<Mutex<Option<Value>>>,
}

impl World {
    /// A proxy with these settings of `catalogue`.
    async fn start(catalogue: &str) -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let listed = Arc::new(Mutex::new(Some(listing(&USUAL))));
        let answer = Arc::clone(&listed);
        engine.answer(LISTING, move |_| {
            let listed = answer.lock().unwrap().clone();
            let text = listed.as_ref().map_or("{}".to_owned(), Value::to_string);
            let mut response = Response::new(Full::from(text));
            if listed.is_none() {
                *response.status_mut() = StatusCode::FORBIDDEN;
            }
            response
        });
        let files = ProxyFiles::new();
        let config = stand_in_config(&files, &provider, &[&engine.url()]);
        let config = format!("{config}    catalogue: {catalogue}\n");
        let proxy = RunningProxy::start(files, &config).await;
        Self { all: StandIns { provider, engine, proxy }, listed }
    }

    fn client(&self, scope: &str) -> Client {
        self.all.client(scope)
    }

    fn list(&self, aliases: &[(&str, &[&str])]) {
        *self.listed.lock().unwrap() = Some(listing(aliases));
    }

    fn fail(&self) {
        *self.listed.lock().unwrap() = None;
    }

    /// How often names were listed.
    fn listings(&self) -> usize {
        self.all.engine.seen().iter().filter(|seen| is_listing(seen)).count()
    }

    /// Clients' requests that reached the engine.
    fn forwarded(&self) -> usize {
        self.all.engine.seen().iter().filter(|seen| !is_listing(seen)).count()
    }

    async fn status(&self, scope: &str, path: &str) -> StatusCode {
        self.client(scope).get(path).await.status
    }

    async fn usable(&self) -> Option<f64> {
        self.all.proxy.metric("catalogue_usable{cluster=\"main\"}").await
    }
}

fn is_listing(seen: &SeenRequest) -> bool {
    seen.target.starts_with(LISTING)
}

#[tokio::test]
async fn the_proxy_asks_under_a_name_of_its_own_that_no_token_yields() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let seen = world.all.engine.seen().into_iter().find(is_listing).unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/_resolve/index/*?expand_wildcards=all")
    );
    let token = seen.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["roles"]),
        (&json!("_proxy:catalogue"), &json!(["_proxy:catalogue"])),
        "{claims}"
    );
    assert_eq!(world.usable().await, Some(1.0));
    assert_eq!(world.all.proxy.metric("catalogue_names{cluster=\"main\"}").await, Some(10.0));
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_stands_for() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let (get, post) = (Method::GET, Method::POST);
    for (scopes, method, path, allowed) in [
        ("read:logs-*", &get, "/current/_search", true),
        ("read:logs-1 read:logs-2", &get, "/current/_search", true),
        ("read:logs-*", &get, "/current,logs-9/_count", true),
        ("monitor:logs-*", &get, "/current/_stats", true),
        ("read:logs-* read:clicks", &get, "/of-clicks/_search", true),
        ("read:click*", &get, "/.ds-clicks-1/_search", true),
        // Not all of it is held.
        ("read:logs-1", &get, "/current/_search", false),
        ("read:logs-*", &get, "/mixed/_search", false),
        ("read:logs-*", &get, "/of-clicks/_search", false),
        ("read:logs-*", &get, "/current,pii/_search", false),
        ("read:logs-*", &get, "/absent/_search", false),
        // Another action is held.
        ("write:logs-* manage:logs-*", &get, "/current/_search", false),
        ("read:logs-*", &get, "/current/_stats", false),
        // Only for looking.
        ("write:logs-*", &post, "/current/_doc", false),
        ("manage:logs-*", &post, "/current/_refresh", false),
        ("manage:logs-*", &post, "/current/_close", false),
        // A pattern is no name, whatever it would reach.
        ("read:logs-*", &get, "/curren*/_search", false),
        // The engine does not take these for what is behind them, or would not notice a change.
        ("read:.ds-clicks-*", &get, "/clicks/_search", false),
        ("read:*", &get, "/.dotted/_search", false),
    ] {
        let before = world.forwarded();
        let reply = world.client(scopes).get_or(method.clone(), path).await;
        let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(reply.status, expected, "{scopes}: {method} {path}: {}", reply.text());
        assert_eq!(world.forwarded() > before, allowed, "{scopes}: {method} {path}");
        if !allowed {
            // What is behind a name is told to nobody who may not see it.
            let reason = reply.json()["error"]["reason"].as_str().unwrap().to_owned();
            assert!(!reason.contains("pii") || path.contains("pii"), "{reason}");
        }
    }
    assert_eq!(world.listings(), 1);
}

#[tokio::test]
async fn the_trail_names_the_alias_and_what_is_behind_it() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    assert_eq!(world.status("read:logs-*", "/current,logs-9/_search").await, StatusCode::OK);
    let record = world.all.proxy.last_audit().await;
    assert_eq!(record["targets"], json!(["current", "logs-1", "logs-2", "logs-9"]), "{record}");
    assert_eq!(record["permitted_by"], json!(["read:logs-*"]), "{record}");
    let identity = &record["engine_identity"];
    assert_eq!(identity["roles"], json!(["read:logs-*"]), "{record}");

    // Also where the alias itself is held, and what is done is more than looking.
    for (scope, method, path) in
        [("read:mix*", Method::GET, "/mixed/_search"), ("write:mixed", Method::PUT, "/mixed/_doc/1")]
    {
        assert_eq!(world.client(scope).get_or(method, path).await.status, StatusCode::OK);
        let record = world.all.proxy.last_audit().await;
        assert_eq!(record["targets"], json!(["mixed", "logs-1", "pii"]), "{record}");
    }

    let lookup = json!({"query": {"terms": {"user": {"index": "current", "id": "1", "path": "ids"}}}});
    let client = world.client("read:logs-*");
    assert_eq!(client.json(Method::POST, "/logs-9/_search", &lookup).await.status, StatusCode::OK);
    let record = world.all.proxy.last_audit().await;
    assert_eq!(record["targets"], json!(["logs-9", "current", "logs-1", "logs-2"]), "{record}");
}

#[tokio::test]
async fn names_in_bodies_are_judged_likewise() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let client = world.client("read:logs-*");
    let search = |index: &str| format!("{{\"index\":\"{index}\"}}\n{{}}\n");
    for (lines, expected) in [
        (search("current") + &search("logs-9"), StatusCode::OK),
        (search("current") + &search("mixed"), StatusCode::FORBIDDEN),
        (search("absent"), StatusCode::FORBIDDEN),
    ] {
        let ndjson = [("content-type", "application/x-ndjson")];
        let reply = client.send(Method::POST, "/_msearch", &ndjson, Bytes::from(lines.clone())).await;
        assert_eq!(reply.status, expected, "{lines}{}", reply.text());
    }
    // Where the body names nothing, the path's name stands in.
    let ids = json!({"ids": ["1"]});
    assert_eq!(client.json(Method::POST, "/current/_mget", &ids).await.status, StatusCode::OK);
    assert_eq!(client.json(Method::POST, "/mixed/_mget", &ids).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nothing_older_counts_after_a_change_that_went_through() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let manager = world.client("manage:*");
    let mut expected = 1;
    for (aliases, allowed) in [
        (&[("current", &["pii"][..])][..], StatusCode::FORBIDDEN),
        (&[("current", &["logs-2"][..])][..], StatusCode::OK),
        (&[][..], StatusCode::FORBIDDEN),
    ] {
        world.list(aliases);
        assert_eq!(manager.get_or(Method::PUT, "/pii/_alias/current").await.status, StatusCode::OK);
        expected += 1;
        assert_eq!(world.status("read:logs-*", "/current/_search").await, allowed, "{aliases:?}");
        assert_eq!(world.listings(), expected);
    }

    // What changes no names, and what the engine did not do, is no reason to ask.
    world.all.engine.answer("/pii/_alias/refused", |_| {
        let mut response = Response::new(Full::from("{}"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    });
    let ids = json!({"query": {"match_all": {}}});
    for (method, path) in [
        (Method::POST, "/logs-1/_refresh"),
        (Method::PUT, "/pii/_alias/refused"),
        (Method::GET, "/logs-1/_flush"),
    ] {
        let status = manager.get_or(method, path).await.status;
        assert!(status == StatusCode::OK || path.ends_with("refused"), "{path}: {status}");
    }
    assert_eq!(
        world.client("read:*").json(Method::POST, "/logs-1/_search", &ids).await.status,
        StatusCode::OK
    );
    assert_eq!(world.listings(), expected);
}

#[tokio::test]
async fn a_listing_that_fails_after_a_change_leaves_names_unknown() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::OK);
    world.fail();
    let manager = world.client("manage:*");
    assert_eq!(manager.get_or(Method::DELETE, "/pii").await.status, StatusCode::OK);
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::FORBIDDEN);
    assert_eq!(world.status("read:logs-*", "/logs-1/_search").await, StatusCode::OK);
    assert_eq!(world.usable().await, Some(0.0));
    let failures = "catalogue_refresh_failures_total{cluster=\"main\"}";
    assert_eq!(world.all.proxy.metric(failures).await, Some(1.0));
    assert_eq!(world.all.proxy.admin("/readyz").await.status, StatusCode::OK, "readiness is another matter");
}

#[tokio::test]
async fn a_change_counts_though_its_client_does_not_wait_for_the_answer() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let before = world.forwarded();
    world.all.engine.hold("/pii/_alias/current");
    let manager = world.client("manage:*");
    let leaving = tokio::spawn(async move { manager.get_or(Method::PUT, "/pii/_alias/current").await });
    eventually("the change reached the engine", async || (world.forwarded() > before).then_some(())).await;
    world.list(&[("current", &["pii"])]);
    leaving.abort();
    eventually("the proxy asks anew", async || (world.listings() == 2).then_some(())).await;
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn names_that_are_too_old_count_no_longer_and_are_asked_for_again() {
    let world = World::start("{refresh: 100ms, stale: 2s}").await;
    let becomes = async |expected: StatusCode| {
        eventually("aliases are judged otherwise", async || {
            (world.status("read:logs-*", "/current/_search").await == expected).then_some(())
        })
        .await;
    };
    becomes(StatusCode::OK).await;
    let before = world.listings();
    eventually("it is asked again and again", async || (world.listings() > before + 2).then_some(())).await;
    world.fail();
    becomes(StatusCode::FORBIDDEN).await;
    assert_eq!(world.usable().await, Some(0.0));
    world.list(&USUAL);
    becomes(StatusCode::OK).await;
    world.list(&[]);
    becomes(StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn an_answer_that_is_none_counts_as_a_failure() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    *world.listed.lock().unwrap() = Some(json!({ "indices": [{ "name": 1 }] }));
    let manager = world.client("manage:*");
    assert_eq!(manager.get_or(Method::PUT, "/logs-3").await.status, StatusCode::OK);
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::FORBIDDEN);
    assert_eq!(world.usable().await, Some(0.0));
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_of_a_cluster_that_stays_as_it_is() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    let proxy = &world.all.proxy;
    let config = std::fs::read_to_string(proxy.config_path()).unwrap();
    world.fail();
    proxy.rewrite_config(&format!(
        "{config}mappings:\n  - scope: team\n    grant: {{scopes: [\"read:logs-*\"]}}\n"
    ));
    proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.status("team", "/current/_search").await, StatusCode::OK);

    proxy.rewrite_config(&config.replace("    catalogue:", "    narrow: true\n    catalogue:"));
    proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::FORBIDDEN);
    world.list(&USUAL);
    assert_eq!(world.client("manage:*").get_or(Method::PUT, "/logs-3").await.status, StatusCode::OK);
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::OK);

    proxy.rewrite_config(&config.replace(&format!("    catalogue: {ONLY_AFTER_CHANGES}\n"), ""));
    proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.status("read:logs-*", "/current/_search").await, StatusCode::FORBIDDEN);
    assert_eq!(world.usable().await, None);
}

#[tokio::test]
async fn an_alias_inside_a_pattern_opens_nothing_where_aliases_are_judged() {
    let world = World::start(JUDGING).await;
    let (get, put) = (Method::GET, Method::PUT);
    for (scopes, method, path, outside) in [
        ("read:logs-*", &get, "/logs-all/_search", Some("read:pii")),
        ("read:logs-*", &get, "/logs-*/_search", Some("read:pii")),
        ("read:logs-*", &get, "/logs-a*,-logs-1/_search", Some("read:pii")),
        ("write:logs-*", &put, "/logs-all/_doc/1", Some("write:pii")),
        ("read:*", &get, "/of-*/_search", None),
        ("read:logs-* read:pii", &get, "/logs-all/_search", None),
        ("read:logs-* read:pii", &get, "/logs-*/_search", None),
        ("read:logs-*", &get, "/logs-1/_search", None),
        ("read:logs-*", &get, "/logs-1*/_search", None),
        ("read:logs-*", &get, "/current/_search", None),
        ("read:*", &get, "/_search", None),
        ("read:of-* read:logs-*", &get, "/of-clicks/_search", Some("read:.ds-clicks-1")),
        ("read:clicks read:of-* read:logs-*", &get, "/of-clicks/_search", None),
        // A wildcard does not reach names that begin with a dot.
        ("read:*", &get, "/*/_search", None),
        ("monitor:cluster", &get, "/_nodes", None),
    ] {
        let reply = world.client(scopes).get_or(method.clone(), path).await;
        match outside {
            None => assert_eq!(reply.status, StatusCode::OK, "{scopes}: {path}: {}", reply.text()),
            Some(needed) => {
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{scopes}: {path}");
                assert_eq!(reply.json()["error"]["needed_scope"], needed, "{scopes}: {path}");
            }
        }
    }
    let lines = "{\"index\":\"logs-all\"}\n{}\n";
    let ndjson = [("content-type", "application/x-ndjson")];
    let reply = world.client("read:logs-*").send(Method::POST, "/_msearch", &ndjson, lines.into()).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));

    // A body that is not read could name an alias of something that even `*` does not hold.
    world.list(&[("innocent", &[".secret"])]);
    assert_eq!(world.client("manage:*").get_or(Method::PUT, "/logs-3").await.status, StatusCode::OK);
    let reply = world.client("read:*").json(Method::POST, "/logs-1/_search", &json!({"size": 1})).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
}

#[tokio::test]
async fn where_aliases_are_judged_nothing_passes_while_names_are_unknown() {
    let world = World::start(JUDGING).await;
    world.fail();
    assert_eq!(world.client("manage:*").get_or(Method::PUT, "/logs-3").await.status, StatusCode::OK);
    let client = world.client("read:logs-* read:cluster monitor:cluster");
    for path in ["/logs-1/_search", "/logs-*/_search", "/logs-all/_search"] {
        let reply = client.get(path).await;
        assert_eq!(
            (reply.status, reply.code().as_str(), reply.header("retry-after")),
            (StatusCode::SERVICE_UNAVAILABLE, "names_unknown", "5"),
            "{path}"
        );
    }
    let reply =
        client.json(Method::POST, "/_mget", &json!({"docs": [{"_index": "logs-1", "_id": "1"}]})).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "names_unknown"));
    // What names no index, and what is denied anyway, is as ever.
    assert_eq!(client.get("/_nodes").await.status, StatusCode::OK);
    assert_eq!(client.get("/pii/_search").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_next_request_on_a_connection_sees_the_change_before_it() {
    let world = World::start(ONLY_AFTER_CHANGES).await;
    world.list(&[("current", &["pii"])]);
    let mut session = Session::open(&world.client("read:logs-* manage:pii manage:current")).await;
    let change = session.send(Method::PUT, "/pii/_alias/current", Bytes::new()).await.unwrap();
    assert_eq!(change.status, StatusCode::OK, "{}", change.text());
    assert_eq!(session.get("/current/_search").await.unwrap().status, StatusCode::FORBIDDEN);
}
