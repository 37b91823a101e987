//! An answer that tells handles, on its way to whoever may use them.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::handles::{Keys, Wrapping};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use rest::{BodyPlan, Inquiry, Need};

use super::is_json;
use crate::{
    body::{BodyError, Progress, Watched},
    inspect::Findings,
};

/// What has to be done to an answer that is still to come.
#[derive(Debug)]
pub struct Answering {
    wrapping: Wrapping<Arc<Keys>>,
    /// What the request needed without its body.
    needs: Vec<Need>,
    /// What its body could need beyond.
    body: Option<BodyPlan>,
}

impl Answering {
    pub(super) fn new(wrapping: Wrapping<Arc<Keys>>, ask: &Inquiry) -> Self {
        Self { wrapping, needs: ask.needs.to_vec(), body: ask.body.clone() }
    }

    /// With what was found in the request's body by now, the engine having answered: what does so to the answer.
    ///
    /// Where the body was not read to its end, its handles stand for all that it could have named.
    pub fn complete(self, findings: Option<&Findings>) -> Wrapping<Arc<Keys>> {
        let Self { mut wrapping, mut needs, body } = self;
        if let Some(plan) = body {
            match findings.and_then(Findings::needs) {
                Some(found) => needs.extend(found),
                None => needs.extend(plan.everything()),
            }
        }
        wrapping.made_by(&needs);
        wrapping
    }
}

/// The engine's answer, with the handles in it wrapped as it passes.
#[derive(Debug)]
pub struct Told {
    inner: Watched,
    wrapping: Option<Box<Wrapping<Arc<Keys>>>>,
    /// Whether anything of it has come.
    begun: bool,
}

impl Told {
    /// Passes `inner` on, with what `wrapping` does to it if it is JSON by its head, from which the length is then removed.
    ///
    /// An answer that is no JSON passes as it is. A handle in one is of no use to those for whom handles are wrapped.
    pub fn new(inner: Watched, head: &mut HeaderMap, wrapping: Option<Wrapping<Arc<Keys>>>) -> Self {
        let json = head.get(header::CONTENT_TYPE).is_some_and(|media| is_json(media.as_bytes()));
        let plain = !head.contains_key(header::CONTENT_ENCODING);
        let wrapping = wrapping.filter(|_| json && plain && !inner.is_end_stream());
        if wrapping.is_some() {
            head.remove(header::CONTENT_LENGTH);
        }
        Self { inner, wrapping: wrapping.map(Box::new), begun: false }
    }

    /// The progress of the answer, as it comes.
    pub fn progress(&self) -> Arc<Progress> {
        self.inner.progress()
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let Some(wrapping) = &mut self.wrapping else { return Ok(frame) };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(other) => {
                // Nothing of the body follows its trailers.
                self.end()?;
                return Ok(other);
            }
        };
        self.begun |= !data.is_empty();
        let mut out = Vec::with_capacity(data.len());
        wrapping.feed(&data, &mut out).map_err(|error| BodyError::Handles(error.to_string()))?;
        if self.inner.is_end_stream() {
            self.end()?;
        }
        Ok(Frame::data(out.into()))
    }

    fn end(&mut self) -> Result<(), BodyError> {
        match self.wrapping.take().filter(|_| self.begun) {
            Some(wrapping) => wrapping.finish().map_err(|error| BodyError::Handles(error.to_string())),
            None => Ok(()),
        }
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let polled = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            let passed = match polled {
                Some(Ok(frame)) => self.pass(frame),
                Some(Err(error)) => Err(error),
                None => return Poll::Ready(self.end().err().map(Err)),
            };
            // A part of a handle is kept until the rest of it has come.
            let nothing = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(Bytes::is_empty);
            if !passed.as_ref().is_ok_and(nothing) || self.inner.is_end_stream() {
                return Poll::Ready(Some(passed));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What is wrapped is longer.
        if self.wrapping.is_some() { SizeHint::new() } else { self.inner.size_hint() }
    }
}
