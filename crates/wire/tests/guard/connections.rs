//! The guard on a living connection: time, HTTP/2, large bodies, upgrades.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use wire::{Guard, Limits};

use crate::script::chunked_body;
use crate::server::{Log, over_memory, over_tcp, serve};

fn guarded(limits: Limits) -> (DuplexStream, Guard<DuplexStream>) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    (client, Guard::new(server, limits))
}

async fn read_all(stream: &mut DuplexStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let limits = Limits { head_timeout: Some(Duration::from_millis(20)), ..Limits::default() };
    let (mut client, guard) = guarded(limits);
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let ((), response) = tokio::join!(serve(guard, Log::default()), read_all(&mut client));
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits { head_timeout: Some(Duration::from_millis(20)), ..Limits::default() };
    let (mut client, guard) = guarded(limits);
    let ((), response) = tokio::join!(serve(guard, Log::default()), read_all(&mut client));
    assert_eq!(response, "");
}

#[tokio::test]
async fn requests_follow_each_other_on_a_kept_connection() {
    let (mut client, guard) = guarded(Limits::default());
    let log = Log::default();
    let server = tokio::spawn(serve(guard, Arc::clone(&log)));
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
    let bodies: Vec<_> = log.lock().unwrap().iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [Some(5); 3]);
}

#[tokio::test]
async fn the_answer_to_a_refusal_arrives_although_the_client_sends_on() {
    let mut bytes = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\n".to_vec();
    bytes.resize(bytes.len() + 200 * 1024, b'x');
    let exchange = over_tcp(&bytes, Limits::default()).await;
    assert!(exchange.response.starts_with("HTTP/1.1 400 "), "{}", exchange.response);
}

#[tokio::test]
async fn closing_after_a_refusal_waits_for_the_client_and_takes_what_it_sends() {
    for begun in [&b"GET /\r\n"[..], b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 600000\r\n\r\nbegun"] {
        closing_waits(begun).await;
    }
}

/// Closes where the client has sent no more than `begun` of its request.
async fn closing_waits(begun: &[u8]) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut client, mut guard) = guarded(Limits::default());
    client.write_all(begun).await.unwrap();
    let mut passed = [0; 256];
    assert!(guard.read(&mut passed).await.unwrap() > 0);
    guard.write_all(b"refused").await.unwrap();
    let mut shutdown = pin!(guard.shutdown());
    for _ in 0..3 {
        assert!(shutdown.as_mut().poll(&mut cx).is_pending(), "the client has not ended its side");
        // As much as the connection holds: only a reader makes room for the next round.
        client.write_all(&vec![b'x'; 64 * 1024]).await.unwrap();
    }
    assert_eq!(
        read_all(&mut client).await,
        "refused",
        "the client sees the end although it has not ended its side"
    );
    client.shutdown().await.unwrap();
    assert!(shutdown.as_mut().poll(&mut cx).is_ready());
}

#[tokio::test]
async fn closing_without_a_refusal_waits_for_nothing() {
    let (_client, mut guard) = guarded(Limits::default());
    let shutdown = pin!(guard.shutdown());
    assert!(shutdown.poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let body = "x".repeat(3 * 1024 * 1024);
    let chunks = chunked_body(body.as_bytes().chunks(70_000));
    let end = "GET /end HTTP/1.1\r\nhost: a\r\n\r\n";
    let known = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}{end}", body.len());
    let chunked = format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{end}");
    for request in [known, chunked] {
        let exchange = over_memory(request.as_bytes(), Limits::default()).await;
        let bodies: Vec<_> = exchange.seen.iter().map(|seen| seen.body).collect();
        assert_eq!(bodies, [Some(body.len()), Some(0)]);
    }
}

#[tokio::test]
async fn http2_passes_unseen() {
    let (client, guard) = guarded(Limits::default());
    let log = Log::default();
    let server = tokio::spawn(serve(guard, Arc::clone(&log)));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("http://a/_bulk").body(Full::new(Bytes::from_static(b"hello"))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "/_bulk");
    drop(sender);
    connection.await.unwrap().unwrap();
    server.await.unwrap();
    assert_eq!(log.lock().unwrap()[0].body, Some(5));
}

#[tokio::test]
async fn after_an_upgrade_the_connection_comes_back_with_what_was_read() {
    let (mut client, mut guard) = guarded(Limits::default());
    let head = b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut read = vec![0; head.len()];
    guard.read_exact(&mut read).await.unwrap();
    assert_eq!(read, head);
    client.write_all(b"after").await.unwrap();
    let (mut io, unread) = guard.into_parts();
    assert_eq!(unread, "");
    let mut after = [0; 5];
    io.read_exact(&mut after).await.unwrap();
    assert_eq!(&after, b"after");

    let (mut client, mut guard) = guarded(Limits::default());
    client.write_all(&[&head[..], b"early"].concat()).await.unwrap();
    guard.read_exact(&mut read).await.unwrap();
    let (_, unread) = guard.into_parts();
    assert_eq!(unread, "early", "bytes sent too early are handed over, not judged");
}

#[tokio::test]
async fn writes_pass_through() {
    let (mut client, mut guard) = guarded(Limits::default());
    assert_eq!(guard.is_write_vectored(), guard.get_ref().is_write_vectored());
    let slices = [std::io::IoSlice::new(b"any"), std::io::IoSlice::new(b"thing\n")];
    assert!(guard.write_vectored(&slices).await.unwrap() > 0);
    guard.shutdown().await.unwrap();
    assert!("anything\n".starts_with(&read_all(&mut client).await));
}
