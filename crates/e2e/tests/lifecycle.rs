//! Stopping: running requests end, nothing new begins, and the trail is whole afterwards.

use std::collections::BTreeSet;

use bytes::Bytes;
use e2e::{Client, RawConnection, Session, StandIns, eventually};
use http::{Method, StatusCode};
use tokio::net::TcpStream;

fn http2(world: &StandIns, scope: &str) -> Client {
    Client::http2(world.proxy.address, &world.proxy.ca()).with_token(world.provider.token(scope))
}

async fn refused(world: &StandIns) {
    let address = world.proxy.address;
    eventually("new connections are refused", async || TcpStream::connect(address).await.err().map(|_| ()))
        .await;
}

#[tokio::test]
async fn a_running_request_ends_and_nothing_new_begins() {
    for version in ["1.1", "2"] {
        let world = StandIns::start().await;
        let client = if version == "2" { http2(&world, "read:logs-*") } else { world.client("read:logs-*") };
        let mut idle = Session::open(&client).await;
        assert_eq!(idle.get("/logs-a/_search").await.unwrap().status, StatusCode::OK);
        // Has sent nothing at all.
        let silent = Session::open(&client).await;

        world.engine.hold("/logs-held/_search");
        let mut busy = Session::open(&client).await;
        let answer = busy.begin(Method::GET, "/logs-held/_search", Bytes::new()).await.unwrap();
        let answer = tokio::spawn(answer);
        world.engine.wait_for(2).await;
        world.proxy.begin_stop();

        refused(&world).await;
        idle.closed().await.expect("an idle connection is closed properly");
        // One that was never used is closed too, though without a word.
        let _ = silent.closed().await;
        let ready = world.proxy.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "balancers are told to go elsewhere");
        assert!(ready.text().contains("stopping"), "{}", ready.text());

        world.engine.release("/logs-held/_search");
        let response = answer.await.unwrap().expect("the running request is answered");
        assert_eq!(response.status(), StatusCode::OK);
        if version == "1.1" {
            assert_eq!(response.headers()["connection"], "close", "the client is told not to send more");
        }
        let reply = e2e::Reply::collect(response).await;
        assert_eq!(&reply.body[..], b"{}");
        busy.closed().await.expect("the connection ends properly");

        let records = world.proxy.stop().await.audit();
        assert_eq!(records.len(), 2, "{records:?}");
        assert!(records.iter().all(|record| record["outcome"] == "complete"), "{records:?}");
    }
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_and_recorded() {
    for version in ["1.1", "2"] {
        let world = StandIns::start_with("drain_timeout: 1s\n").await;
        let client = if version == "2" { http2(&world, "read:logs-*") } else { world.client("read:logs-*") };
        world.engine.hold("/logs-held/_search");
        let mut busy = Session::open(&client).await;
        let answer = busy.begin(Method::GET, "/logs-held/_search", Bytes::new()).await.unwrap();
        let answer = tokio::spawn(answer);
        world.engine.wait_for(1).await;
        let files = world.proxy.stop().await;
        answer.await.unwrap().expect_err("no answer comes");
        let records = files.audit();
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0]["decision"], "allow");
        assert_eq!(records[0]["outcome"], "aborted", "it was not the client that left: {}", records[0]);
        assert!(records[0].get("status").is_none(), "{}", records[0]);
    }
}

#[tokio::test]
async fn a_half_sent_request_does_not_hold_the_stop_up_beyond_its_limit() {
    let world = StandIns::start_with("drain_timeout: 1s\n").await;
    let mut half = RawConnection::open(&world.anonymous()).await;
    half.send(b"GET /logs-a/_search HTTP/1.1\r\nHost: local").await;
    let files = world.proxy.stop().await;
    assert_eq!(half.read_to_end().await, "");
    assert!(files.audit().is_empty(), "what never became a request leaves no record");
}

#[tokio::test]
async fn every_answered_request_is_in_the_trail_after_a_stop_under_load() {
    let world = StandIns::start().await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = world.client("read:logs-*");
        clients.spawn(async move {
            let mut session = Session::open(&client).await;
            let mut answered = Vec::new();
            while let Ok(reply) = session.get("/logs-a/_search").await {
                assert_eq!(reply.status, StatusCode::OK);
                answered.push(reply.header("x-request-id").to_owned());
            }
            answered
        });
    }
    world.engine.wait_for(100).await;
    let StandIns { proxy, engine, provider } = world;
    let files = proxy.stop().await;
    let answered: BTreeSet<String> = clients.join_all().await.into_iter().flatten().collect();
    let audited: BTreeSet<String> = files
        .audit()
        .iter()
        .map(|record| record["request_id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(answered.is_subset(&audited));
    assert_eq!(audited.len(), engine.seen().len(), "what the engine saw is what was recorded");
    drop(provider);
}

#[tokio::test]
async fn a_stop_while_everything_behind_is_away_ends_too() {
    let world = StandIns::start().await;
    let StandIns { proxy, engine, provider } = world;
    provider.set_down(true);
    drop(engine);
    proxy.stop().await;
}
