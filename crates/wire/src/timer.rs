use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// One time limit at a time. Most connections never need it.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Timer {
    /// Starts the limit unless it is running. Ready when it is over.
    pub(crate) fn poll(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if !self.running {
            self.running = true;
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(Instant::now() + limit),
                None => self.sleep = Some(Box::pin(tokio::time::sleep(limit))),
            }
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }

    pub(crate) fn stop(&mut self) {
        self.running = false;
    }
}
