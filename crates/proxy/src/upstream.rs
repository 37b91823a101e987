//! Towards the engine: nodes, their health, pooled HTTP/1.1 connections, and the one retry that is always safe.
//!
//! A request is retried on another connection or node only while not a byte of it has been written: when connecting
//! failed, or when a pooled connection turned out to be closed before hyper took the request. After that the engine may
//! have acted, so the failure is the client's to judge.

mod connect;
mod health;
mod node;
mod pool;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Response;
use hyper::body::Incoming;
use tokio::time::sleep;

pub use self::{
    connect::{ConnectError, Target, TargetError},
    node::{Node, NodeStatus},
    pool::Lease,
};
use crate::{body::Progress, credential::Credentialed};

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct UpstreamOptions {
    /// The nodes, in the order of the configuration.
    pub targets: Vec<Target>,
    /// Limit on connecting to one node, TLS handshake included.
    pub connect_timeout: Duration,
    /// Limit from the end of the request until the response head, if any.
    pub response_timeout: Option<Duration>,
    /// Idle connections kept for each node.
    pub max_idle: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Path of the health check.
    pub health_path: String,
    /// Time between checks.
    pub health_interval: Duration,
    /// Limit on one check.
    pub health_timeout: Duration,
    /// Failures in a row that take a node out.
    pub health_failures: u32,
}

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No node could be connected to. The engine has seen nothing of the request.
    #[error("no node of the cluster can be reached; the last one tried, {node}: {source}")]
    Unreachable {
        /// The last node tried.
        node: String,
        /// What happened there.
        #[source]
        source: ConnectError,
    },
    /// The connection failed after the request, or a part of it, was sent.
    #[error("node {node} broke off before answering")]
    Broken {
        /// The node.
        node: String,
        /// What happened.
        #[source]
        source: hyper::Error,
    },
    /// The response did not begin in time.
    #[error("node {node} did not begin its answer within {} s", .limit.as_secs())]
    Timeout {
        /// The node.
        node: String,
        /// `response_timeout`.
        limit: Duration,
    },
}

/// A response, with the connection it came on.
#[derive(Debug)]
pub struct Answer {
    /// Head and body as the engine sent them.
    pub response: Response<Incoming>,
    /// The connection; returned to the pool by [`Lease::release`] once the body has ended.
    pub lease: Lease,
    /// From sending the request to the response head.
    pub waited: Duration,
}

/// One cluster's nodes and connections.
#[derive(Debug)]
pub struct Upstream {
    nodes: Box<[Arc<Node>]>,
    next: AtomicUsize,
    options: UpstreamOptions,
}

impl UpstreamError {
    /// The node that failed.
    pub fn node(&self) -> &str {
        match self {
            Self::Unreachable { node, .. } | Self::Broken { node, .. } | Self::Timeout { node, .. } => node,
        }
    }
}

impl Upstream {
    /// Makes the pools; connects nowhere yet.
    pub fn new(options: UpstreamOptions) -> Self {
        let nodes =
            options.targets.iter().map(|target| Arc::new(Node::new(target.clone(), &options))).collect();
        Self { nodes, next: AtomicUsize::new(0), options }
    }

    /// Checks the nodes until dropped; to be run as a task.
    pub async fn watch_health(self: Arc<Self>) {
        health::watch(&self.nodes, &self.options).await;
    }

    /// Checks every node once.
    pub async fn check_health(&self) {
        health::check_all(&self.nodes, &self.options).await;
    }

    /// Whether at least one node counts as healthy.
    pub fn is_ready(&self) -> bool {
        self.nodes.iter().any(|node| node.is_healthy())
    }

    /// State of every node, for metrics and readiness.
    pub fn status(&self) -> impl Iterator<Item = NodeStatus> + '_ {
        self.nodes.iter().map(|node| node.status())
    }

    /// Sends one request and waits for the response head.
    pub async fn send(&self, request: Credentialed) -> Result<Answer, UpstreamError> {
        let progress = request.progress();
        let mut request = request.into_request();
        let mut last: Option<UpstreamError> = None;
        for node in self.candidates() {
            loop {
                let mut lease = match node.lease(self.options.connect_timeout).await {
                    Ok(lease) => lease,
                    Err(source) => {
                        node.failed_to_connect(&source);
                        last = Some(UpstreamError::Unreachable { node: node.name().to_owned(), source });
                        break;
                    }
                };
                node.address(&mut request);
                let begun = Instant::now();
                let sent = lease.send(request);
                let outcome = match self.options.response_timeout {
                    None => sent.await,
                    Some(limit) => match within(limit, sent, &progress).await {
                        Some(outcome) => outcome,
                        None => {
                            return Err(UpstreamError::Timeout { node: node.name().to_owned(), limit });
                        }
                    },
                };
                match outcome {
                    Ok(response) => {
                        return Ok(Answer { response, lease, waited: begun.elapsed() });
                    }
                    Err(mut error) => {
                        let unsent = error.take_message();
                        let source = error.into_error();
                        let node_name = || node.name().to_owned();
                        // Hyper hands the request back only if none of it was written.
                        let Some(unsent) = unsent else {
                            return Err(UpstreamError::Broken { node: node_name(), source });
                        };
                        request = unsent;
                        if !lease.is_reused() {
                            // A node that closes even a new connection at once is no better than one that refuses it.
                            let source = ConnectError::Http(source);
                            node.failed_to_connect(&source);
                            last = Some(UpstreamError::Unreachable { node: node_name(), source });
                            break;
                        }
                    }
                }
            }
        }
        // There is at least one node, so the loop ended with a reason.
        Err(last.unwrap_or_else(|| UpstreamError::Unreachable {
            node: String::new(),
            source: ConnectError::NoNodes,
        }))
    }

    /// Every node once: healthy ones first, starting from the next in turn; the others after, since a check may lag.
    fn candidates(&self) -> impl Iterator<Item = &Arc<Node>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.nodes.len();
        let turn = move |offset: usize| (start.wrapping_add(offset)) % count.max(1);
        let healthy = (0..count).map(turn).filter(|&i| self.nodes[i].is_healthy());
        let others = (0..count).map(turn).filter(|&i| !self.nodes[i].is_healthy());
        healthy.chain(others).map(|i| &self.nodes[i])
    }
}

/// The outcome of `sent`, or `None` when the engine has done nothing for `limit`. While the request is on its way the
/// engine is judged only by whether it takes what there is: a slow client is not its fault.
async fn within<T>(limit: Duration, sent: impl Future<Output = T>, request: &Progress) -> Option<T> {
    tokio::pin!(sent);
    loop {
        let before = (request.bytes(), request.ended());
        tokio::select! {
            outcome = &mut sent => return Some(outcome),
            () = sleep(limit) => {
                let stands_still = before == (request.bytes(), request.ended());
                if stands_still && !request.awaited() {
                    return None;
                }
            }
        }
    }
}
