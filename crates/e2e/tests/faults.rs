//! Floods of HTTP/2 frames: whoever sends them harms neither others nor what is left when they are gone.
//!
//! Other faults are tried where the part is that has to bear them; `docs/faults.md` lists all.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use e2e::{Client, RawConnection, StandIns, eventually};
use http::StatusCode;

const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The connection preface and empty settings.
fn opening() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// A field with a literal name that no table learns (RFC 7541 section 6.2.2), shorter than what needs a second length byte.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
        field.extend(text.as_bytes());
    }
    field
}

/// A search without a token.
fn search() -> Vec<u8> {
    [(":method", "GET"), (":scheme", "https"), (":path", "/logs-a/_search"), (":authority", "localhost")]
        .map(|(name, value)| field(name, value))
        .concat()
}

async fn connection(world: &StandIns) -> RawConnection {
    RawConnection::open(&Client::http2(world.proxy.address, &world.proxy.ca())).await
}

async fn others_are_served(world: &StandIns) {
    for client in [world.client("read:logs-*"), Client::http2(world.proxy.address, &world.proxy.ca())] {
        let client = client.with_token(world.provider.token("read:logs-*"));
        for _ in 0..10 {
            assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
        }
    }
}

async fn nothing_is_left(world: &StandIns) {
    for gauge in ["connections", "in_flight"] {
        let what = format!("{gauge} is none");
        eventually(&what, async || (world.proxy.metric(gauge).await == Some(0.0)).then_some(())).await;
    }
}

#[tokio::test]
async fn streams_that_are_reset_at_once_leave_nothing_behind() {
    let world = StandIns::start().await;
    let mut connection = connection(&world).await;
    let mut bytes = opening();
    for number in 0..5_000_u32 {
        let stream = 2 * number + 1;
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &search()));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    // Its peer need not take all of them.
    let flood = tokio::spawn(async move { connection.send(&bytes).await });
    others_are_served(&world).await;
    flood.abort();
    let _ = flood.await;
    nothing_is_left(&world).await;
    let records = world.proxy.audit().await;
    let others = records.iter().filter(|record| record["client_id"] == "tester").count();
    assert_eq!((others, world.engine.seen().len()), (20, 20));
    assert!(records.len() <= 20 + 5_000, "none is recorded twice");
}

#[tokio::test]
async fn a_head_without_end_is_cut() {
    let world = StandIns::start().await;
    let mut connection = connection(&world).await;
    connection.send(&opening()).await;
    connection.send(&frame(HEADERS, END_STREAM, 1, &search())).await;
    let mut filler = Vec::new();
    for number in 0..400 {
        filler.extend(field(&format!("x-{number}"), "filler"));
    }
    for _ in 0..1_000 {
        connection.send(&frame(CONTINUATION, 0, 1, &filler)).await;
    }
    // The proxy closes, though the head never ends.
    connection.read_to_end().await;
    others_are_served(&world).await;
    nothing_is_left(&world).await;
    assert_eq!(world.engine.seen().len(), 20);
}

#[tokio::test]
async fn settings_and_pings_that_nobody_reads_the_answers_of_harm_no_other() {
    let world = StandIns::start().await;
    for (kind, payload) in [(SETTINGS, [0, 4, 0, 0, 255, 255].as_slice()), (PING, &[7; 8])] {
        let mut connection = connection(&world).await;
        let flood = tokio::spawn(async move {
            connection.send(&opening()).await;
            let frames = frame(kind, 0, 0, payload).repeat(10_000);
            for _ in 0..20 {
                connection.send(&frames).await;
            }
        });
        others_are_served(&world).await;
        flood.abort();
        let _ = flood.await;
        nothing_is_left(&world).await;
    }
}

#[tokio::test]
async fn windows_beyond_their_limit_end_the_connection() {
    let world = StandIns::start().await;
    for increments in [[u32::MAX >> 1, u32::MAX >> 1], [0, 0]] {
        let mut connection = connection(&world).await;
        connection.send(&opening()).await;
        for increment in increments {
            connection.send(&frame(WINDOW_UPDATE, 0, 0, &increment.to_be_bytes())).await;
        }
        connection.read_to_end().await;
    }
    others_are_served(&world).await;
    nothing_is_left(&world).await;
}
