//! The audit trail of a running proxy: every request, with all that is known of it, whatever happens to the sink.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::Read as _,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use e2e::{
    Client, ProxyFiles, RunningProxy, StandInEngine, StandInProvider, StandIns, eventually, raw,
    stand_in_config,
};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../../docs/audit.md");

/// Fields that the guide explains.
fn documented() -> BTreeSet<&'static str> {
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

fn status(status: StatusCode) -> impl Fn(&e2e::SeenRequest) -> Response<Full<Bytes>> + Send + Sync + 'static {
    move |_| {
        let mut response = Response::new(Full::from("{}"));
        *response.status_mut() = status;
        response
    }
}

/// Checks some fields of a record; `null` stands for absent.
fn check(record: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&record[field], value, "{field} of {record}");
    }
}

#[tokio::test]
async fn an_allowed_request_says_everything() {
    let world = StandIns::start().await;
    let token = world
        .provider
        .build_token()
        .claim("scope", "read:logs-* openid")
        .claim("preferred_username", "alice")
        .claim("groups", json!(["sre"]))
        .claim("acr", "mfa");
    let client = world.anonymous().with_token(token.sign());
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let target = "/logs-a,logs-b/_search?q=private";
    let reply = client.send(Method::POST, target, &headers, Bytes::from_static(b"{\"size\":1}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let record = world.proxy.last_audit().await;
    check(
        &record,
        &json!({
            "event": "request",
            "decision": "allow",
            "layer": null,
            "reason": null,
            "detail": null,
            "permitted_by": ["read:logs-*"],
            "client_id": "tester",
            "user_id": "alice",
            "subject": "tester-subject",
            "issuer": world.provider.issuer(),
            "provider": "stand-in",
            "token_id": "token-1",
            "scopes": ["read:logs-*", "openid"],
            "groups": ["sre"],
            "acr": "mfa",
            "action": "read",
            "operation": "search",
            "targets": ["logs-a", "logs-b"],
            "cluster": "main",
            "method": "POST",
            "path": "/logs-a,logs-b/_search",
            "engine_identity": {"kind": "signed_jwt", "user": "stand-in:alice", "roles": ["read:logs-*"]},
            "node": world.engine.address().to_string(),
            "status": 200,
            "engine_status": 200,
            "outcome": "complete",
            "request_bytes": 10,
            "response_bytes": 2,
            "tls": "TLSv1.3",
            "http_version": "HTTP/1.1",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "missed_before": null,
        }),
    );
    assert_eq!(record["request_id"], reply.header("x-request-id"));
    assert_eq!(record["request_id"], world.engine.last().headers["x-request-id"].to_str().unwrap());
    assert!(record["source"].as_str().unwrap().starts_with("127.0.0.1:"), "{record}");
    assert!(record["duration_us"].as_u64() >= record["upstream_us"].as_u64(), "{record}");
    assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{record}");
    let mut explained = documented();
    for field in record.as_object().unwrap().keys() {
        assert!(explained.remove(field.as_str()), "{field} is not in the guide");
    }
    let rest = BTreeSet::from([
        "missed_before",
        "layer",
        "reason",
        "detail",
        "needed_scope",
        "needs",
        "policies",
        "policy_would_deny",
    ]);
    assert_eq!(explained, rest, "all others are there");
}

/// What is wrong, who asks, with which method, path and headers, and what the record must say.
type Case<'a> = (&'a str, &'a Client, Method, &'a str, &'a [(&'a str, &'a str)], Value);

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn a_refusal_says_which_layer_and_why() {
    let world = StandIns::start().await;
    world.engine.answer("/logs-forbidden/_search", status(StatusCode::FORBIDDEN));
    world.engine.answer("/logs-unknown-us/_search", status(StatusCode::UNAUTHORIZED));
    world.engine.answer("/logs-broken/_search", status(StatusCode::INTERNAL_SERVER_ERROR));
    let client = world.client("read:logs-*");
    let expired = world.provider.build_token().claim("scope", "read:logs-*").claim("exp", 1_000_000).sign();
    let expired = world.anonymous().with_token(expired);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let cases: [Case<'_>; 11] = [
        (
            "nobody",
            &world.anonymous(),
            Method::GET,
            "/logs-a/_search",
            &[],
            json!({
                "decision": "deny", "layer": "token", "reason": "no_token", "status": 401, "client_id": null,
                "operation": "search", "targets": ["logs-a"], "cluster": "main", "engine_status": null, "node": null,
            }),
        ),
        (
            "expired",
            &expired,
            Method::GET,
            "/logs-a/_search",
            &[],
            json!({
                "decision": "deny", "layer": "token", "reason": "expired", "status": 401, "client_id": null,
            }),
        ),
        (
            "two credentials",
            &client,
            Method::GET,
            "/logs-a/_search",
            &[("authorization", "Bearer x")],
            json!({
                "decision": "deny", "layer": "token", "reason": "several_credentials", "status": 400,
            }),
        ),
        (
            "beyond its scope",
            &client,
            Method::GET,
            "/secret/_search",
            &[],
            json!({
                "decision": "deny", "layer": "scope", "reason": "insufficient_scope", "status": 403,
                "client_id": "tester", "scopes": ["read:logs-*"], "permitted_by": null, "engine_identity": null,
                "targets": ["secret"], "action": "read", "needed_scope": "read:secret",
            }),
        ),
        (
            "unknown operation",
            &client,
            Method::GET,
            "/_plugins/_nothing",
            &[],
            json!({
                "decision": "deny", "layer": "request", "reason": "unknown_operation", "status": 403,
                "client_id": "tester", "operation": null,
            }),
        ),
        (
            "ambiguous path",
            &client,
            Method::GET,
            "/logs-a//_search",
            &[],
            json!({
                "decision": "deny", "layer": "request", "reason": "path_not_canonical", "status": 400,
                "path": "/logs-a//_search", "cluster": "main", "client_id": null,
            }),
        ),
        (
            "a form",
            &client,
            Method::POST,
            "/logs-a/_search",
            &form,
            json!({
                "decision": "deny", "layer": "request", "reason": "form_body", "status": 400,
            }),
        ),
        (
            "a method of no engine",
            &client,
            Method::TRACE,
            "/logs-a/_search",
            &[],
            json!({
                "decision": "deny", "layer": "request", "reason": "method_not_served", "status": 405, "method": "TRACE",
            }),
        ),
        (
            "the engine says no",
            &client,
            Method::GET,
            "/logs-forbidden/_search",
            &[],
            json!({
                "decision": "allow", "layer": "engine", "reason": "engine_denied", "status": 403, "engine_status": 403,
                "permitted_by": ["read:logs-*"],
            }),
        ),
        (
            "the engine does not know us",
            &client,
            Method::GET,
            "/logs-unknown-us/_search",
            &[],
            json!({
                "decision": "error", "layer": "engine", "reason": "engine_refused_identity", "status": 502,
                "engine_status": 401, "node": world.engine.address().to_string(),
            }),
        ),
        (
            "the engine fails",
            &client,
            Method::GET,
            "/logs-broken/_search",
            &[],
            json!({
                "decision": "allow", "layer": null, "reason": null, "status": 500, "engine_status": 500,
            }),
        ),
    ];
    let explained = documented();
    for (what, client, method, path, headers, expected) in cases {
        let reply = client.send(method, path, headers, Bytes::new()).await;
        let record = world.proxy.last_audit().await;
        assert_eq!(Some(u64::from(reply.status.as_u16())), record["status"].as_u64(), "{what}");
        check(&record, &expected);
        check(&record, &json!({"event": "request", "outcome": "complete", "http_version": "HTTP/1.1"}));
        if let Some(told) = reply.headers.get("x-decision-id") {
            assert_eq!(record["decision_id"], told.to_str().unwrap(), "{what}");
            assert!(record["detail"].is_string(), "{what}: {record}");
        }
        for field in record.as_object().unwrap().keys() {
            assert!(explained.contains(field.as_str()), "{field} is not in the guide");
        }
    }
    // What never was a request of one meaning.
    let answer = raw(
        &client,
        b"GET /logs-a/_search HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let record = world.proxy.last_audit().await;
    check(&record, &json!({"decision": "deny", "layer": "request", "status": 400, "client_id": null}));
    let metadata = world.anonymous().get("/.well-known/oauth-protected-resource").await;
    assert_eq!(metadata.status, StatusCode::OK);
    check(
        &world.proxy.last_audit().await,
        &json!({
            "decision": "allow", "operation": "oauth.protected_resource_metadata", "status": 200, "cluster": "main",
        }),
    );
}

/// A pipe in the place of the file: what is not read from it holds the writer up.
struct Pipe {
    reader: File,
}

impl Pipe {
    fn new(files: &ProxyFiles) -> Self {
        let path = files.path("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Both ends, so that neither opening waits for the other.
        Self { reader: OpenOptions::new().read(true).write(true).open(path).unwrap() }
    }

    /// Reads on a thread until told to stop and nothing is left.
    fn drain(mut self, done: Arc<AtomicBool>, end: &str) -> JoinHandle<Vec<Value>> {
        let end = end.to_owned();
        std::thread::spawn(move || {
            let (mut text, mut buffer) = (String::new(), vec![0; 65536]);
            // The last request is told by its path, since a pipe that we hold open never ends.
            while !(done.load(Ordering::Acquire) && text.contains(&end) && text.ends_with('\n')) {
                let read = self.reader.read(&mut buffer).unwrap();
                text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        })
    }
}

async fn with_pipe(when_full: &str) -> (StandIns, Pipe) {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    let pipe = Pipe::new(&files);
    let config = stand_in_config(&files, &provider, &[&engine.url()]).replace(
        "  sink: {file: {path: audit.log}}\n",
        &format!("  sink: {{file: {{path: pipe}}}}\n  queue: 8\n  when_full: {when_full}\n"),
    );
    let proxy = RunningProxy::start(files, &config).await;
    (StandIns { provider, engine, proxy }, pipe)
}

#[tokio::test]
async fn a_full_queue_holds_requests_until_there_is_room() {
    let (world, pipe) = with_pipe("wait").await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let client = world.client("read:logs-*");
        clients.spawn(async move { client.get("/logs-a/_search").await.status });
    }
    let slots = eventually("the queue is full", async || {
        let stats = world.proxy.proxy().audit().stats();
        (stats.slots_used == stats.slots && stats.queue_depth > 0).then_some(stats.slots)
    })
    .await;
    // No more than the queue holds are under way beyond those written; the rest is held back before the engine.
    let settled = eventually("nothing moves", async || {
        let before = world.engine.seen().len();
        for _ in 0..20 {
            world.proxy.admin("/livez").await;
        }
        (world.engine.seen().len() == before).then_some(before)
    })
    .await;
    assert!(settled < 400, "requests are held back");
    assert!(!clients.is_empty() && slots == 8);

    let done = Arc::new(AtomicBool::new(false));
    let drained = pipe.drain(Arc::clone(&done), "/logs-last/_search");
    while let Some(status) = clients.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    done.store(true, Ordering::Release);
    world.client("read:logs-*").get("/logs-last/_search").await;
    let records = tokio::task::spawn_blocking(|| drained.join().unwrap()).await.unwrap();
    assert_eq!(records.len(), 401, "every request has its record");
    assert!(records.iter().all(|record| record.get("missed_before").is_none()));
    world.proxy.stop().await;
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_if_told_so() {
    let (world, pipe) = with_pipe("count").await;
    let client = world.client("read:logs-*");
    let mut sent = 0_u64;
    while world.proxy.proxy().audit().stats().dropped == 0 {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK, "nobody waits");
        sent += 1;
    }
    for _ in 0..20 {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
        sent += 1;
    }
    let done = Arc::new(AtomicBool::new(false));
    let drained = pipe.drain(Arc::clone(&done), "/logs-last/_search");
    eventually("there is room again", async || {
        (world.proxy.proxy().audit().stats().queue_depth == 0).then_some(())
    })
    .await;
    done.store(true, Ordering::Release);
    world.client("read:logs-*").get("/logs-last/_search").await;
    sent += 1;
    let lines = tokio::task::spawn_blocking(|| drained.join().unwrap()).await.unwrap();
    let missed: u64 = lines.iter().filter_map(|line| line["missed_before"].as_u64()).sum();
    let records = lines.iter().filter(|line| line["event"] == "request").count() as u64;
    assert!(missed > 0);
    assert_eq!(records + missed, sent);
    let dropped = world.proxy.metric("audit_dropped_total").await.unwrap();
    assert!((dropped - f64::from(u32::try_from(missed).unwrap())).abs() < 0.5, "{dropped} {missed}");
    world.proxy.stop().await;
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_opened_anew() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    client.get("/logs-before/_search").await;
    world.proxy.audit().await;
    let files = world.proxy.files();
    std::fs::rename(files.path("audit.log"), files.path("moved.log")).unwrap();
    client.get("/logs-between/_search").await;
    // The old file is written to until the signal.
    world.proxy.proxy().audit().flush().await.unwrap();
    world.proxy.reloader().hang_up().await;
    client.get("/logs-after/_search").await;
    let paths = |records: Vec<Value>| -> Vec<String> {
        records.iter().map(|record| record["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(world.proxy.audit().await), ["/logs-after/_search"]);
    let moved = std::fs::read_to_string(world.proxy.files().path("moved.log")).unwrap();
    let moved = moved.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(paths(moved), ["/logs-before/_search", "/logs-between/_search"]);
}

#[tokio::test]
async fn a_trail_that_cannot_be_written_shows() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    client.get("/logs-a/_search").await;
    world.proxy.audit().await;
    let files = world.proxy.files();
    std::fs::remove_file(files.path("audit.log")).unwrap();
    // Where the file was there is a folder now, which cannot be opened for writing.
    std::fs::create_dir(files.path("audit.log")).unwrap();
    world.proxy.reloader().hang_up().await;
    eventually("the failure shows", async || {
        (world.proxy.metric("audit_write_errors_total").await >= Some(1.0)).then_some(())
    })
    .await;
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_client_sends_cannot_forge_a_line() {
    let world = StandIns::start().await;
    let forged = "tester\",\"decision\":\"allow\"}\n{\"event\":\"request\",\"client_id\":\"admin";
    let token = world.provider.build_token().claim("scope", "read:logs-*").claim("client_id", forged).sign();
    let reply = world.anonymous().with_token(token).get("/secret/_search").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let records = world.proxy.audit().await;
    assert_eq!(records.len(), 1);
    check(&records[0], &json!({"client_id": forged, "decision": "deny"}));
}
