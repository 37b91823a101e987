//! Bodies read on their way: what they name is judged, and what is refused never reaches the engine whole.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Write as _;

use bytes::Bytes;
use e2e::{Client, ProxyFiles, RunningProxy, StandInEngine, StandInProvider, StandIns, stand_in_config};
use flate2::{Compression, write::GzEncoder};
use http::{Method, StatusCode};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");

fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap().into()
}

/// The status, and for a refusal its code.
async fn send(
    client: &Client,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> (StatusCode, String) {
    let reply = client.send(Method::POST, path, headers, body.into()).await;
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status, code)
}

fn bulk(index: &str) -> String {
    format!("{{\"index\":{{\"_index\":\"{index}\"}}}}\n{{\"message\":\"hello\"}}\n")
}

#[tokio::test]
async fn a_bulk_is_judged_by_the_lines_that_it_holds() {
    let world = StandIns::start().await;
    let client = world.client("write:app-logs-*");
    let good = bulk("app-logs-1") + &bulk("app-logs-2");
    assert_eq!(send(&client, "/_bulk", &[NDJSON], good.clone()).await, (StatusCode::OK, String::new()));
    assert_eq!(world.engine.last().body, good.as_bytes());
    let record = world.proxy.last_audit().await;
    assert_eq!(record["targets"], serde_json::json!(["app-logs-1", "app-logs-2"]), "{record}");

    let denied = (StatusCode::FORBIDDEN, "insufficient_scope".to_owned());
    let before = world.engine.seen().len();
    let foreign = good.clone() + &bulk("secret");
    assert_eq!(send(&client, "/_bulk", &[NDJSON], foreign.clone()).await, denied);
    assert_eq!(send(&client, "/app-logs-1/_bulk", &[NDJSON], foreign.clone()).await, denied);
    let gzipped = [NDJSON, ("content-encoding", "gzip")];
    assert_eq!(send(&client, "/_bulk", &gzipped, gzip(&foreign)).await, denied);
    assert!(
        world.engine.seen()[before..].iter().all(|seen| !seen.whole),
        "the engine has nothing whole of these"
    );
    assert_eq!(send(&client, "/_bulk", &gzipped, gzip(&good)).await, (StatusCode::OK, String::new()));
    let record = world.proxy.last_audit().await;
    assert_eq!(record["decision"], "allow", "{record}");
}

#[tokio::test]
async fn a_large_bulk_is_stopped_at_the_line_that_goes_too_far() {
    let world = StandIns::start().await;
    let client = world.client("write:app-logs-*");
    let body = bulk("app-logs-1").repeat(50_000) + &bulk("secret") + &bulk("app-logs-1").repeat(50_000);
    let denied = (StatusCode::FORBIDDEN, "insufficient_scope".to_owned());
    assert_eq!(send(&client, "/_bulk", &[NDJSON], body).await, denied);
    assert!(world.engine.seen().iter().all(|seen| !seen.whole));
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (record["decision"].as_str(), record["layer"].as_str()),
        (Some("deny"), Some("scope")),
        "{record}"
    );
    assert!(record["targets"].as_array().unwrap().iter().any(|target| target == "secret"), "{record}");
}

#[tokio::test]
async fn a_small_body_goes_under_no_more_scopes_than_it_uses() {
    let world = StandIns::start().await;
    let client = world.client("write:app-logs-* write:other-* read:logs-*");
    let scopes = async |body: String| {
        assert_eq!(send(&client, "/_bulk", &[NDJSON], body.clone()).await, (StatusCode::OK, String::new()));
        assert_eq!(world.engine.last().body, body.as_bytes());
        world.proxy.last_audit().await["permitted_by"].clone()
    };
    assert_eq!(scopes(bulk("app-logs-1")).await, serde_json::json!(["write:app-logs-*"]));
    let both = serde_json::json!(["write:app-logs-*", "write:other-*"]);
    assert_eq!(scopes(bulk("app-logs-1") + &bulk("other-1")).await, both);
    // A large one is under way before it is known what it names, and an update would read.
    let all = serde_json::json!(["write:app-logs-*", "write:other-*", "read:logs-*"]);
    assert_eq!(scopes(bulk("app-logs-1").repeat(5_000)).await, all);
}

#[tokio::test]
async fn a_small_body_that_is_refused_does_not_reach_the_engine_at_all() {
    let world = StandIns::start().await;
    let client = world.client("write:app-logs-*");
    let before = world.engine.seen().len();
    let (status, _) = send(&client, "/_bulk", &[NDJSON], bulk("app-logs-1") + &bulk("secret")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(world.engine.seen().len(), before);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["layer"], "scope", "{record}");
    assert!(record["targets"].as_array().unwrap().iter().any(|target| target == "secret"), "{record}");
}

#[tokio::test]
async fn searches_are_judged_by_all_that_their_bodies_name() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    let allowed = (StatusCode::OK, String::new());
    let lookup = |index: &str| {
        serde_json::json!({"query": {"terms": {"user": {"index": index, "id": "1", "path": "users"}}}})
            .to_string()
    };
    assert_eq!(send(&client, "/logs-a/_search", &[JSON], lookup("logs-users")).await, allowed);
    let (status, code) = send(&client, "/logs-a/_search", &[JSON], lookup("secret-users")).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    let searches = "{\"index\":\"logs-a\"}\n{\"query\":{\"match_all\":{}}}\n";
    assert_eq!(send(&client, "/_msearch", &[NDJSON], searches).await, allowed);
    let (status, code) = send(&client, "/_msearch", &[NDJSON], searches.replace("logs-a", "secret")).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    let (status, code) = send(&client, "/logs-a/_search", &[JSON], "{\"size\":1,\"size\":2}").await;
    assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "body_not_canonical"));
    let (status, code) =
        send(&client, "/logs-a/_search", &[("content-type", "application/cbor")], "\u{1}").await;
    assert_eq!((status, code.as_str()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "body_media_type"));
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK, "no body, nothing to read");
}

#[tokio::test]
async fn without_the_switch_such_routes_need_everything() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    let config = stand_in_config(&files, &provider, &[&engine.url()]);
    let config = config.replace("  - name: main\n", "  - name: main\n    read_bodies: false\n");
    let proxy = RunningProxy::start(files, &config).await;
    let world = StandIns { provider, engine, proxy };
    let client = world.client("write:app-logs-*");
    let (status, code) = send(&client, "/_bulk", &[NDJSON], bulk("app-logs-1")).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    let client = world.client("write:*");
    assert_eq!(send(&client, "/_bulk", &[NDJSON], bulk("x")).await.0, StatusCode::OK);
}
