//! Bodies read on their way: what they name is judged, and what is refused never reaches the engine whole.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::io::Write as _;

use bytes::Bytes;
use e2e::{
    Client, Frames, ProxyFiles, RawConnection, RunningProxy, StandInEngine, StandInProvider, StandIns,
    eventually, stand_in_config,
};
use flate2::{Compression, write::GzEncoder};
use http::{Method, StatusCode};
use hyper::body::Frame;

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

/// A body in pieces of this size.
fn pieces(body: &str, size: usize) -> Frames<std::vec::IntoIter<Frame<Bytes>>> {
    let pieces = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).map(Frame::data);
    Frames(pieces.collect::<Vec<_>>().into_iter())
}

#[tokio::test]
async fn a_body_of_unknown_length_is_judged_and_arrives_whole_whatever_its_size() {
    let world = StandIns::start().await;
    let http2 = Client::http2(world.proxy.address, &world.proxy.ca())
        .with_token(world.provider.token("write:app-logs-*"));
    for client in [world.client("write:app-logs-*"), http2] {
        for (lines, size) in [(1, 7), (900, 1000), (1_200, 65_536), (20_000, 16_384)] {
            let post = |body: &str| {
                let request = client.request(Method::POST, "/_bulk").header(NDJSON.0, NDJSON.1);
                client.exchange(request.body(pieces(body, size)).unwrap())
            };
            let good = bulk("app-logs-1").repeat(lines);
            let reply = post(&good).await;
            assert_eq!(reply.status, StatusCode::OK, "{lines}: {}", reply.text());
            assert!(world.engine.last().body == good.as_bytes(), "{lines} lines arrive as they were sent");
            let reply = post(&(good + &bulk("secret"))).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{lines}: {}", reply.text());
        }
    }
    let whole = world.engine.seen().iter().filter(|seen| seen.whole).count();
    assert_eq!(whole, 8, "only what was allowed reached the engine whole");
}

#[tokio::test]
async fn a_small_body_that_does_not_come_to_its_end_is_given_up() {
    let world = StandIns::start_with("limits: {body_idle_timeout: 1s}\n").await;
    let head = |length: &str| {
        format!(
            "POST /_bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: \
             application/x-ndjson\r\n{length}\r\nConnection: close\r\n\r\n",
            world.provider.token("write:app-logs-*")
        )
    };
    let mut stalled = RawConnection::open(&world.anonymous()).await;
    stalled.send((head("Content-Length: 100") + "{\"index\"").as_bytes()).await;
    let answer = stalled.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request_body_stalled"), "{answer}");

    let mut broken = RawConnection::open(&world.anonymous()).await;
    broken.send((head("Transfer-Encoding: chunked") + "8\r\n{\"index\"\r\n").as_bytes()).await;
    drop(broken);
    let record = eventually("the record", async || {
        let records = world.proxy.audit().await;
        records.into_iter().find(|record| record["reason"] == "request_body_broken")
    })
    .await;
    assert_eq!(record["outcome"], "request_broken", "{record}");
    assert!(world.engine.seen().is_empty());
}

#[tokio::test]
async fn a_small_body_of_a_client_that_waits_is_asked_for_and_judged() {
    let world = StandIns::start().await;
    let mut waiting = RawConnection::open(&world.anonymous()).await;
    let body = bulk("secret");
    let head = format!(
        "POST /_bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        world.provider.token("write:app-logs-*"),
        body.len()
    );
    waiting.send(head.as_bytes()).await;
    let first = waiting.read_until("\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 100 "), "{first}");
    waiting.send(body.as_bytes()).await;
    let answer = waiting.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("insufficient_scope"), "{answer}");
    assert!(world.engine.seen().is_empty());
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
