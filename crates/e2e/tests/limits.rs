//! Limits on connections and on time, and what they must leave alone.

use std::time::Duration;

use bytes::Bytes;
use e2e::{Client, RawConnection, Session, StandIns, eventually};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

fn http2(world: &StandIns) -> Client {
    Client::http2(world.proxy.address, &world.proxy.ca()).with_token(world.provider.token("read:logs-*"))
}

fn both(world: &StandIns) -> [Client; 2] {
    [world.client("read:logs-*"), http2(world)]
}

/// Waits until no client is connected.
async fn nobody_left(world: &StandIns) {
    eventually("no connection is left", async || {
        (world.proxy.metric("connections").await == Some(0.0)).then_some(())
    })
    .await;
}

/// The engine answers `/logs-long/_search` with so many bytes.
fn answer_long(world: &StandIns, megabytes: usize) -> usize {
    let long = Bytes::from(vec![b'x'; megabytes * 1024 * 1024]);
    let length = long.len();
    world.engine.answer("/logs-long/_search", move |_| Response::new(Full::new(long.clone())));
    length
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_idle_limits_still_comes() {
    let limits = "limits: {keep_alive_timeout: 200ms, header_timeout: 200ms, body_idle_timeout: 200ms}\n";
    let world = StandIns::start_with(limits).await;
    for client in both(&world) {
        world.engine.hold("/logs-held/_search");
        let seen = world.engine.seen().len();
        let asked = tokio::spawn(async move { client.get("/logs-held/_search").await });
        world.engine.wait_for(seen + 1).await;
        // A connection opened now and never used ends by the limits, and the one that waits is older.
        for _ in 0..3 {
            let _ = Session::open(&world.anonymous()).await.closed().await;
        }
        world.engine.release("/logs-held/_search");
        assert_eq!(asked.await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_idle_connection_ends_whatever_it_speaks() {
    let world = StandIns::start_with("limits: {keep_alive_timeout: 300ms, header_timeout: 300ms}\n").await;
    for client in both(&world) {
        let mut session = Session::open(&client).await;
        assert_eq!(session.get("/logs-a/_search").await.unwrap().status, StatusCode::OK);
        session.closed().await.unwrap();
        // Nothing is said at all after the handshake, not even how HTTP/2 opens.
        let mut mute = RawConnection::open(&client).await;
        mute.read_to_end().await;
    }
    nobody_left(&world).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_are_served() {
    let world = StandIns::start_with("limits: {max_connections: 2}\n").await;
    let client = world.client("read:logs-*");
    let mut first = Session::open(&client).await;
    let mut second = Session::open(&client).await;
    for session in [&mut first, &mut second] {
        assert_eq!(session.get("/logs-a/_search").await.unwrap().status, StatusCode::OK);
    }
    let waiting = client.clone();
    let third = tokio::spawn(async move { waiting.get("/logs-third/_search").await });
    // The others go on undisturbed while it waits.
    for _ in 0..20 {
        assert_eq!(first.get("/logs-a/_search").await.unwrap().status, StatusCode::OK);
    }
    assert!(!third.is_finished());
    assert!(world.engine.seen().iter().all(|seen| seen.target != "/logs-third/_search"));
    drop(second);
    assert_eq!(third.await.unwrap().status, StatusCode::OK);
}

async fn given_up(world: &StandIns) {
    let record = eventually("the request is given up", async || world.proxy.audit().await.pop()).await;
    assert_eq!(record["status"].as_u64(), Some(200), "{record}");
    assert_ne!(record["outcome"], "complete", "{record}");
    eventually("the engine's connection is free", async || {
        let snapshot = world.proxy.proxy().snapshot();
        let nodes: Vec<_> = snapshot.clusters()[0].upstream().status().collect();
        nodes.iter().all(|node| node.in_use == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let world = StandIns::start_with("limits: {body_idle_timeout: 500ms}\n").await;
    // Larger than all buffers in between.
    answer_long(&world, 64);
    let token = world.provider.token("read:logs-*");
    let mut connection = RawConnection::open(&world.anonymous()).await;
    let request = format!(
        "GET /logs-long/_search HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.send(request.as_bytes()).await;
    given_up(&world).await;
    nobody_left(&world).await;
}

#[tokio::test]
async fn an_http2_client_that_opens_no_window_loses_that_stream_only() {
    let world = StandIns::start_with("limits: {body_idle_timeout: 500ms}\n").await;
    answer_long(&world, 64);
    let mut session = Session::open(&http2(&world)).await;
    let answer = session.begin(Method::GET, "/logs-long/_search", Bytes::new()).await.unwrap();
    // Held, not read: the stream's window fills and stays full, while the connection lives.
    let unread = answer.await.unwrap();
    assert_eq!(unread.status(), StatusCode::OK);
    given_up(&world).await;
    assert_eq!(session.get("/logs-a/_search").await.unwrap().status, StatusCode::OK, "others go on");
    assert!(unread.into_body().collect().await.is_err(), "a cut answer never looks whole");
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_cut() {
    let world = StandIns::start_with("limits: {body_idle_timeout: 1s}\n").await;
    let length = answer_long(&world, 4);
    for client in both(&world) {
        let mut session = Session::open(&client).await;
        let answer = session.begin(Method::GET, "/logs-long/_search", Bytes::new()).await.unwrap();
        let mut body = answer.await.unwrap().into_body();
        let (mut read, mut pauses) = (0, 0);
        while let Some(frame) = body.frame().await {
            read += frame.unwrap().data_ref().map_or(0, Bytes::len);
            // In all far longer than the limit, each far shorter.
            if read > pauses * 512 * 1024 {
                pauses += 1;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        assert_eq!(read, length);
    }
}
