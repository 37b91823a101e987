//! Nodes that are away, die, hang or break off: what reaches whom, how often, and what the client is told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up fails with its reason"
)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use e2e::{
    Client, ProxyFiles, RawConnection, RunningProxy, Session, StandInEngine, StandInProvider, eventually,
    stand_in_config,
};
use http::{Method, StatusCode};
use opensearch_oauth_proxy::upstream::NodeStatus;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Checks often enough for tests.
const HEALTH: &str = "    health: {interval: 100ms, timeout: 5s, failures: 2}\n";
/// No check after the first for as long as a test runs: what is learnt is learnt from requests.
const NO_HEALTH: &str = "    health: {interval: 10m}\n";

struct World {
    provider: StandInProvider,
    proxy: RunningProxy,
}

impl World {
    /// A proxy for these nodes; `cluster` are lines of the cluster.
    async fn start(nodes: &[&str], cluster: &str) -> Self {
        let provider = StandInProvider::start().await;
        let files = ProxyFiles::new();
        let config = format!("{}{cluster}", stand_in_config(&files, &provider, nodes));
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, proxy }
    }

    fn client(&self) -> Client {
        let token = self.provider.token("read:logs-* write:logs-*");
        Client::new(self.proxy.address, &self.proxy.ca()).with_token(token)
    }

    /// Posts a document with this number.
    async fn post(&self, number: usize) -> e2e::Reply {
        self.client().json(Method::POST, "/logs-a/_doc", &serde_json::json!({"number": number})).await
    }

    fn status(&self, node: &str) -> NodeStatus {
        let snapshot = self.proxy.proxy().snapshot();
        let mut nodes = snapshot.clusters()[0].upstream().status();
        nodes.find(|status| node.ends_with(&status.name)).expect("the node is configured")
    }
}

/// How often each document reached one of `engines`.
fn documents(engines: &[&StandInEngine]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in engines.iter().flat_map(|engine| engine.seen()).filter(|seen| seen.method == "POST") {
        *counts.entry(String::from_utf8_lossy(&seen.body).into_owned()).or_default() += 1;
    }
    counts
}

