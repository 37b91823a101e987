//! The server's side of HTTP/1: requests of exactly one reading, and their answers.

mod answer;
mod body;
mod reading;

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use self::{answer::Answer, reading::Reading};
pub use self::{
    answer::Error,
    body::{BodyError, RequestBody},
};
use crate::{Limits, Violation, decode::Decoder};

/// One connection of a client.
///
/// - A request is handed out when its head is whole and found sound, its body as it comes.
/// - A head that breaks a rule is told as [`Received::Refused`]. Nothing of the client is read after it but to be thrown
///   away, so that it gets its answer.
/// - A violation inside a body breaks the body off with [`BodyError::Violation`]; the connection ends with the answer.
/// - A connection at rest holds no memory for what may come.
///
/// The body of a request shares the connection: whoever gives a connection up must give up the body as well, or the
/// stream stays open.
pub struct Connection<IO> {
    reading: Arc<Mutex<Reading<IO>>>,
    /// What waits for its answer.
    request: Option<answer::Request>,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    /// The next answer is the last.
    Closing,
    /// There was the last answer.
    Closed,
    /// It failed, and must not look as if it ended in order.
    Broken,
}

/// What came of a client.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are requests")]
pub enum Received {
    /// A request.
    Request(Request<RequestBody>),
    /// A head that is refused. It should be answered as any request, after which the connection ends.
    Refused(Violation),
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Another request may come.
    Request,
    /// Nothing: the connection should be shut down.
    Close,
}

impl<IO> fmt::Debug for Connection<IO> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("request", &self.request)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<IO> {
    /// Takes a connection on which nothing has been read yet.
    pub fn new(io: IO, limits: Limits) -> Self {
        Self { reading: Arc::new(Mutex::new(Reading::new(io, limits))), request: None, state: State::Open }
    }

    /// The next request. `None` if the client ended its side or the connection failed between two requests, or if no
    /// request can follow. Nothing is lost when this is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Received> {
        if self.request.is_some() || matches!(self.state, State::Closed | State::Broken) {
            return None;
        }
        let found = poll_fn(|cx| lock(&self.reading).poll_head(cx)).await?;
        let (head, asked) = match found {
            Ok(found) => found,
            Err(violation) => {
                self.request = Some(answer::Request::refused());
                self.state = State::Closing;
                return Some(Received::Refused(violation));
            }
        };
        self.request = Some(answer::Request::new(&head, asked));
        let (parts, ()) = head.into_parts();
        Some(Received::Request(Request::from_parts(parts, self.body())))
    }

    fn body(&self) -> RequestBody {
        let reading = lock(&self.reading);
        let Some(remaining) = reading.body().map(Decoder::remaining) else {
            return RequestBody::default();
        };
        RequestBody::arriving(Arc::<Mutex<Reading<IO>>>::clone(&self.reading), reading.request(), remaining)
    }

    /// Answers the request with what `answering` gives.
    ///
    /// A client that goes meanwhile is noticed once its request has come whole: `answering`, or the response's body, is
    /// dropped then. The response's framing follows from its body: `Content-Length` where its size is known or the response
    /// has the field, else chunks, or the end of the connection for HTTP/1.0. `Connection`, `Transfer-Encoding` and `Date` are
    /// added as they are needed. The body is dropped as soon as it has ended.
    ///
    /// After an error the connection is broken, and must be dropped as it is: an end in order would look like the end of the
    /// response.
    pub async fn answer<B>(&mut self, answering: impl Future<Output = Response<B>>) -> Result<Next, Error>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request = self.request.take().ok_or(Error::NoRequest)?;
        // Until it is known to be otherwise, also where this is dropped.
        let state = std::mem::replace(&mut self.state, State::Broken);
        let response = {
            let mut answering = pin!(answering);
            poll_fn(|cx| {
                if let Poll::Ready(response) = answering.as_mut().poll(cx) {
                    return Poll::Ready(Ok(response));
                }
                lock(&self.reading).poll_left(cx).map(Err)
            })
            .await?
        };
        let (before, last) = poll_fn(|cx| Poll::Ready(self.before_answer(cx))).await;
        let close = state == State::Closing || last || !request.persists();
        let mut answer = Answer::new(before, response, request, close);
        poll_fn(|cx| answer.poll(&self.reading, cx)).await?;
        let close = answer.close || !poll_fn(|cx| Poll::Ready(lock(&self.reading).skip_body(cx))).await;
        lock(&self.reading).answered();
        self.state = if close { State::Closed } else { State::Open };
        Ok(if close { Next::Close } else { Next::Request })
    }

    /// What must be written before an answer, and whether no request can follow it.
    fn before_answer(&self, cx: &mut std::task::Context<'_>) -> (&'static [u8], bool) {
        let mut reading = lock(&self.reading);
        let Some(before) = reading.forgo_continue() else {
            return (b"", true);
        };
        // A body that somebody holds may still be read while the answer is written.
        let held = Arc::strong_count(&self.reading) > 1;
        let follows = reading.is_whole()
            || if reading.body().is_some() { held || reading.skip_body(cx) } else { false };
        (before, !follows)
    }

    /// Makes the next answer the last: it says `Connection: close`, as a response with that field of its own does.
    pub fn close_after(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    /// Ends the write side. Where the client still sends, which it may do after a refusal and after an answer to a request
    /// whose body had not come whole, this waits a moment for its end, so that the answer is not lost.
    pub async fn shutdown(self) {
        if self.state != State::Broken {
            poll_fn(|cx| lock(&self.reading).poll_shutdown(cx)).await;
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
