//! Bodies, both ways: streamed, counted, whole or not at all.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use e2e::{Client, Frames, RawConnection, StandIns, eventually};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// A body whose frames the test sends by hand.
struct ByHand(mpsc::Receiver<Frame<Bytes>>);

fn by_hand() -> (mpsc::Sender<Frame<Bytes>>, ByHand) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, ByHand(receiver))
}

impl Body for ByHand {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_whole_whatever_the_method() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-* write:logs-*");
    for (method, path) in
        [(Method::POST, "/logs-a/_doc"), (Method::PUT, "/logs-a/_doc/1"), (Method::GET, "/logs-a/_search")]
    {
        let (sender, body) = by_hand();
        let request = client
            .request(method.clone(), path)
            .header("content-type", "application/json")
            // Hyper's client leaves out a GET's body unless told otherwise.
            .header("transfer-encoding", "chunked")
            .body(body)
            .unwrap();
        let sending = tokio::spawn(async move {
            for part in ["{\"size\":", "1", "}"] {
                sender.send(data(part)).await.unwrap();
            }
        });
        let reply = client.exchange(request).await;
        sending.await.unwrap();
        assert_eq!(reply.status, StatusCode::OK, "{method}: {}", reply.text());
        let seen = world.engine.last();
        assert_eq!((&seen.body[..], seen.whole), (&b"{\"size\":1}"[..], true), "{method}");
        let record = world.proxy.last_audit().await;
        assert_eq!(
            (record["request_bytes"].as_u64(), record["outcome"].as_str()),
            (Some(10), Some("complete"))
        );
    }
}

#[tokio::test]
async fn compressed_bodies_pass_untouched_both_ways() {
    let world = StandIns::start().await;
    // Not a valid stream: whoever tried to inflate it would fail.
    let gzip: &[u8] = b"\x1f\x8b\x08\x00not really";
    world.engine.answer("/logs-a/_doc", |seen| {
        let mut response = Response::new(Full::from(seen.body.clone()));
        response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        response
    });
    let headers =
        [("content-encoding", "gzip"), ("content-type", "application/json"), ("accept-encoding", "gzip")];
    let reply = world
        .client("write:logs-*")
        .send(Method::POST, "/logs-a/_doc", &headers, Bytes::from_static(gzip))
        .await;
    assert_eq!(&reply.body[..], gzip);
    assert_eq!(reply.header("content-encoding"), "gzip");
    assert_eq!(world.engine.last().headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_the_engine_with_nothing_whole() {
    let world = StandIns::start().await;
    let token = world.provider.token("write:logs-*");
    let mut connection = RawConnection::open(&world.anonymous()).await;
    let head = format!(
        "POST /logs-a/_doc HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: 100\r\n\r\n{{\"half\":"
    );
    connection.send(head.as_bytes()).await;
    drop(connection);
    world.engine.wait_for(1).await;
    assert!(!world.engine.last().whole);
    // The engine notices that its request is broken off before the proxy is done with it.
    let record = eventually("the record is written", async || world.proxy.audit().await.pop()).await;
    assert_eq!(record["reason"], "request_body_broken", "{record}");
}

#[tokio::test]
async fn head_is_answered_without_a_body_and_with_its_length() {
    let world = StandIns::start().await;
    world.engine.answer("/logs-a", |_| {
        let mut response = Response::new(Full::default());
        response.headers_mut().insert("content-length", HeaderValue::from_static("1234"));
        response
    });
    for client in [world.client("read:logs-*"), http2(&world, "read:logs-*")] {
        let reply = client.send(Method::HEAD, "/logs-a", &[], Bytes::new()).await;
        assert_eq!((reply.status, reply.header("content-length")), (StatusCode::OK, "1234"));
        assert!(reply.body.is_empty());
    }
}

fn http2(world: &StandIns, scope: &str) -> Client {
    Client::http2(world.proxy.address, &world.proxy.ca()).with_token(world.provider.token(scope))
}

#[tokio::test]
async fn http2_requests_reach_the_engine_as_http1() {
    let world = StandIns::start().await;
    let client = http2(&world, "read:logs-* write:logs-*");
    let reply = client.json(Method::POST, "/logs-a/_doc", &serde_json::json!({"a": 1})).await;
    assert_eq!((reply.status, reply.version), (StatusCode::OK, http::Version::HTTP_2));
    let seen = world.engine.last();
    assert_eq!(&seen.body[..], b"{\"a\":1}");
    assert_eq!(seen.headers["host"], world.engine.address().to_string());
    assert_eq!(world.proxy.last_audit().await["http_version"], "HTTP/2");
}

#[tokio::test]
async fn continue_is_said_only_to_requests_that_may_go_on() {
    let world = StandIns::start().await;
    let ask = |path: &str, scope: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: \
             application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
            world.provider.token(scope)
        )
    };
    let mut allowed = RawConnection::open(&world.anonymous()).await;
    allowed.send(ask("/logs-a/_doc", "write:logs-*").as_bytes()).await;
    let first = allowed.read_until("\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 100 "), "{first}");
    allowed.send(b"{}").await;
    let answer = allowed.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let seen = world.engine.last();
    assert!(seen.whole && !seen.headers.contains_key("expect"));

    let mut refused = RawConnection::open(&world.anonymous()).await;
    refused.send(ask("/secret/_doc", "write:logs-*").as_bytes()).await;
    let answer = refused.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "no 100 before the 403: {answer}");
}

