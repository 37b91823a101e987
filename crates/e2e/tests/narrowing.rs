//! With `narrow`, a request for more than is held reaches the engine as the one for what is held, or not at all.

use bytes::Bytes;
use e2e::{Client, ProxyFiles, RunningProxy, StandInEngine, StandInProvider, StandIns, stand_in_config};
use http::{Method, StatusCode};
use serde_json::json;

async fn narrowing() -> StandIns {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    let config = stand_in_config(&files, &provider, &[&engine.url()]);
    let config = config.replace("  - name: main\n", "  - name: main\n    narrow: true\n");
    let proxy = RunningProxy::start(files, &config).await;
    StandIns { provider, engine, proxy }
}

/// What reached the engine, or the code of the refusal.
async fn sent(world: &StandIns, client: &Client, method: Method, path: &str) -> Result<String, String> {
    let before = world.engine.seen().len();
    let reply = client.get_or(method, path).await;
    if reply.status.is_success() {
        return Ok(world.engine.last().target);
    }
    assert_eq!(world.engine.seen().len(), before, "a refusal does not trouble the engine");
    Err(reply.code())
}

#[tokio::test]
async fn a_request_for_more_goes_as_the_one_for_what_is_held() {
    let world = narrowing().await;
    let client = world.client("read:logs-* read:app-1 monitor:logs-* write:logs-*");
    for (path, expected) in [
        ("/_search", "/app-1,logs-*/_search?ignore_unavailable=true"),
        ("/_search?size=1", "/app-1,logs-*/_search?size=1&ignore_unavailable=true"),
        ("/log*/_search", "/logs-*/_search"),
        ("/*,-logs-secret/_count", "/app-1,logs-*,-logs-secret/_count?ignore_unavailable=true"),
        ("/logs-a/_search", "/logs-a/_search"),
        ("/_mapping", "/app-1,logs-*/_mapping?ignore_unavailable=true"),
        ("/_cat/indices?format=json", "/_cat/indices/logs-*?format=json"),
        ("/_cat/shards", "/_cat/shards/logs-*"),
        ("/_cluster/health", "/_cluster/health/logs-*"),
    ] {
        assert_eq!(sent(&world, &client, Method::GET, path).await, Ok(expected.to_owned()), "{path}");
    }
    let denied = Err("insufficient_scope".to_owned());
    for (method, path) in [
        (Method::GET, "/pii/_search"),
        (Method::GET, "/logs-a,pii/_search"),
        (Method::GET, "/*-a/_search"),
        (Method::GET, "/_search?search_pipeline=p"),
        (Method::GET, "/_cluster/state"),
        (Method::GET, "/_nodes"),
        (Method::GET, "/_search/scroll?scroll_id=x"),
        (Method::POST, "/_refresh"),
        (Method::POST, "/*/_delete_by_query"),
        (Method::DELETE, "/*"),
        (Method::DELETE, "/_all"),
    ] {
        assert_eq!(sent(&world, &client, method.clone(), path).await, denied, "{method} {path}");
    }
}

#[tokio::test]
async fn the_trail_tells_what_was_asked_and_what_it_became() {
    let world = narrowing().await;
    let client = world.client("read:logs-* read:app-* write:other");
    assert_eq!(client.get("/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["path"], "/_search", "{record}");
    assert_eq!(record["targets"], json!(["app-*", "logs-*"]), "{record}");
    assert_eq!(record["permitted_by"].as_array().unwrap().len(), 2, "{record}");
    assert_eq!(record["decision"], "allow", "{record}");

    assert_eq!(client.get("/*-a/_search").await.status, StatusCode::FORBIDDEN);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["targets"], json!(["*-a"]), "{record}");
    assert_eq!(record["decision"], "deny", "{record}");
}

#[tokio::test]
async fn the_body_of_a_narrowed_search_is_read() {
    let world = narrowing().await;
    let client = world.client("read:logs-*");
    let search = async |body: serde_json::Value| {
        let headers = [("content-type", "application/json")];
        client.send(Method::POST, "/_search", &headers, Bytes::from(body.to_string())).await.status
    };
    assert_eq!(search(json!({"query": {"match_all": {}}})).await, StatusCode::OK);
    assert_eq!(world.engine.last().target, "/logs-*/_search");
    let before = world.engine.seen().len();
    let lookup = json!({"query": {"terms": {"user": {"index": "secret", "id": "1", "path": "ids"}}}});
    assert_eq!(search(lookup).await, StatusCode::FORBIDDEN);
    assert_eq!(search(json!({"pit": {"id": "x"}})).await, StatusCode::FORBIDDEN);
    assert_eq!(world.engine.seen().len(), before);
}

#[tokio::test]
async fn nothing_is_narrowed_unless_it_is_configured() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-* monitor:logs-*");
    for path in ["/_search", "/log*/_search", "/_cat/indices", "/_cluster/health"] {
        let refused = sent(&world, &client, Method::GET, path).await;
        assert_eq!(refused, Err("insufficient_scope".to_owned()), "{path}");
    }
}
