//! The body of every response: the proxy's own words, or the engine's, with the request's record on board.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use audit::Outcome;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    body::{BodyError, Progress},
    handles::Told,
    record::Entry,
    upstream::Lease,
};

/// A response body. Dropping it early closes the engine's connection and notes that the client left.
#[derive(Debug)]
pub struct ResponseBody(Kind);

#[derive(Debug)]
enum Kind {
    Own(Box<Own>),
    Engine(Box<Engine>),
}

#[derive(Debug)]
struct Own {
    bytes: Bytes,
    entry: Option<Entry>,
    outcome: Outcome,
}

#[derive(Debug)]
struct Engine {
    body: Told,
    lease: Option<Lease>,
    request: Arc<Progress>,
    entry: Option<Entry>,
}

impl ResponseBody {
    /// An answer of the proxy's own; `outcome` is how the exchange has ended once the client has it.
    pub fn own(bytes: impl Into<Bytes>, mut entry: Entry, outcome: Outcome) -> Self {
        let bytes = bytes.into();
        entry.own_answer(bytes.len());
        let mut own = Box::new(Own { bytes, entry: Some(entry), outcome });
        if own.bytes.is_empty() {
            own.complete();
        }
        Self(Kind::Own(own))
    }

    /// The engine's answer; `request` is the progress of the request's body on the same connection.
    pub fn engine(body: Told, lease: Lease, request: Arc<Progress>, entry: Entry) -> Self {
        let mut engine = Box::new(Engine { body, lease: Some(lease), request, entry: Some(entry) });
        if engine.body.is_end_stream() {
            engine.complete();
        }
        Self(Kind::Engine(engine))
    }
}

impl Own {
    fn complete(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.ended(self.outcome);
        }
    }
}

impl Engine {
    fn complete(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.ended(Outcome::Complete);
        }
        // A request body still on its way means that the engine answered early; its connection cannot be used again.
        if let Some(lease) = self.lease.take()
            && self.request.ended()
        {
            lease.release();
        }
    }

    fn broke(&mut self, error: &BodyError) {
        self.lease = None;
        if let Some(mut entry) = self.entry.take() {
            entry.ended(match error {
                BodyError::Idle(_) => Outcome::TimedOut,
                BodyError::Stopped => Outcome::RequestBroken,
                BodyError::Hyper(_) if self.request.broken() => Outcome::RequestBroken,
                BodyError::Hyper(_) | BodyError::Handles(_) => Outcome::UpstreamBroken,
            });
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Own(own) => {
                let bytes = std::mem::take(&mut own.bytes);
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                own.complete();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Engine(engine) => {
                let polled = Pin::new(&mut engine.body).poll_frame(cx);
                if let (Poll::Ready(Some(Ok(frame))), Some(entry)) = (&polled, &mut engine.entry)
                    && let Some(piece) = frame.data_ref()
                {
                    entry.hear(piece);
                }
                match &polled {
                    Poll::Ready(None) => engine.complete(),
                    Poll::Ready(Some(Err(error))) => engine.broke(error),
                    // Hyper does not ask again once the body says that it has ended.
                    Poll::Ready(Some(Ok(_))) if engine.body.is_end_stream() => engine.complete(),
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Own(own) => own.bytes.is_empty(),
            Kind::Engine(engine) => engine.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Own(own) => SizeHint::with_exact(own.bytes.len() as u64),
            Kind::Engine(engine) => engine.body.size_hint(),
        }
    }
}
