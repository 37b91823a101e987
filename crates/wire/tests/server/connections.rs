//! Living connections: time, closing, and clients that go.

use std::{
    future::pending,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use http::Response;
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::{
    Limits,
    server::{Connection, Error, Next, Received},
};

use crate::{
    script::chunked_body,
    served::{Log, over_memory, over_tcp, serve},
};

pub(crate) fn connected(limits: Limits) -> (DuplexStream, Connection<DuplexStream>) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    (client, Connection::new(server, limits))
}

pub(crate) async fn read_all(stream: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::from(body))
}

async fn within_short_time(sent: &'static [u8]) -> String {
    let limits = Limits { head_timeout: Some(Duration::from_millis(20)), ..Limits::default() };
    let (mut client, server) = tokio::io::duplex(1024);
    client.write_all(sent).await.unwrap();
    let ((), response) = tokio::join!(serve(server, limits, Log::default()), read_all(&mut client));
    response
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let response = within_short_time(b"GET / HTTP/1.1\r\nhost: a\r\n").await;
    assert!(response.starts_with("HTTP/1.1 408 ") && response.ends_with("head_timeout"), "{response}");
}

#[tokio::test]
async fn the_second_head_has_its_time_from_its_first_byte() {
    let response = within_short_time(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2").await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("head_timeout"), "{response}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    assert_eq!(within_short_time(b"").await, "");
}

#[tokio::test]
async fn requests_follow_each_other_on_a_kept_connection() {
    let (mut client, server) = tokio::io::duplex(1024);
    let log = Log::default();
    let server = tokio::spawn(serve(server, Limits::default(), Arc::clone(&log)));
    for number in 0..3 {
        let request = format!("PUT /{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(format!("/{number}").as_bytes()) {
            assert_ne!(client.read_buf(&mut response).await.unwrap(), 0, "{}", response.escape_ascii());
        }
    }
    drop(client);
    server.await.unwrap();
    let bodies: Vec<_> = log.lock().unwrap().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies, vec![Some(b"hello".to_vec()); 3]);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let requests: String = (0..50)
        .map(|number| match number % 3 {
            0 => format!("GET /{number} HTTP/1.1\r\nhost: a\r\n\r\n"),
            1 => format!("PUT /{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"),
            _ => format!(
                "PUT /{number} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}",
                chunked_body([&b"hel"[..], b"lo"])
            ),
        })
        .collect();
    let exchange = over_memory(requests.as_bytes(), Limits::default()).await;
    let targets: Vec<_> = exchange.seen.iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(targets, (0..50).map(|number| format!("/{number}")).collect::<Vec<_>>());
    let mut rest = &exchange.response[..];
    for target in targets {
        let at = rest.find(&format!("\r\n\r\n{target}")).expect("an answer to each in turn");
        rest = &rest[at + 4..];
    }
}

#[tokio::test]
async fn waiting_for_a_request_can_be_given_up_and_taken_up_again() {
    let (mut client, mut connection) = connected(Limits::default());
    let mut cx = Context::from_waker(Waker::noop());
    let request = b"GET /whole HTTP/1.1\r\nhost: a\r\n\r\n";
    for byte in &request[..request.len() - 1] {
        client.write_all(&[*byte]).await.unwrap();
        assert!(pin!(connection.next()).poll(&mut cx).is_pending());
    }
    client.write_all(b"\n").await.unwrap();
    let Some(Received::Request(request)) = connection.next().await else { panic!("a request") };
    assert_eq!(request.uri().path(), "/whole");
    assert!(connection.next().await.is_none(), "no other before this one is answered");
    assert_eq!(connection.answer(async { text("x") }).await.unwrap(), Next::Request);
}

#[tokio::test]
async fn the_answer_to_a_refusal_arrives_although_the_client_sends_on() {
    let mut bytes = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 200 * 1024, b'x');
    let exchange = over_tcp(&bytes, Limits::default()).await;
    assert!(exchange.response.starts_with("HTTP/1.1 400 "), "{}", exchange.response);
}

#[tokio::test]
async fn closing_while_the_client_sends_waits_for_its_end_and_takes_what_it_sends() {
    for begun in [&b"GET /\r\n"[..], b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 600000\r\n\r\nbegun"] {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut client, mut connection) = connected(Limits::default());
        client.write_all(begun).await.unwrap();
        drop(connection.next().await.unwrap());
        assert_eq!(connection.answer(async { text("answered") }).await.unwrap(), Next::Close);
        let mut shutdown = pin!(connection.shutdown());
        for _ in 0..3 {
            assert!(shutdown.as_mut().poll(&mut cx).is_pending(), "the client has not ended its side");
            // As much as the connection holds: only a reader makes room for the next round.
            client.write_all(&vec![b'x'; 64 * 1024]).await.unwrap();
        }
        let answer = read_all(&mut client).await;
        assert!(answer.contains("connection: close\r\n") && answer.ends_with("answered"), "{answer}");
        client.shutdown().await.unwrap();
        assert!(shutdown.as_mut().poll(&mut cx).is_ready());
    }
}

#[tokio::test]
async fn closing_in_between_waits_for_nothing() {
    let (_client, connection) = connected(Limits::default());
    let shutdown = pin!(connection.shutdown());
    assert!(shutdown.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[tokio::test]
async fn a_draining_connection_says_so_with_its_last_answer() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    connection.next().await.unwrap();
    connection.close_after();
    assert_eq!(connection.answer(async { text("last") }).await.unwrap(), Next::Close);
    assert!(connection.next().await.is_none());
    connection.shutdown().await;
    assert!(read_all(&mut client).await.contains("\r\nconnection: close\r\n"));
}

#[tokio::test]
async fn a_client_that_goes_is_noticed_while_its_answer_is_made() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    connection.next().await.unwrap();
    let (gone, dropped) = tokio::sync::oneshot::channel::<()>();
    let answering = async move {
        let _held = gone;
        pending::<Response<Full<Bytes>>>().await
    };
    let leave = async {
        tokio::task::yield_now().await;
        drop(client);
    };
    let (answered, ()) = tokio::join!(connection.answer(answering), leave);
    assert!(matches!(answered, Err(Error::ClientLeft)), "{answered:?}");
    dropped.await.unwrap_err();
    assert!(connection.next().await.is_none());
}

#[tokio::test]
async fn what_comes_while_an_answer_is_made_is_the_next_request() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    connection.next().await.unwrap();
    let answering = async {
        for byte in b"GET /2 HTTP/1.1\r\nhost: a\r\n\r\n" {
            client.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        text("one")
    };
    assert_eq!(connection.answer(answering).await.unwrap(), Next::Request);
    let Some(Received::Request(request)) = connection.next().await else { panic!("a request") };
    assert_eq!(request.uri().path(), "/2");
}

#[tokio::test]
async fn an_answer_that_is_given_up_leaves_nothing_to_go_on_with() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    connection.next().await.unwrap();
    {
        let answering = pin!(connection.answer(pending::<Response<Full<Bytes>>>()));
        assert!(answering.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(connection.next().await.is_none());
    let again = connection.answer(async { text("x") }).await;
    assert!(matches!(again, Err(Error::NoRequest)), "{again:?}");
}
