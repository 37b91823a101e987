//! How answers are written: their framing, and what becomes of the connection.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::{
    Limits,
    server::{Connection, Error, Next},
};

use crate::{
    connections::{connected, read_all},
    script::{SentFrame, sent_frames},
};

/// A body of unknown length with these frames.
fn frames(frames: impl IntoIterator<Item = SentFrame>) -> crate::script::SentFrames {
    let (sender, body) = sent_frames();
    for frame in frames {
        sender.send(frame).unwrap();
    }
    body
}

#[expect(clippy::unnecessary_wraps, reason = "beside it stand frames that fail")]
fn data(text: &'static str) -> SentFrame {
    Ok(Frame::data(Bytes::from(text)))
}

/// What a client reads that sends `request`, without `Date`, and what the server learns.
async fn answered<B>(request: &str, response: Response<B>) -> (String, Result<Next, Error>)
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut client, mut connection) = connected(Limits::default());
    client.write_all(request.as_bytes()).await.unwrap();
    connection.next().await.unwrap();
    let next = connection.answer(async { response }).await;
    client.shutdown().await.unwrap();
    connection.shutdown().await;
    let answer = read_all(&mut client).await;
    let lines = answer.split_inclusive("\r\n").filter(|line| !line.starts_with("date: "));
    (lines.collect(), next)
}

fn status(code: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(*name, value.parse().unwrap());
    }
    response
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEPT: &str = "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";

