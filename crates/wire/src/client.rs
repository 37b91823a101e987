//! HTTP/1.1 towards a server: one exchange at a time on a connection, without a task of its own.
//!
//! [`send`] takes the connection and gives it to the response's body, which gives it back by
//! [`Answer::take_connection`] once the exchange has come to its proper end. Whatever else happens to it, it is closed:
//! a connection of which it is not certain where the next response begins cannot be had.

mod answer;
mod error;
mod receiving;
mod sending;

use std::{
    error::Error as StdError,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use self::{
    answer::Answer,
    error::{Error, SendError},
};
use self::{receiving::Receiving, sending::Sending};
pub use crate::status::Malformed;

/// A connection to a server on which no exchange is under way. It holds no memory besides the stream's.
#[derive(Debug)]
pub struct Connection<IO> {
    io: IO,
    /// It has been found closed, or with something on it that nobody asked for.
    spent: bool,
}

impl<IO> Connection<IO> {
    /// Takes a stream on which nothing has been sent or received.
    pub fn new(io: IO) -> Self {
        Self { io, spent: false }
    }
}

impl<IO: AsyncRead + Unpin> Connection<IO> {
    /// Whether the server has neither closed the connection nor sent anything on it since the last exchange.
    ///
    /// Costs a system call only where the runtime has been told that there is something to read.
    pub fn is_reusable(&mut self) -> bool {
        self.check_silence(&mut Context::from_waker(Waker::noop())).is_ok()
    }

    /// Makes sure that nothing has come.
    fn check_silence(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.spent {
            return Err(Error::Closed);
        }
        let mut byte = [0];
        let mut room = ReadBuf::new(&mut byte);
        let found = match Pin::new(&mut self.io).poll_read(cx, &mut room) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) if room.filled().is_empty() => Error::Closed,
            Poll::Ready(Ok(())) => Error::Unasked,
            Poll::Ready(Err(error)) => Error::Io(error),
        };
        self.spent = true;
        Err(found)
    }
}

/// Sends a request, and is ready when the head of the response is there. Dropped before that, it closes the connection.
///
/// The target goes out as path and query; `Host` must be among the headers. How the request's body is framed follows from
/// the body alone (RFC 9112 section 6): without content there is no framing, for `POST`, `PUT` and `PATCH`
/// `Content-Length: 0`; an exact size becomes `Content-Length`; everything else goes in chunks, with those of its
/// trailers that `Trailer` announces. `Content-Length`, `Transfer-Encoding` and `Connection` of the headers are ignored.
///
/// Interim responses are skipped. A final one that comes before the request has been sent is given out at once; the rest
/// of the request is sent while the response's body is polled.
pub async fn send<IO, B>(
    mut connection: Connection<IO>,
    request: Request<B>,
) -> Result<Response<Answer<IO, B>>, SendError<B>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let mut receiving = Receiving::new(parts.method == Method::HEAD);
    let mut sending = Sending::new(body);
    let mut progress = Progress::Unsent;
    let outcome = poll_fn(|cx| {
        if let Progress::Unsent = progress {
            // Before anything of the body is asked for, so that the request can be given back whole.
            connection.check_silence(cx)?;
            sending.begin(&parts)?;
            progress = Progress::Sending;
        }
        if let Progress::Sending = progress {
            match sending.poll(&mut connection.io, cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => progress = Progress::Sent,
                // Why it closed, the server may have said before.
                Poll::Ready(Err(Error::Io(error))) if is_of_closing(&error) => {
                    progress = Progress::Refused(error);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        match receiving.poll(&mut connection.io, cx) {
            Poll::Ready(Ok(_)) if !sending.written() => Poll::Ready(Err(Error::Unasked)),
            Poll::Ready(Err(source @ (Error::Closed | Error::Io(_)))) => {
                Poll::Ready(Err(progress.cause_of(source)))
            }
            polled => polled,
        }
    })
    .await;
    match outcome {
        Ok((head, rest)) => {
            let keep = head.keep && !matches!(progress, Progress::Refused(_));
            let sending = matches!(progress, Progress::Sending).then(|| Box::new(sending));
            let answer = Answer::new(connection.io, head.framing, rest, sending, keep);
            let mut response = Response::new(answer);
            *response.status_mut() = head.status;
            *response.version_mut() = head.version;
            *response.headers_mut() = head.headers;
            Ok(response)
        }
        Err(source) => {
            let written = sending.written();
            let request = sending.untouched().map(|body| Box::new(Request::from_parts(parts, body)));
            Err(SendError { request, written, source })
        }
    }
}

/// How far a request has come.
#[derive(Debug)]
enum Progress {
    Unsent,
    Sending,
    Sent,
    /// The server takes no more of it.
    Refused(io::Error),
}

impl Progress {
    /// Why no response came, where reading it failed for `source`: what failed first.
    fn cause_of(&mut self, source: Error) -> Error {
        match std::mem::replace(self, Self::Sent) {
            Self::Refused(error) => Error::Io(error),
            _ => source,
        }
    }
}

/// Whether a write failed because the other side has closed.
fn is_of_closing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset | ConnectionAborted)
}
