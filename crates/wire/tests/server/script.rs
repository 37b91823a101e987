//! A connection that plays given bytes, and what a server reads of them.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use wire::{
    Limits, Violation,
    server::{BodyError, Connection, Next, Received},
};

/// Yields each part in a read of its own, and where a part is empty nothing for once; then the end.
pub(crate) struct Script(VecDeque<Vec<u8>>);

impl Script {
    pub(crate) fn new(parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut part) = self.0.pop_front() {
            if part.is_empty() {
                return Poll::Pending;
            }
            let rest = part.split_off(part.len().min(out.remaining()));
            out.put_slice(&part);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Drives what waits for nothing but a [`Script`].
pub(crate) fn drive<T>(future: impl Future<Output = T>) -> T {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// As the client's stream ended, between two requests or in the middle of one.
    Eof,
    /// With an answer that no request can follow.
    Close,
    /// A head was refused.
    Refused(Violation),
    /// A body was refused.
    Broken(Violation),
}

/// A request that was read.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Read {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// As far as it came.
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// The body came to its end.
    pub(crate) whole: bool,
}

/// What a server reads of a stream.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Passed {
    pub(crate) requests: Vec<Read>,
    pub(crate) end: End,
}

pub(crate) fn limits() -> Limits {
    Limits { head_timeout: None, ..Limits::default() }
}

pub(crate) fn pass_parts(parts: impl IntoIterator<Item = Vec<u8>>, limits: Limits) -> Passed {
    drive(read_all(Connection::new(Script::new(parts), limits)))
}

pub(crate) fn pass(bytes: &[u8]) -> Passed {
    pass_parts([bytes.to_vec()], limits())
}

async fn read_all(mut connection: Connection<Script>) -> Passed {
    let mut requests = Vec::new();
    let end = loop {
        let request = match connection.next().await {
            None => break End::Eof,
            Some(Received::Refused(violation)) => {
                let next = connection.answer(async { Response::new(Empty::<Bytes>::new()) }).await;
                assert_eq!(next.unwrap(), Next::Close);
                break End::Refused(violation);
            }
            Some(Received::Request(request)) => request,
        };
        let (parts, mut body) = request.into_parts();
        let mut read = Read {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            headers: parts.headers,
            body: Vec::new(),
            trailers: None,
            whole: false,
        };
        let mut error = None;
        let answering = async {
            loop {
                match body.frame().await {
                    None => {
                        read.whole = true;
                        break;
                    }
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => read.body.extend_from_slice(&data),
                        Err(frame) => read.trailers = frame.into_trailers().ok(),
                    },
                    Some(Err(broken)) => {
                        error = Some(broken);
                        break;
                    }
                }
            }
            Response::new(Empty::<Bytes>::new())
        };
        let next = connection.answer(answering).await.unwrap();
        requests.push(read);
        match (error, next) {
            (Some(BodyError::Violation(violation)), Next::Close) => break End::Broken(violation),
            (Some(BodyError::Ended), Next::Close) => break End::Eof,
            (None, Next::Close) => break End::Close,
            (None, Next::Request) => {}
            (error, next) => panic!("{error:?} {next:?}"),
        }
    };
    assert!(connection.next().await.is_none(), "nothing follows the end");
    Passed { requests, end }
}

/// A chunked body without extensions and trailers.
pub(crate) fn chunked_body<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut body = String::new();
    for chunk in chunks {
        writeln!(body, "{:x}\r", chunk.len()).unwrap();
        body.push_str(&String::from_utf8_lossy(chunk));
        body.push_str("\r\n");
    }
    body.push_str("0\r\n\r\n");
    body
}

/// The frames that are sent to it.
pub(crate) struct SentFrames(mpsc::UnboundedReceiver<SentFrame>);
pub(crate) type SentFrame = Result<Frame<Bytes>, io::Error>;

/// A body of unknown length.
pub(crate) fn sent_frames() -> (mpsc::UnboundedSender<SentFrame>, SentFrames) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, SentFrames(receiver))
}

impl Body for SentFrames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SentFrame>> {
        self.0.poll_recv(cx)
    }
}
