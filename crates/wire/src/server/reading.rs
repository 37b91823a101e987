//! What a connection has read, and how far its request has come.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::Request;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::{
    Limits, Violation,
    decode::Decoder,
    head::{Asked, Head, Progress},
    scratch,
    server::{
        answer::Error,
        body::{BodyError, Piece, Source},
    },
    timer::Timer,
};

/// What a client that waits for it is told before its body is read (RFC 9110 section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// As much of a large body as is read at a time.
const LARGE: u64 = 64 * 1024;
/// Bytes of a body that nobody wants which are thrown away to keep the connection.
const SKIPPED: usize = 64 * 1024;
/// Bytes read and thrown away when a connection is closed while the client sends, so that the answer is not lost to a
/// connection reset.
const DRAIN: usize = 4 * 1024 * 1024;
/// How long the end of the client's stream is waited for then.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, what has been read from it, and how far its request has come.
#[derive(Debug)]
pub(super) struct Reading<IO> {
    pub(super) io: IO,
    limits: Limits,
    /// Read and not used. Holds no memory while it is empty.
    unread: BytesMut,
    state: State,
    /// Changes with each request and each answer. 0 before the first.
    request: u64,
    /// The client waits for [`CONTINUE`], of which so many bytes have been written.
    go_ahead: Option<usize>,
    timer: Timer,
    /// The write side is shut down.
    shut: bool,
    /// So many bytes have been thrown away.
    drained: usize,
}

#[derive(Debug)]
enum State {
    /// Between two requests, or in a head of which a part has come.
    Head(Option<Box<Head>>),
    Body(Decoder),
    /// The request has come whole.
    Whole,
    /// A head or a body was refused.
    Refused(Violation),
    /// The client's stream has ended, or failed.
    Ended,
}

impl<IO> Reading<IO> {
    pub(super) fn new(io: IO, limits: Limits) -> Self {
        Self {
            io,
            limits,
            unread: BytesMut::new(),
            state: State::Head(None),
            request: 0,
            go_ahead: None,
            timer: Timer::default(),
            shut: false,
            drained: 0,
        }
    }

    /// Tells the request that was read last from those before.
    pub(super) fn request(&self) -> u64 {
        self.request
    }

    /// The body of the request, if it has not come whole.
    pub(super) fn body(&self) -> Option<&Decoder> {
        if let State::Body(decoder) = &self.state { Some(decoder) } else { None }
    }

    /// Whether the request has come whole, so that another may follow.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    /// The request has been answered. Whoever still holds its body gets no more of it.
    pub(super) fn answered(&mut self) {
        self.request += 1;
        if self.is_whole() {
            self.state = State::Head(None);
        }
    }

    /// What must go out of [`CONTINUE`] before an answer: the rest, where a part has. `None` if the client waits for it in
    /// vain, so that nobody knows whether a body comes.
    pub(super) fn forgo_continue(&mut self) -> Option<&'static [u8]> {
        match self.go_ahead.take() {
            Some(0) if self.unread.is_empty() => None,
            None | Some(0) => Some(b""),
            Some(written) => CONTINUE.get(written..),
        }
    }

    fn begin(&mut self, asked: Asked, decoder: Decoder) {
        self.timer.stop();
        self.request += 1;
        self.state = if decoder.is_ended() { State::Whole } else { State::Body(decoder) };
        let waits = asked.go_ahead && self.body().is_some() && self.unread.is_empty();
        self.go_ahead = waits.then_some(0);
    }

    fn refuse(&mut self, violation: Violation) -> Violation {
        self.unread = BytesMut::new();
        self.state = State::Refused(violation);
        violation
    }

    fn end(&mut self) {
        self.unread = BytesMut::new();
        self.state = State::Ended;
    }

    /// Goes on with the body with what is there. `None` if there is nothing.
    fn next_piece(&mut self) -> Option<Result<Piece, Violation>> {
        let State::Body(decoder) = &mut self.state else {
            return None;
        };
        if self.unread.is_empty() {
            return None;
        }
        let found = match decoder.next(&self.unread) {
            Ok(found) => found,
            Err(violation) => return Some(Err(self.refuse(violation))),
        };
        let trailers = decoder.take_trailers();
        if found.ended {
            self.state = State::Whole;
        }
        self.unread.advance(found.before);
        let data = take(&mut self.unread, found.data);
        self.unread.advance(found.after);
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        Some(Ok(Piece { data, trailers, ended: found.ended }))
    }
}