#[tokio::test]
async fn trailers_pass_to_the_engine_and_back() {
    let world = StandIns::start().await;
    let client = world.client("write:logs-*");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("abc"));
    let body = Frames([data("{}"), Frame::trailers(trailers)].into_iter());
    let request = client
        .request(Method::POST, "/logs-a/_doc")
        .header("content-type", "application/json")
        .header("trailer", "x-checksum")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let reply = client.exchange(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    let seen = world.engine.last();
    assert!(seen.whole);
    assert_eq!(seen.headers.get("te").map(HeaderValue::as_bytes), Some(&b"trailers"[..]));
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let world = StandIns::start_with("limits: {body_idle_timeout: 1s}\n").await;
    let client = world.client("write:logs-*");
    let (sender, body) = by_hand();
    let request = client
        .request(Method::POST, "/logs-a/_doc")
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    sender.send(data("{")).await.unwrap();
    let reply = client.exchange(request).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::REQUEST_TIMEOUT, "request_body_stalled"));
    world.engine.wait_for(1).await;
    assert!(!world.engine.last().whole);
}

#[tokio::test]
async fn a_long_answer_is_streamed_and_its_connection_used_again() {
    let world = StandIns::start().await;
    let long = Bytes::from(vec![b'x'; 8 * 1024 * 1024]);
    let body = long.clone();
    world.engine.answer("/logs-a/_search", move |_| Response::new(Full::new(body.clone())));
    let client = world.client("read:logs-*");
    for _ in 0..3 {
        assert_eq!(client.get("/logs-a/_search").await.body, long);
    }
    let record = world.proxy.last_audit().await;
    assert_eq!(record["response_bytes"].as_u64(), Some(long.len() as u64));
    // One connection for the requests, and those of health checks.
    let pooled: u64 = world
        .proxy
        .proxy()
        .snapshot()
        .clusters()
        .iter()
        .flat_map(|cluster| cluster.upstream().status().map(|status| status.connects).collect::<Vec<_>>())
        .sum();
    assert_eq!(pooled, 1);
}

#[tokio::test]
async fn a_client_that_leaves_during_the_answer_is_noted() {
    let world = StandIns::start().await;
    world.engine.answer("/logs-a/_search", |_| Response::new(Full::from(vec![b'x'; 64 * 1024 * 1024])));
    let client = world.client("read:logs-*");
    let request =
        client.request(Method::GET, "/logs-a/_search").body(http_body_util::Empty::<Bytes>::new()).unwrap();
    let mut response = client.begin(request).await;
    let first = response.frame().await.unwrap().unwrap();
    assert!(first.is_data());
    drop(response);
    let mut records = world.proxy.audit().await;
    while records.is_empty() {
        tokio::task::yield_now().await;
        records = world.proxy.audit().await;
    }
    assert_eq!(records[0]["outcome"], "client_gone", "{}", records[0]);
}
