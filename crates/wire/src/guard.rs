use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    Limits, Violation, body,
    buffer::Buffer,
    decode::Decoder,
    head::{Head, Progress},
    timer::Timer,
};

/// The method of the request that stands in for a refused one. Its path is `/` and [`Violation::reason`].
///
/// A client that sends this method itself over HTTP/1 is refused; over HTTP/2 it can send it, so the pipeline answers it
/// with an error whatever its path says.
pub const REFUSED_METHOD: &str = "WIRE-REFUSED";

/// How HTTP/2 opens (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes read and thrown away when a connection is closed while the client sends, so that the answer is not lost to a
/// connection reset.
const DRAIN: usize = 4 * 1024 * 1024;
/// How long the end of the client's stream is waited for then.
const LINGER: Duration = Duration::from_secs(1);

/// A connection of which only requests with exactly one reading can be read. Writes pass through.
///
/// - A head is held back until it is whole and found sound. Bodies pass as they come; one of known length is only
///   counted, without a copy.
/// - A head that breaks a rule is replaced by a request with [`REFUSED_METHOD`], `Host: wire.invalid` and
///   `Connection: close`, for the pipeline to answer and record. Nothing of the client is read after it. The stream then
///   stays pending instead of ending, because a server takes an end for a client that has gone and would not answer.
/// - A violation inside a body is an [`io::Error`] of kind `InvalidData` with the [`Violation`] inside: the request
///   breaks off.
/// - A connection that opens with the HTTP/2 preface is passed unseen if [`Limits::http2`] allows it.
///
/// After an upgrade the bytes are no longer HTTP: take the connection back with [`Guard::into_parts`].
#[derive(Debug)]
pub struct Guard<IO> {
    io: IO,
    limits: Limits,
    buffer: Buffer,
    /// So many bytes of the buffer may be read.
    approved: usize,
    state: State,
    heads: u64,
    timer: Timer,
    /// The write side is shut down.
    shut: bool,
    /// So many bytes have been thrown away.
    drained: usize,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each connection, and a head for each request"
)]
enum State {
    /// The connection is new and may open with the HTTP/2 preface.
    Start,
    Head(Head),
    Body(Decoder),
    /// HTTP/2.
    Transparent,
    /// A head was refused.
    Refused,
    /// A body was refused.
    Broken(Violation),
    /// The client's stream has ended.
    Ended,
}

impl<IO> Guard<IO> {
    /// Guards a connection on which nothing has been read yet.
    pub fn new(io: IO, limits: Limits) -> Self {
        Self {
            io,
            limits,
            buffer: Buffer::default(),
            approved: 0,
            state: if limits.http2 { State::Start } else { State::Head(Head::default()) },
            heads: 0,
            timer: Timer::default(),
            shut: false,
            drained: 0,
        }
    }

    /// The connection.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// The connection and what was read from it but not from the guard, for use after an upgrade.
    ///
    /// If the client sent bytes after the head before it had the answer they may have been refused, and are gone.
    pub fn into_parts(self) -> (IO, Bytes) {
        let unread = match self.state {
            State::Refused | State::Broken(_) => Bytes::new(),
            _ => Bytes::copy_from_slice(self.buffer.unread()),
        };
        (self.io, unread)
    }

    /// The number of requests let through, not counting what stands in for a refused one.
    pub fn requests(&self) -> u64 {
        self.heads
    }

    /// What the guard has refused, if anything. Nothing passes after that.
    pub fn refused(&self) -> bool {
        matches!(self.state, State::Refused | State::Broken(_))
    }

    fn refuse(&mut self, violation: Violation) {
        let reason = violation.reason();
        let substitute =
            format!("{REFUSED_METHOD} /{reason} HTTP/1.1\r\nhost: wire.invalid\r\nconnection: close\r\n\r\n");
        self.buffer = Buffer::default();
        self.buffer.push(substitute.as_bytes());
        self.approved = substitute.len();
        self.state = State::Refused;
    }

    /// Lets the part of the body pass that is in the buffer behind the approved bytes.
    fn advance_body(&mut self) {
        let State::Body(body) = &mut self.state else {
            return;
        };
        match body::advance(body, &self.buffer.unread()[self.approved..]) {
            Ok(passed) => {
                self.approved += passed.count;
                if passed.ended {
                    self.state = State::Head(Head::default());
                }
            }
            Err(violation) => self.state = State::Broken(violation),
        }
    }