fn exactly_once(engines: &[&StandInEngine], count: usize) {
    let documents = documents(engines);
    assert_eq!(documents.len(), count, "none is lost: {documents:?}");
    assert!(documents.values().all(|&times| times == 1), "none is doubled: {documents:?}");
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// What a [`Rogue`] does with a connection.
#[derive(Clone, Copy)]
enum Manner {
    /// Closes it at once.
    Close,
    /// Reads the head of a request, then closes.
    BreakOff,
    /// Reads the head of a request and begins an answer that it never ends.
    HalfAnswer,
}

/// A server without manners. Health checks are answered properly.
struct Rogue {
    address: SocketAddr,
    /// Heads of requests other than health checks.
    heads: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl Rogue {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heads);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(misbehave(stream, manner, Arc::clone(&noted)));
            }
        });
        Self { address, heads, accepting }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn misbehave(mut stream: TcpStream, manner: Manner, heads: Arc<Mutex<Vec<String>>>) {
    if matches!(manner, Manner::Close) {
        return;
    }
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).await.is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    if head.starts_with("GET /_plugins/_security/health ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        return;
    }
    heads.lock().unwrap().push(head);
    if matches!(manner, Manner::HalfAnswer) {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_is_away_from_the_start_is_passed_over() {
    let (good, bad) = (StandInEngine::start().await, nobody().await);
    for health in [HEALTH, NO_HEALTH] {
        let world = World::start(&[&format!("http://{bad}"), &good.url()], health).await;
        let before = good.seen().len();
        for number in 0..20 {
            let reply = world.post(number).await;
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        }
        assert_eq!(good.seen().len(), before + 20);
        assert!(!world.status(&bad.to_string()).healthy);
        assert_eq!(world.proxy.last_audit().await["node"], good.address().to_string());
    }
}

#[tokio::test]
async fn a_node_that_dies_under_load_costs_only_what_was_in_flight_there() {
    let (first, second) = (StandInEngine::start().await, StandInEngine::start().await);
    let world = World::start(&[&first.url(), &second.url()], HEALTH).await;
    let mut number = 0;
    while first.seen().len() < 5 || second.seen().len() < 5 {
        assert_eq!(world.post(number).await.status, StatusCode::OK);
        number += 1;
    }
    let seen_by_first = first.seen();
    let address = first.address();
    drop(first);
    for _ in 0..30 {
        let reply = world.post(number).await;
        assert_eq!(reply.status, StatusCode::OK, "nothing was in flight: {}", reply.text());
        number += 1;
    }
    assert_eq!(seen_by_first.len() + second.seen().len(), number);
    eventually("the dead node is passed over", async || {
        (!world.status(&address.to_string()).healthy).then_some(())
    })
    .await;

    // It comes back, and is used again without anybody's doing.
    let first = StandInEngine::start_at(address).await;
    eventually("the node is healthy again", async || {
        world.status(&address.to_string()).healthy.then_some(())
    })
    .await;
    for _ in 0..4 {
        assert_eq!(world.post(number).await.status, StatusCode::OK);
        number += 1;
    }
    assert!(!first.seen().is_empty());
}

#[tokio::test]
async fn connections_that_the_engine_closed_meanwhile_are_no_ones_business() {
    let engine = StandInEngine::start().await;
    let world = World::start(&[&engine.url()], NO_HEALTH).await;
    let mut session = Session::open(&world.client()).await;
    for number in 0..30 {
        let body = Bytes::from(format!("{{\"number\":{number}}}"));
        let reply = session.send(Method::POST, "/logs-a/_doc", body).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{number}: {}", reply.text());
        eventually("the connection is pooled", async || {
            (world.status(&engine.url()).idle == 1).then_some(())
        })
        .await;
        engine.break_connections().await;
        // The next request finds a connection that is known to be closed, or of which that is just coming to be known.
        if number % 2 == 0 {
            eventually("the pool notices", async || {
                world.proxy.proxy().snapshot().clusters()[0].upstream().status().next().map(|_| ())
            })
            .await;
        }
    }
    exactly_once(&[&engine], 30);
}

#[tokio::test]
async fn a_request_of_which_bytes_were_written_is_never_sent_twice() {
    let (rogue, good) = (Rogue::start(Manner::BreakOff).await, StandInEngine::start().await);
    let world = World::start(&[&rogue.url(), &good.url()], NO_HEALTH).await;
    let mut outcomes = BTreeMap::new();
    for number in 0..10 {
        let reply = world.post(number).await;
        if reply.status == StatusCode::BAD_GATEWAY {
            assert_eq!(reply.code(), "engine_broke_off");
            assert!(reply.text().contains("may have taken effect"), "{}", reply.text());
            let record = world.proxy.last_audit().await;
            assert_eq!(
                (record["decision"].as_str(), record["layer"].as_str()),
                (Some("error"), Some("engine"))
            );
            assert_eq!(record["outcome"], "upstream_broken", "{record}");
            assert_eq!(record["node"], rogue.address.to_string(), "{record}");
        }
        *outcomes.entry(reply.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([(200, 5), (502, 5)]), "in turn");
    assert_eq!((rogue.heads().len(), good.seen().len()), (5, 5), "each was sent once");
    exactly_once(&[&good], 5);
}

#[tokio::test]
async fn a_node_that_closes_whatever_it_accepts_doubles_nothing() {
    let (rogue, good) = (Rogue::start(Manner::Close).await, StandInEngine::start().await);
    let world = World::start(&[&rogue.url(), &good.url()], HEALTH).await;
    let mut failed = 0;
    for number in 0..20 {
        let status = world.post(number).await.status;
        // Its bytes may have gone out before the end of the connection came in: then nobody can know.
        assert!([StatusCode::OK, StatusCode::BAD_GATEWAY].contains(&status), "{status}");
        failed += usize::from(status == StatusCode::BAD_GATEWAY);
    }
    exactly_once(&[&good], 20 - failed);
    eventually("it is passed over", async || {
        (!world.status(&rogue.address.to_string()).healthy).then_some(())
    })
    .await;
    for number in 20..30 {
        assert_eq!(world.post(number).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_node_that_hangs_while_connecting_is_left_for_the_next() {
    // The kernel accepts for it; its TLS handshake never begins.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", hanging.local_addr().unwrap());
    let good = StandInEngine::start().await;
    let lines = "    connect_timeout: 200ms\n    health: {interval: 10m, timeout: 300ms, failures: 100}\n";
    let world = World::start(&[&url, &good.url()], lines).await;
    for number in 0..6 {
        assert_eq!(world.post(number).await.status, StatusCode::OK);
    }
    exactly_once(&[&good], 6);
    let status = world.status(&url);
    assert!(!status.healthy);
    assert_eq!(status.connect_failures, 1, "it is not tried again while it is known to be away");
}

#[tokio::test]
async fn all_nodes_down_is_told_and_ends_without_a_restart() {
    let (first, second) = (StandInEngine::start().await, StandInEngine::start().await);
    let addresses = [first.address(), second.address()];
    let world = World::start(&[&first.url(), &second.url()], HEALTH).await;
    assert_eq!(world.post(0).await.status, StatusCode::OK);
    drop((first, second));
    // Requests may find a connection whose end is not known yet, but none is answered well.
    let reply = eventually("the cluster is known to be away", async || {
        let reply = world.post(1).await;
        (reply.status == StatusCode::SERVICE_UNAVAILABLE).then_some(reply)
    })
    .await;
    assert_eq!(reply.code(), "engine_unreachable");
    assert_eq!(reply.header("retry-after"), "5");
    let record = world.proxy.last_audit().await;
    assert_eq!((record["decision"].as_str(), record["layer"].as_str()), (Some("error"), Some("engine")));
    assert!(record["detail"].as_str().unwrap().contains(&addresses[1].ip().to_string()), "{record}");
    eventually("it is not ready", async || {
        (world.proxy.admin("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;

    let _back = StandInEngine::start_at(addresses[0]).await;
    eventually("requests succeed again", async || {
        (world.post(2).await.status == StatusCode::OK).then_some(())
    })
    .await;
    eventually("it is ready again", async || {
        (world.proxy.admin("/readyz").await.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_health_check_marks_and_unmarks() {
    let (first, second) = (StandInEngine::start().await, StandInEngine::start().await);
    let world = World::start(&[&first.url(), &second.url()], HEALTH).await;
    first.set_health(StatusCode::INTERNAL_SERVER_ERROR);
    eventually("it is marked", async || (!world.status(&first.url()).healthy).then_some(())).await;
    let before = first.seen().len();
    for number in 0..10 {
        assert_eq!(world.post(number).await.status, StatusCode::OK);
    }
    assert_eq!(first.seen().len(), before, "an unhealthy node gets nothing while there is a healthy one");

    // With nobody healthy, an unhealthy node is better than none.
    second.set_health(StatusCode::SERVICE_UNAVAILABLE);
    eventually("both are marked", async || (!world.status(&second.url()).healthy).then_some(())).await;
    assert_eq!(world.post(10).await.status, StatusCode::OK);

    // Anything below 500 shows that the node answers.
    first.set_health(StatusCode::NOT_FOUND);
    eventually("it is unmarked", async || world.status(&first.url()).healthy.then_some(())).await;
}

#[tokio::test]
async fn an_engine_that_does_not_begin_to_answer_in_time() {
    let engine = StandInEngine::start().await;
    let world = World::start(&[&engine.url()], "    response_timeout: 1s\n").await;
    engine.hold("/logs-held/_search");
    let reply = world.client().get("/logs-held/_search").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "engine_timeout"));
    let record = world.proxy.last_audit().await;
    assert_eq!(record["outcome"], "timed_out", "{record}");
    assert_eq!(world.status(&engine.url()).in_use, 0);
    assert_eq!(engine.seen().len(), 1, "it is not sent again");
    // The connection on which an answer is still owed is not used again.
    engine.release("/logs-held/_search");
    assert_eq!(world.post(0).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_slow_upload_is_not_the_engines_delay() {
    let engine = StandInEngine::start().await;
    let world = World::start(&[&engine.url()], "    response_timeout: 1s\n").await;
    let token = world.provider.token("write:logs-*");
    let mut connection = RawConnection::open(&world.client()).await;
    let head = format!(
        "POST /logs-a/_doc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"
    );
    connection.send(head.as_bytes()).await;
    // Each byte well within the limit, all together beyond it.
    for byte in b"{\"number\":1}" {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        connection.send(&[*byte]).await;
    }
    let answer = connection.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    exactly_once(&[&engine], 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let rogue = Rogue::start(Manner::HalfAnswer).await;
    let world = World::start(&[&rogue.url()], NO_HEALTH).await;
    let token = world.provider.token("read:logs-*");
    let mut connection = RawConnection::open(&world.client()).await;
    let request =
        format!("GET /logs-a/_search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.send(request.as_bytes()).await;
    let answer = connection.read_to_end().await;
    assert!(answer.contains("content-length: 100") && answer.ends_with("half"), "{answer}");
    let record = world.proxy.last_audit().await;
    assert_eq!((record["outcome"].as_str(), record["status"].as_u64()), (Some("upstream_broken"), Some(200)));
    assert_eq!(rogue.heads().len(), 1);
}
