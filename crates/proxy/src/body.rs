//! Bodies on their way through: streamed frame by frame, counted, and never allowed to stand still for ever.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer's connection failed.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    /// Nothing came for longer than `limits.body_idle_timeout`.
    #[error("the body stood still for {} s", .0.as_secs())]
    Idle(Duration),
    /// The body was stopped for what stands in it; its findings say why.
    #[error("the body was stopped for what stands in it")]
    Stopped,
    /// The engine's answer tells handles and cannot be followed, so none of them could be told from the rest.
    #[error("the engine's answer cannot be followed for the handles in it: {0}")]
    Handles(String),
}

/// What is known of a body that is passing through, readable while it passes.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    ended: AtomicBool,
    broken: AtomicBool,
    stalled: AtomicBool,
    awaited: AtomicBool,
}

impl Progress {
    /// Bytes of data seen so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The body came to its proper end.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The body stood still for too long.
    pub fn stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// The next frame is wanted and has not come: whatever takes long takes it at the sender's side.
    pub fn awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    /// The body broke off.
    pub fn broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// A body with a count and an idle limit. Memory use is that of one frame.
#[derive(Debug)]
pub struct Watched {
    inner: Incoming,
    progress: Arc<Progress>,
    limit: Duration,
    // Made only when the peer makes us wait, so that a body already in the buffer costs no timer.
    idle: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Watched {
    /// Watches `inner`; `limit` is the longest time between two frames while somebody waits for one.
    pub fn new(inner: Incoming, limit: Duration) -> Self {
        let progress = Progress { ended: AtomicBool::new(inner.is_end_stream()), ..Progress::default() };
        Self { inner, progress: Arc::new(progress), limit, idle: None, waiting: false }
    }

    /// The shared view of this body's progress.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Whether nothing more will come, also where the sender did not announce that.
    pub fn has_ended(&self) -> bool {
        self.inner.is_end_stream() || self.progress.ended()
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.waiting {
            idle.as_mut().reset(tokio::time::Instant::now() + limit);
            self.waiting = true;
        }
        idle.as_mut().poll(cx)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.progress.awaited.store(polled.is_pending(), Ordering::Relaxed);
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                if let Some(data) = frame.data_ref() {
                    self.progress.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                }
                if self.inner.is_end_stream() {
                    self.progress.ended.store(true, Ordering::Release);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.progress.broken.store(true, Ordering::Release);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.progress.ended.store(true, Ordering::Release);
                Poll::Ready(None)
            }
            Poll::Pending => match self.poll_idle(cx) {
                Poll::Ready(()) => {
                    self.progress.stalled.store(true, Ordering::Release);
                    self.progress.broken.store(true, Ordering::Release);
                    Poll::Ready(Some(Err(BodyError::Idle(self.limit))))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