    /// Goes on with what is in the buffer. `false` if more bytes are needed for that.
    fn advance(&mut self) -> bool {
        match &mut self.state {
            State::Start => {
                let unread = self.buffer.unread();
                if unread.starts_with(PREFACE) {
                    self.approved = unread.len();
                    self.state = State::Transparent;
                } else if PREFACE.starts_with(unread) {
                    return false;
                } else {
                    self.state = State::Head(Head::default());
                }
            }
            State::Head(head) => match head.advance(self.buffer.unread(), &self.limits) {
                Ok(Progress::Partial) => return false,
                Ok(Progress::Complete { length, body }) => {
                    self.heads += 1;
                    self.timer.stop();
                    self.approved = length;
                    self.state = State::Body(body);
                    self.advance_body();
                }
                Err(violation) => self.refuse(violation),
            },
            State::Body(_) if !self.buffer.unread().is_empty() => self.advance_body(),
            State::Body(_) | State::Transparent | State::Refused | State::Broken(_) | State::Ended => {
                return false;
            }
        }
        true
    }
}

impl<IO: AsyncRead + Unpin> Guard<IO> {
    /// Reads more of a head.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.buffer.poll_fill(&mut self.io, cx) {
            Poll::Ready(Ok(0)) => {
                self.state = State::Ended;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let begun = !self.buffer.unread().is_empty();
                let Some(limit) = self.limits.head_timeout.filter(|_| begun || self.heads == 0) else {
                    return Poll::Pending;
                };
                ready!(self.timer.poll(limit, cx));
                if begun {
                    self.refuse(Violation::HeadTimeout);
                } else {
                    self.state = State::Ended;
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Reads a body straight to where it is wanted.
    fn poll_body(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let State::Body(body) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        let before = out.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, out))?;
        let bytes = &out.filled()[before..];
        if bytes.is_empty() {
            self.state = State::Ended;
            return Poll::Ready(Ok(()));
        }
        match body::advance(body, bytes) {
            Ok(passed) => {
                self.buffer.push(&bytes[passed.count..]);
                out.set_filled(before + passed.count);
                if passed.ended {
                    self.state = State::Head(Head::default());
                }
                Poll::Ready(Ok(()))
            }
            Err(violation) => {
                out.set_filled(before);
                self.state = State::Broken(violation);
                Poll::Ready(Err(broken(violation)))
            }
        }
    }

    /// Throws away what still comes. Ready at the end of the stream, or when it was enough.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.drained < DRAIN {
            match ready!(self.buffer.poll_fill(&mut self.io, cx)) {
                Ok(0) | Err(_) => self.drained = DRAIN,
                Ok(count) => {
                    self.buffer.consume(count);
                    self.drained += count;
                }
            }
        }
        Poll::Ready(())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.approved > 0 {
                let count = this.approved.min(out.remaining());
                out.put_slice(&this.buffer.unread()[..count]);
                this.buffer.consume(count);
                this.approved -= count;
                return Poll::Ready(Ok(()));
            }
            if this.advance() {
                continue;
            }
            match &this.state {
                State::Start | State::Head(_) => ready!(this.poll_head(cx))?,
                State::Body(_) => return this.poll_body(cx, out),
                State::Transparent => return Pin::new(&mut this.io).poll_read(cx, out),
                State::Refused => {
                    ready!(this.poll_drain(cx));
                    return Poll::Pending;
                }
                State::Broken(violation) => return Poll::Ready(Err(broken(*violation))),
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    /// Shuts the write side down. After a refusal, and where a request was answered before its body had come, this also
    /// waits a moment for the client to end its side: closing with bytes unread resets the connection, and the client may
    /// never see the answer (RFC 9112 section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.shut = true;
            this.timer.stop();
        }
        let sending = matches!(this.state, State::Body(_) | State::Refused | State::Broken(_));
        if sending && this.poll_drain(cx).is_pending() {
            ready!(this.timer.poll(LINGER, cx));
        }
        Poll::Ready(Ok(()))
    }
}

fn broken(violation: Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, violation)
}
