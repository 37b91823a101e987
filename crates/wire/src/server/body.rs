//! The body of a request.

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::Violation;

/// Why the body of a request broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It breaks a rule of HTTP/1.
    #[error("the request's body is malformed: {0}")]
    Violation(#[from] Violation),
    /// The client ended the connection before the end of the body.
    #[error("the client ended the connection in the middle of the request's body")]
    Ended,
    /// The connection failed.
    #[error("the client's connection failed in the middle of the request's body")]
    Io(#[from] io::Error),
    /// The request was answered, and what is left of its body is no longer read.
    #[error("the request was answered before its body had come")]
    Abandoned,
}

/// What comes of a body at once.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) data: Bytes,
    /// Behind the data, at the end.
    pub(super) trailers: Option<HeaderMap>,
    pub(super) ended: bool,
}

/// The connection as the body of its request sees it.
pub(super) trait Source: Send {
    /// The next piece of the body of the request with this number. Not to be asked after the last.
    fn poll_piece(&mut self, request: u64, cx: &mut Context<'_>) -> Poll<Result<Piece, BodyError>>;
}

/// The body of a request, read from its connection when it is asked for.
///
/// It can be read for as long as the request is not answered, and while its answer is written. That of a request without
/// one holds nothing.
#[derive(Default)]
pub struct RequestBody(State);

#[derive(Default)]
enum State {
    #[default]
    Ended,
    Trailers(HeaderMap),
    /// It broke off, which has been told.
    Broken,
    Arriving {
        connection: Arc<Mutex<dyn Source>>,
        request: u64,
        /// Bytes of data to come, where that is known.
        remaining: Option<u64>,
    },
}

impl RequestBody {
    pub(super) fn arriving(connection: Arc<Mutex<dyn Source>>, request: u64, remaining: Option<u64>) -> Self {
        Self(State::Arriving { connection, request, remaining })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let (connection, request, remaining) = match &mut this.0 {
            State::Ended => return Poll::Ready(None),
            State::Broken => return Poll::Ready(Some(Err(BodyError::Abandoned))),
            State::Trailers(trailers) => {
                let trailers = Frame::trailers(std::mem::take(trailers));
                this.0 = State::Ended;
                return Poll::Ready(Some(Ok(trailers)));
            }
            State::Arriving { connection, request, remaining } => (connection, request, remaining),
        };
        let polled = connection.lock().unwrap_or_else(PoisonError::into_inner).poll_piece(*request, cx);
        match ready!(polled) {
            Ok(Piece { data, trailers, ended }) => {
                if let Some(remaining) = remaining {
                    *remaining = remaining.saturating_sub(data.len() as u64);
                }
                if ended {
                    this.0 = trailers.map_or(State::Ended, State::Trailers);
                }
                if data.is_empty() {
                    return Pin::new(this).poll_frame(cx);
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Err(error) => {
                this.0 = State::Broken;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Ended | State::Trailers(_) => SizeHint::with_exact(0),
            State::Arriving { remaining: Some(remaining), .. } => SizeHint::with_exact(*remaining),
            State::Arriving { .. } | State::Broken => SizeHint::default(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("RequestBody");
        if let State::Arriving { request, remaining, .. } = &self.0 {
            shown.field("request", request).field("remaining", remaining);
        }
        shown.finish()
    }
}
