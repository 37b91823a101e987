//! A body of which the beginning may be kept, for whoever has to see it before it goes on.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{BodyError, Progress, Watched};

/// Frames of a body that were taken before they are wanted.
#[derive(Debug, Default)]
pub struct Kept {
    frames: VecDeque<Frame<Bytes>>,
    bytes: u64,
}

impl Kept {
    /// Keeps one more.
    pub fn push(&mut self, frame: Frame<Bytes>) {
        self.bytes += length(&frame);
        self.frames.push_back(frame);
    }

    /// Gives the first up.
    pub fn pop(&mut self) -> Option<Frame<Bytes>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= length(&frame);
        Some(frame)
    }

    /// Bytes of data in them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How much is to come with these before `rest`; `None`: nothing comes behind them.
    pub fn size_hint(&self, rest: Option<SizeHint>) -> SizeHint {
        let Some(rest) = rest else { return SizeHint::with_exact(self.bytes) };
        let mut hint = SizeHint::new();
        // The upper bound first: a lower one may not exceed it.
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + self.bytes);
        }
        hint.set_lower(rest.lower() + self.bytes);
        hint
    }
}

/// A body of which nothing is kept until [`Self::keep`] is asked for it.
#[derive(Debug)]
pub struct Buffered {
    rest: Watched,
    kept: Kept,
}

impl Buffered {
    /// Keeps nothing of `rest` yet.
    pub fn new(rest: Watched) -> Self {
        Self { rest, kept: Kept::default() }
    }

    /// Keeps what comes, until the body has ended or more than `limit` bytes of it are kept; of a body that is known
    /// to be larger, nothing. Whether all of it is kept.
    ///
    /// # Errors
    ///
    /// When the body breaks off or stands still.
    pub async fn keep(&mut self, limit: usize) -> Result<bool, BodyError> {
        let limit = limit as u64;
        if self.size_hint().exact().is_some_and(|length| length > limit) {
            return Ok(false);
        }
        while self.kept.bytes() <= limit {
            match poll_fn(|cx| Pin::new(&mut self.rest).poll_frame(cx)).await {
                Some(frame) => self.kept.push(frame?),
                None => break,
            }
        }
        Ok(self.kept.bytes() <= limit)
    }

    /// The bytes that are kept.
    pub fn kept(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.frames.iter().filter_map(|frame| frame.data_ref()).map(|data| &**data)
    }

    /// Puts other bytes in the place of those that are kept.
    pub fn replace(&mut self, bytes: Bytes) {
        self.kept.bytes = bytes.len() as u64;
        self.kept.frames.retain(|frame| !frame.is_data());
        self.kept.frames.push_front(Frame::data(bytes));
    }

    /// The progress of the body, as it comes.
    pub fn progress(&self) -> Arc<Progress> {
        self.rest.progress()
    }

    /// Whether nothing more will come, also where the sender did not announce that.
    pub fn has_ended(&self) -> bool {
        self.kept.is_empty() && self.rest.has_ended()
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

impl Body for Buffered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.kept.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        self.kept.size_hint((!self.rest.has_ended()).then(|| self.rest.size_hint()))
    }
}
