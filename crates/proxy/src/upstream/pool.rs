//! Idle connections of one node, and the lease of one for the length of a request.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1::SendRequest},
};

use super::node::Node;
use crate::{credential::Outgoing, listener::workers};

pub(super) type Sender = SendRequest<Outgoing>;

/// How often a worker uses what another has idle before it opens a connection of its own: opening one costs about as
/// much as telling another core so often.
const BORROWS: usize = 64;

/// A connection, and the worker whose runtime watches it.
#[derive(Debug)]
pub(super) struct Pooled {
    pub(super) sender: Sender,
    home: usize,
}

impl Pooled {
    /// A connection that this thread has opened.
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender, home: workers::index() }
    }
}

/// Idle connections, those of each worker apart.
#[derive(Debug)]
pub(super) struct Pool {
    shelves: Box<[Shelf]>,
    /// How many connections there are in all.
    count: AtomicUsize,
    max_idle: usize,
    idle_timeout: Duration,
}

/// What is idle of one worker; the most recently used at the back.
#[derive(Debug, Default)]
struct Shelf {
    idle: Mutex<VecDeque<(Pooled, Instant)>>,
    /// How often its worker found nothing here.
    missed: AtomicUsize,
}

impl Pool {
    pub(super) fn new(max_idle: usize, idle_timeout: Duration) -> Self {
        let shelves = (0..workers::count()).map(|_| Shelf::default()).collect();
        Self { shelves, count: AtomicUsize::new(0), max_idle, idle_timeout }
    }

    /// A connection that is still open: this worker's most recently used, or one that another has idle.
    pub(super) async fn take(&self) -> Option<Pooled> {
        let own = workers::index() % self.shelves.len();
        if let Some(pooled) = self.take_from(own).await {
            return Some(pooled);
        }
        let missed = self.shelves[own].missed.fetch_add(1, Ordering::Relaxed);
        if self.len() == 0 || missed % BORROWS == BORROWS - 1 {
            return None;
        }
        for other in (0..self.shelves.len()).filter(|other| *other != own) {
            if let Some(pooled) = self.take_from(other).await {
                return Some(pooled);
            }
        }
        None
    }

    async fn take_from(&self, shelf: usize) -> Option<Pooled> {
        loop {
            let (mut pooled, since) = self.change(shelf, VecDeque::pop_back)?;
            if since.elapsed() > self.idle_timeout {
                // All the others have been idle for longer.
                self.change(shelf, VecDeque::clear);
                return None;
            }
            // A connection is put back the moment its response body has ended; its own task may need an instant
            // more to be ready for the next request. If it closed instead, this says so.
            if pooled.sender.is_ready() || pooled.sender.ready().await.is_ok() {
                return Some(pooled);
            }
        }
    }

    pub(super) fn put(&self, pooled: Pooled) {
        if pooled.sender.is_closed() {
            return;
        }
        let home = pooled.home % self.shelves.len();
        self.change(home, |idle| idle.push_back((pooled, Instant::now())));
        if self.len() > self.max_idle {
            self.change(home, VecDeque::pop_front);
        }
    }

    /// Drops connections that closed or have been idle for too long.
    pub(super) fn sweep(&self) {
        let limit = self.idle_timeout;
        for shelf in 0..self.shelves.len() {
            self.change(shelf, |idle| {
                idle.retain(|(pooled, since)| !pooled.sender.is_closed() && since.elapsed() <= limit);
            });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Changes what is idle of one worker.
    fn change<T>(&self, shelf: usize, change: impl FnOnce(&mut VecDeque<(Pooled, Instant)>) -> T) -> T {
        // No code runs under this lock that could leave the queue half-changed.
        let mut idle = self.shelves[shelf].idle.lock().unwrap_or_else(PoisonError::into_inner);
        let before = idle.len();
        let outcome = change(&mut idle);
        // Wraps around where connections are taken away: what counts is the sum.
        self.count.fetch_add(idle.len().wrapping_sub(before), Ordering::Relaxed);
        outcome
    }
}

/// A connection in use. Dropping it closes the connection, which is what must happen when a request or response was
/// left unfinished.
#[derive(Debug)]
pub struct Lease {
    pooled: Option<Pooled>,
    node: Arc<Node>,
    reused: bool,
}

impl Lease {
    pub(super) fn new(pooled: Pooled, node: Arc<Node>, reused: bool) -> Self {
        Self { pooled: Some(pooled), node, reused }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match &mut self.pooled {
            Some(pooled) => pooled.sender.try_send_request(request).await,
            // `release` takes the lease by value, so a lease that can be asked to send has its connection.
            None => std::future::pending().await,
        }
    }

    /// Whether the connection has carried a request before this lease.
    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        self.node.name()
    }

    /// Gives the connection back for the next request. Only for a response whose body has ended and whose request
    /// was sent to its end.
    pub fn release(mut self) {
        if let Some(pooled) = self.pooled.take() {
            self.node.pool().put(pooled);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.node.lease_ended();
    }
}