#[tokio::test]
async fn the_length_of_a_known_body_is_told() {
    type Case<'a> = (&'a str, u16, &'a [(&'static str, &'static str)], &'static str, &'a str, Next);
    let table: &[Case<'_>] = &[
        (GET, 200, &[], "hello", "200 OK\r\ncontent-length: 5\r\n\r\nhello", Next::Request),
        (GET, 200, &[], "", "200 OK\r\ncontent-length: 0\r\n\r\n", Next::Request),
        (
            GET,
            404,
            &[("x", "y")],
            "no",
            "404 Not Found\r\nx: y\r\ncontent-length: 2\r\n\r\nno",
            Next::Request,
        ),
        // What the response says of itself does not count where its body is there.
        (
            GET,
            200,
            &[("content-length", "7")],
            "hello",
            "200 OK\r\ncontent-length: 5\r\n\r\nhello",
            Next::Request,
        ),
        (
            GET,
            200,
            &[("transfer-encoding", "gzip")],
            "hello",
            "200 OK\r\ncontent-length: 5\r\n\r\nhello",
            Next::Request,
        ),
        // Without a body.
        (HEAD, 200, &[("content-length", "7")], "", "200 OK\r\ncontent-length: 7\r\n\r\n", Next::Request),
        (HEAD, 200, &[], "hello", "200 OK\r\ncontent-length: 5\r\n\r\n", Next::Request),
        (HEAD, 200, &[], "", "200 OK\r\n\r\n", Next::Request),
        (GET, 204, &[("content-length", "7")], "hello", "204 No Content\r\n\r\n", Next::Request),
        (
            GET,
            304,
            &[("content-length", "7")],
            "",
            "304 Not Modified\r\ncontent-length: 7\r\n\r\n",
            Next::Request,
        ),
        (GET, 304, &[], "hello", "304 Not Modified\r\n\r\n", Next::Request),
        // The end of the connection.
        (
            GET,
            200,
            &[("connection", "x, Close")],
            "",
            "200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            Next::Close,
        ),
        (
            GET,
            200,
            &[("connection", "keep-alive"), ("keep-alive", "x")],
            "",
            "200 OK\r\ncontent-length: 0\r\n\r\n",
            Next::Request,
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            200,
            &[],
            "hello",
            "200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
            Next::Close,
        ),
    ];
    for (request, code, headers, body, expected, next) in table {
        let (answer, then) = answered(request, status(*code, headers, body)).await;
        assert_eq!(
            (answer, then.unwrap()),
            (format!("HTTP/1.1 {expected}"), *next),
            "{request:?} {code} {headers:?}"
        );
    }
    for (request, expected, next) in [
        (OLD, "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello", Next::Close),
        (
            OLD_KEPT,
            "HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello",
            Next::Request,
        ),
    ] {
        let (answer, then) = answered(request, status(200, &[], "hello")).await;
        assert_eq!((answer.as_str(), then.unwrap()), (expected, next));
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked_or_ends_with_the_connection() {
    let body = || Response::new(frames([data("hello"), data(""), data("!")]));
    for (request, expected, next) in [
        (
            GET,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            Next::Request,
        ),
        (OLD, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nhello!", Next::Close),
        (OLD_KEPT, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nhello!", Next::Close),
        (HEAD, "HTTP/1.1 200 OK\r\n\r\n", Next::Request),
    ] {
        let (answer, then) = answered(request, body()).await;
        assert_eq!((answer.as_str(), then.unwrap()), (expected, next), "{request:?}");
    }
}

#[tokio::test]
async fn a_length_that_a_response_gives_itself_is_held_to_the_bytes() {
    for (length, fits) in [("6", true), ("5", false), ("7", false)] {
        let mut response = Response::new(frames([data("hello"), data("!")]));
        response.headers_mut().insert("content-length", length.parse().unwrap());
        let (answer, next) = answered(GET, response).await;
        assert!(matches!(next, Err(Error::Length)) != fits, "{length}: {next:?}");
        let sent = answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        assert!(sent <= length.parse().unwrap(), "never more than announced");
    }
    let mut response = Response::new(frames([data("hello")]));
    response.headers_mut().insert("content-length", "+5".parse().unwrap());
    let (answer, _) = answered(GET, response).await;
    assert!(answer.contains("chunked") && !answer.contains("+5"), "no length is not believed: {answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_has_no_end() {
    for (request, start) in [(GET, "HTTP/1.1 "), (OLD, "HTTP/1.0 ")] {
        let broken = Err(io::Error::other("the engine is gone"));
        let (answer, next) = answered(request, Response::new(frames([data("hello"), broken]))).await;
        assert!(matches!(next, Err(Error::Body(_))), "{next:?}");
        assert!(answer.starts_with(start) && !answer.contains("0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn trailers_go_to_clients_that_take_them_where_the_response_announced_them() {
    let mut trailers = HeaderMap::new();
    for (name, value) in [("digest", "x"), ("content-length", "1"), ("unannounced", "y")] {
        trailers.insert(name, value.parse().unwrap());
    }
    for (te, end) in [("te: gzip, Trailers\r\n", "0\r\ndigest: x\r\n\r\n"), ("", "0\r\n\r\n")] {
        let mut response = Response::new(frames([data("a"), Ok(Frame::trailers(trailers.clone()))]));
        response.headers_mut().insert("trailer", "digest, content-length".parse().unwrap());
        let (answer, next) = answered(&format!("GET / HTTP/1.1\r\nhost: a\r\n{te}\r\n"), response).await;
        assert!(answer.ends_with(&format!("1\r\na\r\n{end}")), "{answer}");
        assert_eq!(next.unwrap(), Next::Request);
    }
}

#[tokio::test]
async fn a_date_is_added_where_there_is_none() {
    for (headers, dates) in [(&[][..], 1), (&[("date", "Thu, 01 Jan 1970 00:00:00 GMT")], 1)] {
        let (mut client, mut connection) = connected(Limits::default());
        client.write_all(GET.as_bytes()).await.unwrap();
        connection.next().await.unwrap();
        connection.answer(async { status(200, headers, "") }).await.unwrap();
        connection.shutdown().await;
        let answer = read_all(&mut client).await;
        assert_eq!(answer.matches("\r\ndate: ").count(), dates);
        assert_eq!(answer.contains("1970"), !headers.is_empty());
    }
}

/// One frame, after which it must not be asked again, and must be dropped before it is sent on.
struct Once {
    frame: Option<Bytes>,
    dropped: Arc<AtomicBool>,
}

impl Body for Once {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<SentFrame>> {
        let frame = self.frame.take().expect("it has said that it has ended");
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
    fn is_end_stream(&self) -> bool {
        self.frame.is_none()
    }
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.frame.as_ref().map_or(0, Bytes::len) as u64)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_body_is_dropped_when_it_has_ended_and_not_when_the_client_has_it() {
    let (mut client, server) = tokio::io::duplex(16);
    let mut connection = Connection::new(server, Limits::default());
    let large = Bytes::from(vec![b'x'; 100_000]);
    let dropped = Arc::new(AtomicBool::new(false));
    let body = Once { frame: Some(large), dropped: Arc::clone(&dropped) };
    let serve = async {
        connection.next().await.unwrap();
        connection.answer(async { Response::new(body) }).await.unwrap();
        connection.shutdown().await;
    };
    let ask = async {
        client.write_all(GET.as_bytes()).await.unwrap();
        let mut first = [0; 1];
        client.read_exact(&mut first).await.unwrap();
        assert!(dropped.load(Ordering::Relaxed), "nothing but its bytes is waited for");
        read_all(&mut client).await
    };
    let ((), answer) = tokio::join!(serve, ask);
    assert!(answer.ends_with(&"x".repeat(100_000)));
}

#[tokio::test]
async fn another_client_reads_what_is_written() {
    let (client, server) = tokio::io::duplex(1000);
    let serve = async move {
        let mut connection = Connection::new(server, Limits::default());
        let mut number = 0;
        while connection.next().await.is_some() {
            number += 1;
            let parts = (0..number).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 3000]))));
            let response = Response::new(frames(parts));
            connection.answer(async { response }).await.unwrap();
        }
    };
    let ask = async move {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
        let connection = tokio::spawn(connection);
        for number in 1..20 {
            let request = http::Request::get("/").header("host", "a").body(Full::<Bytes>::default()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), number * 3000);
        }
        drop(sender);
        connection.await.unwrap().unwrap();
    };
    tokio::join!(serve, ask);
}
