//! Idle connections of one node, and the lease of one for the length of a request.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1::SendRequest},
};

use super::node::Node;
use crate::credential::Outgoing;

pub(super) type Sender = SendRequest<Outgoing>;

/// Idle connections, the most recently used at the back.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<(Sender, Instant)>>,
    max_idle: usize,
    idle_timeout: Duration,
}

impl Pool {
    pub(super) fn new(max_idle: usize, idle_timeout: Duration) -> Self {
        Self { idle: Mutex::new(VecDeque::new()), max_idle, idle_timeout }
    }

    /// The most recently used connection that is still open.
    pub(super) async fn take(&self) -> Option<Sender> {
        loop {
            let (mut sender, since) = self.lock().pop_back()?;
            if since.elapsed() > self.idle_timeout {
                // All the others have been idle for longer.
                self.lock().clear();
                return None;
            }
            // A connection is put back the moment its response body has ended; its own task may need an instant
            // more to be ready for the next request. If it closed instead, this says so.
            if sender.is_ready() || sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    pub(super) fn put(&self, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        idle.push_back((sender, Instant::now()));
        if idle.len() > self.max_idle {
            idle.pop_front();
        }
    }

    /// Drops connections that closed or have been idle for too long.
    pub(super) fn sweep(&self) {
        let limit = self.idle_timeout;
        self.lock().retain(|(sender, since)| !sender.is_closed() && since.elapsed() <= limit);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Sender, Instant)>> {
        // No code runs under this lock that could leave the queue half-changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropping it closes the connection, which is what must happen when a request or response was
/// left unfinished.
#[derive(Debug)]
pub struct Lease {
    sender: Option<Sender>,
    node: Arc<Node>,
    reused: bool,
}

impl Lease {
    pub(super) fn new(sender: Sender, node: Arc<Node>, reused: bool) -> Self {
        Self { sender: Some(sender), node, reused }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match &mut self.sender {
            Some(sender) => sender.try_send_request(request).await,
            // `release` takes the lease by value, so a lease that can be asked to send has its sender.
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
        if let Some(sender) = self.sender.take() {
            self.node.pool().put(sender);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.node.lease_ended();
    }
}
