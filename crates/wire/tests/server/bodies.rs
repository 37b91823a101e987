//! Bodies of requests: read when they are asked for, and given up in order.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wire::{
    Limits,
    server::{BodyError, Connection, Error, Next, Received, RequestBody},
};

use crate::{
    connections::{connected, read_all},
    script::{chunked_body, sent_frames},
    served::{over_memory, over_tcp},
};

async fn request(connection: &mut Connection<DuplexStream>) -> Request<RequestBody> {
    match connection.next().await {
        Some(Received::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn empty() -> Response<Full<Bytes>> {
    Response::new(Full::default())
}

#[tokio::test]
async fn large_bodies_come_whole() {
    let body = "x".repeat(3 * 1024 * 1024);
    let chunks = chunked_body(body.as_bytes().chunks(70_000));
    let end = "GET /end HTTP/1.1\r\nhost: a\r\n\r\n";
    let known = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}{end}", body.len());
    let chunked = format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{end}");
    for request in [known, chunked] {
        for exchange in [
            over_memory(request.as_bytes(), Limits::default()).await,
            over_tcp(request.as_bytes(), Limits::default()).await,
        ] {
            let [first, last] = &exchange.seen[..] else { panic!("two requests") };
            assert!(first.body.as_deref() == Some(body.as_bytes()) && last.target == "/end");
        }
    }
}

#[tokio::test]
async fn a_body_tells_its_size_and_its_end() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    let mut body = request(&mut connection).await.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hel");
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(2), false));
    client.write_all(b"lo").await.unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "lo");
    assert!(body.is_end_stream() && body.frame().await.is_none());
    connection.answer(async { empty() }).await.unwrap();

    client
        .write_all(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        .await
        .unwrap();
    let mut body = request(&mut connection).await.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (None, false));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
    assert!(body.is_end_stream(), "the end came with the data");
    connection.answer(async { empty() }).await.unwrap();

    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(request(&mut connection).await.body().is_end_stream());
}

#[tokio::test]
async fn a_client_that_ends_in_the_middle_breaks_the_body_off() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    client.shutdown().await.unwrap();
    let body = request(&mut connection).await.into_body();
    let answering = async {
        assert!(matches!(body.collect().await, Err(BodyError::Ended)));
        let mut response = empty();
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    };
    assert_eq!(connection.answer(answering).await.unwrap(), Next::Close);
    connection.shutdown().await;
    assert!(read_all(&mut client).await.starts_with("HTTP/1.1 400 "));
}

const EXPECTING: &[u8] = b"PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 5\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[tokio::test]
async fn a_client_is_told_to_go_ahead_when_its_body_is_asked_for() {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(EXPECTING).await.unwrap();
    let mut body = request(&mut connection).await.into_body();
    assert!(pin!(client.read_u8()).poll(&mut cx).is_pending(), "nobody has asked yet");
    assert!(pin!(body.frame()).poll(&mut cx).is_pending());
    let mut told = vec![0; CONTINUE.len()];
    client.read_exact(&mut told).await.unwrap();
    assert_eq!(told, CONTINUE);
    assert!(pin!(body.frame()).poll(&mut cx).is_pending());
    assert!(pin!(client.read_u8()).poll(&mut cx).is_pending(), "it is told once");
    client.write_all(b"hello").await.unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(connection.answer(async { empty() }).await.unwrap(), Next::Request);
}

#[tokio::test]
async fn a_client_that_is_answered_first_is_not_told_to_go_ahead() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(EXPECTING).await.unwrap();
    let mut body = request(&mut connection).await.into_body();
    assert_eq!(connection.answer(async { empty() }).await.unwrap(), Next::Close);
    assert!(matches!(body.frame().await, Some(Err(BodyError::Abandoned))));
    client.shutdown().await.unwrap();
    connection.shutdown().await;
    drop(body);
    let answer = read_all(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_go_ahead_that_was_begun_is_ended_before_the_answer() {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut client, server) = tokio::io::duplex(7);
    let mut connection = Connection::new(server, Limits::default());
    let (found, ()) = tokio::join!(request(&mut connection), async {
        client.write_all(EXPECTING).await.unwrap();
    });
    let mut body = found.into_body();
    assert!(pin!(body.frame()).poll(&mut cx).is_pending());
    drop(body);
    let answer = async {
        assert_eq!(connection.answer(async { empty() }).await.unwrap(), Next::Close);
        connection.shutdown().await;
    };
    let read = async {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") || bytes.len() <= CONTINUE.len() {
            client.read_buf(&mut bytes).await.unwrap();
        }
        drop(client);
        bytes
    };
    let ((), bytes) = tokio::join!(answer, read);
    assert!(bytes.starts_with(&[CONTINUE, b"HTTP/1.1 200 "].concat()), "{}", bytes.escape_ascii());
}

