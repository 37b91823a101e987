use std::{
    error::Error as StdError,
    fmt,
    future::Future as _,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::{Connection, Error, is_of_closing, sending::Sending};
use crate::{Limits, decode::Decoder, scratch, status::Framing};

/// The most bytes that one read of a large body takes.
const LARGE: usize = 64 * 1024;

/// The body of a response, with the connection on board. Dropping it before its end closes the connection.
///
/// While it is polled, what is left of the request is sent, too.
pub struct Answer<IO, B> {
    /// Until it is given back, or something failed.
    io: Option<IO>,
    /// Read and not yet told apart.
    input: Bytes,
    decoder: Decoder,
    trailers: Option<Box<HeaderMap>>,
    /// What the server has not got of the request. Most answers come after all of it.
    sending: Option<Box<Sending<B>>>,
    /// The connection can be used again after the body.
    keep: bool,
    /// The last read took as much as it had room for.
    filled: bool,
    /// Nothing comes any more, besides trailers.
    ended: bool,
}

impl<IO, B> Answer<IO, B> {
    /// The body behind a head that was read with `input` behind it.
    pub(super) fn new(
        io: IO,
        framing: Framing,
        input: Bytes,
        sending: Option<Box<Sending<B>>>,
        keep: bool,
    ) -> Self {
        let decoder = match framing {
            Framing::Length(length) => Decoder::length(length),
            Framing::Chunked => Decoder::chunked(&Limits::default()),
            Framing::UntilClose => Decoder::until_close(),
        };
        let mut answer =
            Self { io: Some(io), input, decoder, trailers: None, sending, keep, filled: false, ended: false };
        answer.notice_end();
        answer
    }

    /// The connection, for the next request. `None` unless the response and the request have come to their proper ends and
    /// both sides let the connection live.
    pub fn take_connection(&mut self) -> Option<Connection<IO>> {
        let proper = self.ended && self.trailers.is_none() && self.keep && self.sending.is_none();
        self.io.take_if(|_| proper).map(Connection::new)
    }

    /// The data that is next, if it has been read.
    fn decode(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.input.is_empty() && !self.ended {
            let piece = self.decoder.next(&self.input)?;
            self.input.advance(piece.before);
            let data = self.input.split_to(piece.data);
            self.input.advance(piece.after);
            self.notice_end();
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    fn notice_end(&mut self) {
        if self.decoder.is_ended() {
            self.ended = true;
            self.trailers = self.decoder.take_trailers().map(Box::new);
            // What follows the end of a response is none of ours, and leaves it open where the next one begins.
            self.keep &= self.input.is_empty();
            self.input = Bytes::new();
        }
    }

    fn break_off(&mut self) {
        self.io = None;
        self.sending = None;
        self.input = Bytes::new();
        self.ended = true;
    }
}

impl<IO: AsyncRead + Unpin, B> Answer<IO, B> {
    /// Reads more of the body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(Error::Closed)) };
        if self.filled || self.decoder.data_ahead() > scratch::READ as u64 {
            // Of a known length no more than that, so that the data comes in as few pieces as there can be.
            let left = self.decoder.remaining().and_then(|left| usize::try_from(left).ok());
            let mut room = BytesMut::with_capacity(left.map_or(LARGE, |left| left.min(LARGE)));
            let wanted = room.capacity();
            let count = ready!(pin!(io.read_buf(&mut room)).poll(cx)).map_err(Error::Io)?;
            self.filled = count == wanted;
            // A little data must not hold much memory, wherever it is kept.
            self.input = if count < wanted / 4 { Bytes::copy_from_slice(&room) } else { room.freeze() };
        } else {
            let read = scratch::poll_read(io, cx, |bytes| {
                self.filled = bytes.len() == scratch::READ;
                self.input = Bytes::copy_from_slice(bytes);
            });
            ready!(read).map_err(Error::Io)?;
        }
        if self.input.is_empty() {
            if !self.decoder.ends_with_connection() {
                return Poll::Ready(Err(Error::Truncated));
            }
            self.ended = true;
            self.keep = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO, B> Answer<IO, B>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Sends more of the request.
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let (Some(sending), Some(io)) = (&mut self.sending, &mut self.io) else {
            return Ok(());
        };
        match sending.poll(io, cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            // A server that has answered need not take the rest.
            Poll::Ready(Err(Error::Io(error))) if is_of_closing(&error) => self.keep = false,
            Poll::Ready(Err(error)) => return Err(error),
        }
        self.sending = None;
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.send_on(cx)?;
        loop {
            if let Some(data) = self.decode()? {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if self.ended {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
            }
            ready!(self.poll_read(cx))?;
        }
    }
}

impl<IO, B> Body for Answer<IO, B>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = this.poll(cx);
        if let Poll::Ready(Some(Err(_))) = polled {
            this.break_off();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.ended { Some(0) } else { self.decoder.remaining() };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl<IO, B> fmt::Debug for Answer<IO, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("decoder", &self.decoder)
            .field("sending", &self.sending.is_some())
            .field("keep", &self.keep)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
