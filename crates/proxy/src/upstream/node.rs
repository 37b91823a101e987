//! One node: its address, its pool, its health.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1::SendRequest;

use super::{
    ConnectError, Lease, UpstreamOptions,
    connect::Target,
    pool::{Pool, Pooled, Sender},
};

/// One node of a cluster.
#[derive(Debug)]
pub struct Node {
    target: Target,
    name: String,
    host: HeaderValue,
    pool: Pool,
    healthy: AtomicBool,
    failures: AtomicU32,
    failures_allowed: u32,
    leased: AtomicUsize,
    connects: AtomicU64,
    connect_failures: AtomicU64,
}

/// A node's state at one moment.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// `host:port`.
    pub name: String,
    /// Takes requests before others do.
    pub healthy: bool,
    /// Idle connections.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Connections opened since start.
    pub connects: u64,
    /// Connections that could not be opened since start.
    pub connect_failures: u64,
}

impl Node {
    pub(super) fn new(target: Target, options: &UpstreamOptions) -> Self {
        let name = target.authority().as_str().to_owned();
        // An authority is visible ASCII, which is always a header value.
        let host = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static(""));
        Self {
            target,
            name,
            host,
            pool: Pool::new(options.max_idle, options.idle_timeout),
            // Before the first check a node is worth trying.
            healthy: AtomicBool::new(true),
            failures: AtomicU32::new(0),
            failures_allowed: options.health_failures.max(1),
            leased: AtomicUsize::new(0),
            connects: AtomicU64::new(0),
            connect_failures: AtomicU64::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub(super) fn status(&self) -> NodeStatus {
        NodeStatus {
            name: self.name.clone(),
            healthy: self.is_healthy(),
            idle: self.pool.len(),
            in_use: self.leased.load(Ordering::Relaxed),
            connects: self.connects.load(Ordering::Relaxed),
            connect_failures: self.connect_failures.load(Ordering::Relaxed),
        }
    }

    /// An idle connection, or a new one.
    pub(super) async fn lease(self: &Arc<Self>, limit: Duration) -> Result<Lease, ConnectError> {
        let pooled = self.pool.take().await;
        let reused = pooled.is_some();
        let pooled = match pooled {
            Some(pooled) => pooled,
            None => Pooled::new(Box::pin(self.connect(limit)).await?),
        };
        self.leased.fetch_add(1, Ordering::Relaxed);
        Ok(Lease::new(pooled, Arc::clone(self), reused))
    }

    async fn connect(&self, limit: Duration) -> Result<Sender, ConnectError> {
        let sender = self.target.connect(limit).await?;
        self.connects.fetch_add(1, Ordering::Relaxed);
        Ok(sender)
    }

    /// A connection of its own for a health check, outside the pool and its figures.
    pub(super) async fn probe(&self, limit: Duration) -> Result<SendRequest<Empty<Bytes>>, ConnectError> {
        self.target.connect(limit).await
    }

    pub(super) fn lease_ended(&self) {
        self.leased.fetch_sub(1, Ordering::Relaxed);
    }

    /// Puts this node's name into the Host header.
    pub(super) fn address<B>(&self, request: &mut Request<B>) {
        request.headers_mut().insert(header::HOST, self.host.clone());
    }

    /// A request could not be brought to this node: it is passed over until a check succeeds.
    pub(super) fn failed_to_connect(&self, error: &ConnectError) {
        self.connect_failures.fetch_add(1, Ordering::Relaxed);
        if self.healthy.swap(false, Ordering::Relaxed) {
            tracing::warn!(node = %self.name, error = %crate::errors::chain(error), "cannot reach the node; passing it over until a health check succeeds");
        }
    }

    pub(super) fn check_succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if !self.healthy.swap(true, Ordering::Relaxed) {
            tracing::info!(node = %self.name, "the node is healthy again");
        }
    }

    pub(super) fn check_failed(&self, why: &str) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= self.failures_allowed && self.healthy.swap(false, Ordering::Relaxed) {
            tracing::warn!(node = %self.name, failures, why, "the node fails its health checks");
        }
    }
}
