//! Prometheus metrics.
//!
//! Every label has a bounded set of values: names from the configuration, operation actions, reason codes of our own.
//! Nothing a client sends becomes a label.

mod state;

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

pub use self::state::StateCollector;

/// Upper bounds, in seconds, for what the proxy itself adds: from 10 µs.
const ADDED_BUCKETS: [f64; 12] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.1, 1.0];
/// Upper bounds, in seconds, for what the engine takes.
const UPSTREAM_BUCKETS: [f64; 13] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Every metric name begins with this.
const PREFIX: &str = "opensearch_oauth_proxy";

/// Labels of a counted request.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct RequestLabels {
    /// Cluster name, or `none` where the request named no cluster.
    pub cluster: Arc<str>,
    /// `read`, `write`, …, or `none`.
    pub action: &'static str,
    /// `allow`, `deny` or `error`.
    pub decision: &'static str,
    /// `2xx`, `4xx`, ….
    pub status: &'static str,
}

/// Labels of a refusal.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct RefusalLabels {
    /// The layer that refused.
    pub layer: &'static str,
    /// The reason code, as in the audit record.
    pub reason: &'static str,
}

/// Labels of an operation of the token service.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct TokenOperationLabels {
    operation: &'static str,
    status: &'static str,
}

/// Label of a per-cluster metric.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
pub struct ClusterLabel {
    /// Cluster name.
    pub cluster: Arc<str>,
}

/// Label of what is counted by rate limit.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RuleLabel {
    rule: Arc<str>,
}

/// Label of the reload counter.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// What the proxy counts as it works. The state of pools, keys, caches and the audit queue is read at scrape time.
#[derive(Debug)]
pub struct Metrics {
    registry: parking::Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    rate_limited: Family<RuleLabel, Counter>,
    token_operations: Family<TokenOperationLabels, Counter>,
    added: Histogram,
    upstream: Family<ClusterLabel, Histogram, Buckets>,
    request_bytes: Counter,
    response_bytes: Counter,
    in_flight: Gauge,
    connections: Gauge,
    tls_failures: Counter,
    reloads: Family<ResultLabel, Counter>,
    last_reload_ok: Gauge,
    config_generation: Gauge,
}

/// Counts down a gauge when dropped.
#[derive(Debug)]
pub struct Held(Gauge);

impl Held {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Buckets").field(&self.0.len()).finish()
    }
}

/// The registry behind a lock: it is written at start and read by scrapes only.
mod parking {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Debug)]
    pub(super) struct Registry(Mutex<prometheus_client::registry::Registry>);

    impl Registry {
        pub(super) fn new(registry: prometheus_client::registry::Registry) -> Self {
            Self(Mutex::new(registry))
        }

        pub(super) fn lock(&self) -> MutexGuard<'_, prometheus_client::registry::Registry> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let metrics = Self {
            registry: parking::Registry::new(Registry::default()),
            requests: Family::default(),
            refusals: Family::default(),
            rate_limited: Family::default(),
            token_operations: Family::default(),
            added: Histogram::new(ADDED_BUCKETS),
            upstream: Family::new_with_constructor(Buckets(&UPSTREAM_BUCKETS)),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            tls_failures: Counter::default(),
            reloads: Family::default(),
            last_reload_ok: Gauge::default(),
            config_generation: Gauge::default(),
        };
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "refusals",
            "Requests refused by the proxy, by layer and reason",
            metrics.refusals.clone(),
        );
        registry.register(
            "rate_limited",
            "Requests refused for a rate limit, by its rule",
            metrics.rate_limited.clone(),
        );
        registry.register(
            "token_operations",
            "Requests to the token service, by operation",
            metrics.token_operations.clone(),
        );
        registry.register_with_unit(
            "added_latency",
            "Time from the request head to sending it on, plus from the engine's response head to ours",
            Unit::Seconds,
            metrics.added.clone(),
        );
        registry.register_with_unit(
            "upstream_latency",
            "Time from sending a request to the engine's response head",
            Unit::Seconds,
            metrics.upstream.clone(),
        );
        registry.register_with_unit(
            "request",
            "Body bytes received",
            Unit::Bytes,
            metrics.request_bytes.clone(),
        );
        registry.register_with_unit(
            "response",
            "Body bytes sent",
            Unit::Bytes,
            metrics.response_bytes.clone(),
        );
        registry.register("in_flight", "Requests being handled", metrics.in_flight.clone());
        registry.register("connections", "Client connections open", metrics.connections.clone());
        registry.register(
            "tls_handshake_failures",
            "TLS handshakes that failed",
            metrics.tls_failures.clone(),
        );
        registry.register("config_reloads", "Configuration reloads, by result", metrics.reloads.clone());
        registry.register(
            "config_last_reload_successful",
            "1 when the last reload succeeded",
            metrics.last_reload_ok.clone(),
        );
        registry.register(
            "config_generation",
            "Number of the configuration in force",
            metrics.config_generation.clone(),
        );
        metrics.last_reload_ok.set(1);
        metrics.config_generation.set(1);
        *metrics.registry.lock() = registry;
        metrics
    }

    /// Adds what is read at scrape time.
    pub fn register(&self, collector: StateCollector) {
        self.registry.lock().register_collector(Box::new(collector));
    }

    /// The exposition in `OpenMetrics` text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::with_capacity(8192);
        text::encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }

    /// Counts a connection as open until the guard is dropped.
    pub fn connection_opened(&self) -> Held {
        Held::new(&self.connections)
    }

    /// Counts a request as in flight until the guard is dropped.
    pub fn request_begun(&self) -> Held {
        Held::new(&self.in_flight)
    }

    /// Counts a failed TLS handshake.
    pub fn tls_failed(&self) {
        self.tls_failures.inc();
    }

    /// Counts an ended request.
    pub fn request_ended(&self, labels: &RequestLabels, request_bytes: u64, response_bytes: u64) {
        self.requests.get_or_create(labels).inc();
        self.request_bytes.inc_by(request_bytes);
        self.response_bytes.inc_by(response_bytes);
    }

    /// Counts a refusal.
    pub fn refused(&self, layer: &'static str, reason: &'static str) {
        self.refusals.get_or_create(&RefusalLabels { layer, reason }).inc();
    }

    /// Counts a request that a rate limit refused.
    pub fn rate_limited(&self, rule: &Arc<str>) {
        self.rate_limited.get_or_create(&RuleLabel { rule: Arc::clone(rule) }).inc();
    }

    /// Counts an operation of the token service.
    pub fn token_operation(&self, operation: &'static str, status: http::StatusCode) {
        let status = status_class(status);
        self.token_operations.get_or_create(&TokenOperationLabels { operation, status }).inc();
    }

    /// Observes the time to the engine's response head, and what the proxy added to it.
    pub fn forwarded(&self, cluster: &Arc<str>, upstream: Duration, added: Duration) {
        self.upstream
            .get_or_create(&ClusterLabel { cluster: Arc::clone(cluster) })
            .observe(upstream.as_secs_f64());
        self.added.observe(added.as_secs_f64());
    }

    /// Notes the outcome of a reload; `generation` is the one in force afterwards.
    pub fn reloaded(&self, succeeded: bool, generation: u64) {
        let result = if succeeded { "success" } else { "failure" };
        self.reloads.get_or_create(&ResultLabel { result }).inc();
        self.last_reload_ok.set(i64::from(succeeded));
        self.config_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    }
}

/// `2xx` and so on.
pub fn status_class(status: http::StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