/// A request and what it asks of its connection.
type Found = Result<(Request<()>, Asked), Violation>;
/// The same, with what follows the head.
type FoundWithBody = Result<((Request<()>, Asked), Decoder), Violation>;

/// The first `count` bytes, without a copy.
fn take(bytes: &mut BytesMut, count: usize) -> Bytes {
    if count == bytes.len() { std::mem::take(bytes).freeze() } else { bytes.split_to(count).freeze() }
}

impl<IO: AsyncRead + Unpin> Reading<IO> {
    /// The next head. `None` at the end of the client's stream, or where no head can follow.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Option<Found>> {
        loop {
            let State::Head(part) = &mut self.state else {
                return Poll::Ready(None);
            };
            if !self.unread.is_empty() {
                let head = part.get_or_insert_default();
                let found = match head.advance(&self.unread, &self.limits) {
                    Ok(Progress::Partial) => None,
                    Ok(Progress::Complete { length, body }) => {
                        let head = std::mem::take(&mut **head);
                        Some(head.request(&take(&mut self.unread, length)).map(|found| (found, body)))
                    }
                    Err(violation) => Some(Err(violation)),
                };
                if let Some(found) = found {
                    return Poll::Ready(Some(self.found(found)));
                }
            }
            if let Some(found) = ready!(self.poll_more(cx)) {
                return Poll::Ready(Some(self.found(found)));
            }
        }
    }

    fn found(&mut self, found: FoundWithBody) -> Found {
        let ((request, asked), decoder) = found.map_err(|violation| self.refuse(violation))?;
        self.begin(asked, decoder);
        Ok((request, asked))
    }

    /// Reads more of a head. A whole one that comes at once is copied only to where it stays.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<FoundWithBody>> {
        let Self { io, limits, unread, .. } = self;
        let mut ended = false;
        let mut part = None;
        let read = scratch::poll_read(io, cx, |bytes| {
            ended = bytes.is_empty();
            let mut rest = 0;
            let mut found = None;
            if unread.is_empty() {
                let mut head = Head::default();
                match head.advance(bytes, limits) {
                    Ok(Progress::Partial) => part = Some(Box::new(head)),
                    Ok(Progress::Complete { length, body }) => {
                        rest = length;
                        let head = head.request(&Bytes::copy_from_slice(&bytes[..length]));
                        found = Some(head.map(|head| (head, body)));
                    }
                    Err(violation) => found = Some(Err(violation)),
                }
            }
            unread.extend_from_slice(&bytes[rest..]);
            found
        });
        match read {
            Poll::Ready(Ok(found)) if !ended => {
                if part.is_some() {
                    self.state = State::Head(part);
                }
                Poll::Ready(found)
            }
            Poll::Ready(_) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let begun = !self.unread.is_empty();
                let Some(limit) = self.limits.head_timeout.filter(|_| begun || self.request == 0) else {
                    return Poll::Pending;
                };
                ready!(self.timer.poll(limit, cx));
                if begun {
                    return Poll::Ready(Some(Err(Violation::HeadTimeout)));
                }
                self.end();
                Poll::Ready(None)
            }
        }
    }

    /// Ready when the client has left. To be asked while its answer is made or written; reads at most once what comes behind
    /// the request.
    pub(super) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match self.state {
            State::Whole if self.unread.is_empty() => {
                let Self { io, unread, .. } = self;
                match ready!(scratch::poll_read(io, cx, |bytes| unread.extend_from_slice(bytes))) {
                    Ok(()) if !self.unread.is_empty() => Poll::Pending,
                    left => {
                        self.end();
                        Poll::Ready(left.map_or_else(Error::Io, |()| Error::ClientLeft))
                    }
                }
            }
            // What comes is thrown away, so that the client gets to read its answer. Many end their side before.
            State::Refused(_) => {
                let _ = self.poll_drain(cx);
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }

    /// Throws away what is there of a body that nobody wants, if it is not much. Whether the request is whole then.
    pub(super) fn skip_body(&mut self, cx: &mut Context<'_>) -> bool {
        let mut left = SKIPPED;
        loop {
            match self.next_piece() {
                Some(Ok(piece)) if piece.ended => return true,
                Some(Ok(piece)) => {
                    left = left.saturating_sub(piece.data.len());
                    continue;
                }
                Some(Err(_)) => return false,
                None => {}
            }
            if left == 0 || self.body().is_none() {
                return self.is_whole();
            }
            let Self { io, unread, .. } = self;
            match scratch::poll_read(io, cx, |bytes| unread.extend_from_slice(bytes)) {
                Poll::Ready(Ok(())) if !self.unread.is_empty() => {}
                Poll::Ready(_) => {
                    self.end();
                    return false;
                }
                Poll::Pending => return false,
            }
        }
    }

    /// Throws away what still comes. Ready at the end of the stream, or when it was enough.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.drained < DRAIN {
            match ready!(scratch::poll_read(&mut self.io, cx, <[u8]>::len)) {
                Ok(0) | Err(_) => self.drained = DRAIN,
                Ok(count) => self.drained += count,
            }
        }
        Poll::Ready(())
    }

    /// Reads more of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        loop {
            if let Some(piece) = self.next_piece() {
                let piece = piece?;
                if piece.data.is_empty() && !piece.ended {
                    continue;
                }
                return Poll::Ready(Ok(piece));
            }
            let decoder = match &mut self.state {
                State::Body(decoder) => decoder,
                State::Refused(violation) => return Poll::Ready(Err((*violation).into())),
                State::Whole | State::Head(_) => return Poll::Ready(Err(BodyError::Abandoned)),
                State::Ended => return Poll::Ready(Err(BodyError::Ended)),
            };
            let large = decoder.data_ahead().min(LARGE);
            let read = if large > scratch::READ as u64 {
                // All of it is data, and goes on as it is.
                let room = usize::try_from(large).unwrap_or(scratch::READ);
                let mut data = BytesMut::with_capacity(room);
                let read = pin!(self.io.read_buf(&mut (&mut data).limit(room))).poll(cx).map_ok(|_| ());
                self.unread = data;
                read
            } else {
                let Self { io, unread, .. } = self;
                scratch::poll_read(io, cx, |bytes| unread.extend_from_slice(bytes))
            };
            let failed = match read {
                Poll::Ready(Ok(())) if !self.unread.is_empty() => continue,
                Poll::Ready(Ok(())) => BodyError::Ended,
                Poll::Ready(Err(error)) => BodyError::Io(error),
                Poll::Pending => {
                    self.unread = BytesMut::new();
                    return Poll::Pending;
                }
            };
            self.end();
            return Poll::Ready(Err(failed));
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Reading<IO> {
    /// Tells a client that waits for it to go ahead.
    fn poll_continue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(written) = self.go_ahead {
            if written < CONTINUE.len() {
                let count = ready!(Pin::new(&mut self.io).poll_write(cx, &CONTINUE[written..]))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.go_ahead = Some(written + count);
            } else {
                ready!(Pin::new(&mut self.io).poll_flush(cx))?;
                self.go_ahead = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Shuts the write side down. After a refusal, and where a request was answered before its body had come, this also
    /// waits a moment for the client to end its side: closing with bytes unread resets the connection, and the client may
    /// never see the answer (RFC 9112 section 9.6).
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shut {
            if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.shut = true;
            self.timer.stop();
        }
        let sending = matches!(self.state, State::Body(_) | State::Refused(_)) || !self.unread.is_empty();
        if sending && self.poll_drain(cx).is_pending() {
            ready!(self.timer.poll(LINGER, cx));
        }
        Poll::Ready(())
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> Source for Reading<IO> {
    fn poll_piece(&mut self, request: u64, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>> {
        if self.request != request {
            return Poll::Ready(Err(BodyError::Abandoned));
        }
        if self.unread.is_empty() && self.body().is_some() {
            ready!(self.poll_continue(cx))?;
        }
        self.poll_body(cx)
    }
}
