//! What a connection must know of its requests: whether any is under way, and whether a client takes what it asked for.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{body::BodyError, respond::ResponseBody};

/// The requests of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Arc<Mutex<Tally>>);

#[derive(Clone, Copy, Debug)]
struct Tally {
    under_way: usize,
    begun: u64,
    /// When the last one ended.
    ended: Instant,
}

/// One request that is under way until this is dropped.
#[derive(Debug)]
struct UnderWay(Requests);

impl Requests {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Tally { under_way: 0, begun: 0, ended: Instant::now() })))
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there has been a request yet.
    pub(crate) fn any(&self) -> bool {
        self.tally().begun > 0
    }

    /// Begins a request; it is over when the body that this is given to is dropped.
    pub(crate) fn begin(&self) -> Begun {
        let mut tally = self.tally();
        tally.under_way += 1;
        tally.begun += 1;
        drop(tally);
        Begun(UnderWay(self.clone()))
    }

    /// Waits until none has been under way for `limit`.
    ///
    /// Looks when it may be so and not with each request: what one costs is the two changes of the tally.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let tally = *self.tally();
            // One that ends while this sleeps is at rest for less than `limit` afterwards.
            let rested = if tally.under_way > 0 { Instant::now() } else { tally.ended };
            let until = rested + limit;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// The same, where a connection without any request yet is not idle.
    pub(crate) async fn idle_after_first(&self, limit: Duration) {
        while !self.any() {
            tokio::time::sleep(limit).await;
        }
        self.idle(limit).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut tally = self.0.tally();
        tally.under_way -= 1;
        tally.ended = Instant::now();
    }
}

/// A request whose response has not begun.
#[derive(Debug)]
pub(crate) struct Begun(UnderWay);

impl Begun {
    /// Ties the request to its response's body.
    pub(crate) fn respond(self, body: ResponseBody) -> Tied {
        let offered = OFFERED.try_with(Arc::clone).ok();
        Tied { body, offered, _under_way: self.0 }
    }
}

/// Since when the stream has had a frame without asking for the next.
type Offered = Mutex<Option<Instant>>;

tokio::task_local! {
    static OFFERED: Arc<Offered>;
}

fn set(offered: &Offered, since: Option<Instant>) {
    *offered.lock().unwrap_or_else(PoisonError::into_inner) = since;
}

/// A response's body as its connection sends it.
#[derive(Debug)]
pub(crate) struct Tied {
    body: ResponseBody,
    offered: Option<Arc<Offered>>,
    _under_way: UnderWay,
}

impl Body for Tied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(offered) = &self.offered {
            let given = matches!(polled, Poll::Ready(Some(Ok(_))));
            set(offered, given.then(Instant::now));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs the streams of an HTTP/2 connection and gives one up whose client takes nothing for the given time.
///
/// On HTTP/1 a client that stops reading shows below, in writes that stand still. An HTTP/2 client can keep its
/// connection busy and yet open no window for a stream, which would hold the engine's connection for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams(pub(crate) Duration);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let offered = Arc::new(Offered::default());
        let running =
            Running { stream: Box::pin(stream), offered: Arc::clone(&offered), limit: self.0, timer: None };
        tokio::spawn(OFFERED.scope(offered, running));
    }
}

struct Running<F> {
    stream: Pin<Box<F>>,
    offered: Arc<Offered>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F: Future<Output = ()>> Future for Running<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let since = *self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(since) = since else {
            return Poll::Pending;
        };
        let deadline = since + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_ready() {
            tracing::debug!("giving up an HTTP/2 stream whose client takes nothing");
        } else {
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_after_a_whole_pause() {
        let requests = Requests::new();
        assert!(!requests.any());
        let begun = Instant::now();
        let using = requests.clone();
        let user = tokio::spawn(async move {
            let long = using.begin();
            tokio::time::sleep(LIMIT * 3).await;
            drop(long);
            tokio::time::sleep(LIMIT / 2).await;
            // Over at once, and a sign of life all the same.
            drop(using.begin());
        });
        requests.idle(LIMIT).await;
        assert_eq!(begun.elapsed(), LIMIT * 3 + LIMIT / 2 + LIMIT);
        assert!(requests.any());
        user.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_given_up_when_what_it_was_offered_is_not_taken() {
        for (takes, finishes) in [(true, true), (false, false)] {
            let (done, finished) = tokio::sync::oneshot::channel();
            Streams(LIMIT).execute(async move {
                let offered = OFFERED.with(Arc::clone);
                for _ in 0..4 {
                    set(&offered, Some(Instant::now()));
                    tokio::time::sleep(if takes { LIMIT / 2 } else { LIMIT * 2 }).await;
                    set(&offered, None);
                    // The engine may take its time.
                    tokio::time::sleep(LIMIT * 5).await;
                }
                let _ = done.send(());
            });
            assert_eq!(finished.await.is_ok(), finishes);
        }
    }
}
