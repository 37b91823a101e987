//! A connection that plays given bytes, and what a guard makes of them.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Guard, Limits, Violation};

/// Yields each part in a read of its own, then the end.
pub(crate) struct Script(VecDeque<Vec<u8>>);

impl Script {
    pub(crate) fn new(parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(parts.into_iter().filter(|part| !part.is_empty()).collect())
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(mut part) = self.0.pop_front() {
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

/// How what was read from a guard ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// As the client's stream ended.
    Eof,
    /// A head was refused: the substitute was read, and nothing after it.
    Refused(Violation),
    /// A body was refused.
    Broken(Violation),
}

/// What a guard passed on.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Passed {
    /// Without the substitute for a refused head.
    pub(crate) bytes: Vec<u8>,
    pub(crate) requests: u64,
    /// The reads in which the bytes came. None goes beyond the end of a request.
    pub(crate) reads: Vec<Vec<u8>>,
    pub(crate) end: End,
}

pub(crate) fn limits() -> Limits {
    Limits { head_timeout: None, ..Limits::default() }
}

/// Reads everything that a guard passes of `parts`, `room` bytes at a time at most.
pub(crate) fn pass_parts(parts: impl IntoIterator<Item = Vec<u8>>, room: usize, limits: Limits) -> Passed {
    let mut guard = Guard::new(Script::new(parts), limits);
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = Vec::new();
    let mut reads = Vec::new();
    let end = loop {
        let mut space = vec![0; room];
        let mut out = ReadBuf::new(&mut space);
        match pin!(&mut guard).poll_read(&mut cx, &mut out) {
            Poll::Ready(Ok(())) if out.filled().is_empty() => break End::Eof,
            Poll::Ready(Ok(())) => {
                bytes.extend_from_slice(out.filled());
                reads.push(out.filled().to_vec());
            }
            Poll::Pending => {
                let end = take_substitute(&mut bytes);
                if room > bytes.len() {
                    reads.pop();
                }
                break end;
            }
            Poll::Ready(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                let violation = error.into_inner().and_then(|inner| inner.downcast::<Violation>().ok());
                break End::Broken(*violation.expect("the error holds the violation"));
            }
        }
    };
    assert_eq!(guard.refused(), end != End::Eof);
    Passed { bytes, requests: guard.requests(), reads, end }
}

pub(crate) fn pass(bytes: &[u8]) -> Passed {
    pass_parts([bytes.to_vec()], 64 * 1024, limits())
}

fn take_substitute(bytes: &mut Vec<u8>) -> End {
    let start = bytes
        .windows(wire::REFUSED_METHOD.len())
        .rposition(|window| window == wire::REFUSED_METHOD.as_bytes())
        .expect("a pending guard has handed on a substitute");
    let substitute = String::from_utf8(bytes.split_off(start)).expect("the substitute is ASCII");
    let path = substitute.split(' ').nth(1).expect("the substitute has a path");
    let violation = Violation::from_path(path).expect("the path tells the violation");
    let expected = format!(
        "{} {path} HTTP/1.1\r\nhost: wire.invalid\r\nconnection: close\r\n\r\n",
        wire::REFUSED_METHOD
    );
    assert_eq!(substitute, expected, "exactly one substitute");
    End::Refused(violation)
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