#[tokio::test]
async fn a_go_ahead_is_not_needed_where_the_body_is_there_or_the_client_is_too_old() {
    for begun in [
        [EXPECTING, b"hello"].concat(),
        b"PUT / HTTP/1.0\r\nexpect: 100-continue\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\n"
            .to_vec(),
    ] {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut client, mut connection) = connected(Limits::default());
        client.write_all(&begun).await.unwrap();
        let mut body = request(&mut connection).await.into_body();
        let _ = pin!(body.frame()).poll(&mut cx);
        assert!(pin!(client.read_u8()).poll(&mut cx).is_pending());
    }
}

#[tokio::test]
async fn a_small_rest_of_a_body_is_thrown_away_and_a_large_one_ends_the_connection() {
    let next = b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n";
    for (length, sent, follows) in
        [(5, 5, true), (40_000, 40_000, true), (5, 3, false), (900_000, 60_000, false)]
    {
        let (mut client, mut connection) = connected(Limits::default());
        let head = format!("PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; sent]).await.unwrap();
        if sent == length {
            client.write_all(next).await.unwrap();
        }
        drop(request(&mut connection).await);
        let answered = connection.answer(async { empty() }).await.unwrap();
        assert_eq!(answered == Next::Request, follows, "{length} {sent}");
        if follows {
            assert_eq!(request(&mut connection).await.uri().path(), "/next");
        } else {
            client.shutdown().await.unwrap();
            connection.shutdown().await;
            assert!(read_all(&mut client).await.contains("connection: close\r\n"));
        }
    }
}

#[tokio::test]
async fn a_body_can_be_read_while_the_answer_is_written() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let body = request(&mut connection).await.into_body();
    let echo = connection.answer(async { Response::new(body) });
    let talk = async {
        for word in ["one", "two", "three"] {
            let chunk = format!("{:x}\r\n{word}\r\n", word.len());
            client.write_all(chunk.as_bytes()).await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(chunk.as_bytes()) {
                assert_ne!(client.read_buf(&mut got).await.unwrap(), 0);
            }
        }
        client.write_all(b"0\r\n\r\n").await.unwrap();
    };
    let (answered, ()) = tokio::join!(echo, talk);
    assert_eq!(answered.unwrap(), Next::Request);
}

#[tokio::test]
async fn a_violation_behind_the_head_of_an_answer_breaks_the_connection_off() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let body = request(&mut connection).await.into_body();
    let echo = connection.answer(async { Response::new(body) });
    let mut got = Vec::new();
    let talk = async {
        client.write_all(b"3\r\none\r\n").await.unwrap();
        while !got.ends_with(b"one\r\n") {
            assert_ne!(client.read_buf(&mut got).await.unwrap(), 0);
        }
        client.write_all(b"zz\r\n").await.unwrap();
    };
    let (answered, ()) = tokio::join!(echo, talk);
    assert!(matches!(answered, Err(Error::Body(_))), "{answered:?}");
    connection.shutdown().await;
    assert_eq!(read_all(&mut client).await, "", "no last chunk");
}

#[tokio::test]
async fn frames_that_are_ready_go_out_before_others_are_waited_for() {
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    request(&mut connection).await;
    let (sender, frames) = sent_frames();
    let answering = connection.answer(async { Response::new(frames) });
    let talk = async {
        let mut got = Vec::new();
        for part in ["first", "second"] {
            sender.send(Ok(Frame::data(Bytes::from(part)))).unwrap();
            while !got.ends_with(format!("{part}\r\n").as_bytes()) {
                assert_ne!(client.read_buf(&mut got).await.unwrap(), 0);
            }
        }
        drop(sender);
    };
    let (answered, ()) = tokio::join!(answering, talk);
    assert_eq!(answered.unwrap(), Next::Request);
}
