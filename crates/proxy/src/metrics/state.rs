//! What is not counted but is: keys, caches, pools, the audit queue, the certificate. Read at each scrape.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::SystemTime,
};

use engine::ApiTokenStats;
use oidc::ProviderStatus;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use transport::ServerCertificate;

use crate::{
    catalogue, pipeline::Proxy, policies::ManagedStatus, rate_limits, snapshot::Snapshot,
    upstream::NodeStatus,
};

/// Reads the state of a running proxy.
#[derive(Debug)]
pub struct StateCollector {
    // Weak, since the proxy owns the metrics that own this.
    proxy: Weak<Proxy>,
    certificate: Option<Arc<ServerCertificate>>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ProviderLabel {
    provider: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ClusterLabel {
    cluster: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct SetLabel {
    set: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RuleLabel {
    rule: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct FallbackLabels {
    cluster: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct NodeLabels {
    cluster: String,
    node: String,
}

impl StateCollector {
    /// For this proxy and the certificate of its listener.
    pub fn new(proxy: &Arc<Proxy>, certificate: Option<Arc<ServerCertificate>>) -> Self {
        Self { proxy: Arc::downgrade(proxy), certificate }
    }
}

impl Collector for StateCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(proxy) = self.proxy.upgrade() else {
            return Ok(());
        };
        let snapshot = proxy.snapshot();
        let mut scrape = Scrape(encoder);
        scrape.tokens(&snapshot)?;
        scrape.rate_limits(&snapshot)?;
        scrape.policies(&snapshot)?;
        scrape.providers(&snapshot)?;
        scrape.nodes(&snapshot)?;
        scrape.catalogues(&snapshot)?;
        scrape.api_tokens(&snapshot)?;
        scrape.audit(&proxy.audit().stats())?;
        match self.certificate.as_ref().and_then(|certificate| certificate.not_after()) {
            Some(not_after) => scrape.certificate(not_after),
            None => Ok(()),
        }
    }
}

/// A figure of the engine's tokens of a cluster.
type OfTokens = fn(&ApiTokenStats) -> f64;

struct Scrape<'a>(DescriptorEncoder<'a>);

impl Scrape<'_> {
    fn tokens(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let tokens = snapshot.tokens();
        self.gauge("token_cache_entries", "Tokens held in the verified-token cache", size(tokens.len()))?;
        self.counter(
            "token_cache_hits",
            "Verified-token cache look-ups that found the token",
            float(tokens.hits()),
        )?;
        self.counter(
            "token_cache_misses",
            "Verified-token cache look-ups that did not",
            float(tokens.misses()),
        )
    }

    fn rate_limits(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all: Vec<rate_limits::Status> = snapshot.rate_limits().status().collect();
        let each = |value: fn(&rate_limits::Status) -> f64| {
            all.iter().map(move |status| (RuleLabel { rule: status.rule.to_string() }, value(status)))
        };
        let identities = each(|status| size(status.identities));
        let help = "Identities with a budget of their own under the rule";
        self.family("rate_limit_identities", help, MetricType::Gauge, identities)?;
        let crowded = each(|status| float(status.crowded));
        let help = "Requests of identities for which there was no room, so that they shared a budget";
        self.family("rate_limit_crowded", help, MetricType::Counter, crowded)
    }

    fn policies(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all: Vec<ManagedStatus> =
            snapshot.policies().into_iter().flat_map(|policies| policies.managed_status()).collect();
        let each = |value: fn(&ManagedStatus) -> f64| {
            all.iter().map(move |status| (SetLabel { set: status.set.to_string() }, value(status)))
        };
        let version = each(|status| float(status.in_force.into()));
        let help = "Version in force of the set of policies that is edited over HTTP; 0: none is written";
        self.family("managed_policies_version", help, MetricType::Gauge, version)?;
        let behind = each(|status| f64::from(u8::from(status.is_behind)));
        let help = "1 while a later version cannot be read, so that an earlier one stays in force";
        self.family("managed_policies_behind", help, MetricType::Gauge, behind)
    }

    fn providers(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all = snapshot.providers().status();
        let label = |status: &ProviderStatus| ProviderLabel { provider: status.name.to_string() };
        let each = |value: fn(&ProviderStatus) -> Option<f64>| {
            all.iter().filter_map(move |status| Some((label(status), value(status)?)))
        };
        let name = "jwks_keys";
        self.family(
            name,
            "Keys held of the provider",
            MetricType::Gauge,
            each(|status| Some(size(status.keys))),
        )?;
        let name = "jwks_age_seconds";
        let age = each(|status| status.fetched_age.map(|age| age.as_secs_f64()));
        self.family(name, "Time since the provider's keys were last fetched", MetricType::Gauge, age)?;
        let fetches = each(|status| Some(float(status.fetches)));
        self.family("jwks_fetches", "Fetches of the provider's keys", MetricType::Counter, fetches)?;
        let failures = each(|status| Some(float(status.failures)));
        self.family("jwks_fetch_failures", "Fetches of keys that failed", MetricType::Counter, failures)
    }

    fn nodes(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all: Vec<(NodeLabels, NodeStatus)> = snapshot
            .clusters()
            .iter()
            .flat_map(|cluster| {
                let nodes = cluster.upstreams().flat_map(|upstream| upstream.status());
                nodes.map(move |status| (cluster.name(), status))
            })
            .map(|(cluster, status)| {
                (NodeLabels { cluster: cluster.to_owned(), node: status.name.clone() }, status)
            })
            .collect();
        let each = |value: fn(&NodeStatus) -> f64| {
            all.iter().map(move |(labels, status)| (labels.clone(), value(status)))
        };
        let healthy = each(|status| f64::from(u8::from(status.healthy)));
        self.family("node_healthy", "1 when the node passes its health checks", MetricType::Gauge, healthy)?;
        let idle = each(|status| size(status.idle));
        self.family("pool_idle", "Idle connections to the node", MetricType::Gauge, idle)?;
        let in_use = each(|status| size(status.in_use));
        self.family("pool_in_use", "Connections to the node in use", MetricType::Gauge, in_use)?;
        let connects = each(|status| float(status.connects));
        self.family("pool_connects", "Connections opened to the node", MetricType::Counter, connects)?;
        let failures = each(|status| float(status.connect_failures));
        self.family(
            "pool_connect_failures",
            "Connections that could not be opened",
            MetricType::Counter,
            failures,
        )
    }

    fn catalogues(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all: Vec<(ClusterLabel, catalogue::Status)> = snapshot
            .clusters()
            .iter()
            .filter_map(|cluster| {
                let label = ClusterLabel { cluster: cluster.name().to_owned() };
                Some((label, cluster.names()?.status()))
            })
            .collect();
        let each = |value: fn(&catalogue::Status) -> Option<f64>| {
            all.iter().filter_map(move |(label, status)| Some((label.clone(), value(status)?)))
        };
        let usable = each(|status| Some(f64::from(u8::from(status.usable))));
        let help = "1 while requests are judged by what the cluster's names stand for";
        self.family("catalogue_usable", help, MetricType::Gauge, usable)?;
        let names = each(|status| Some(size(status.names)));
        self.family("catalogue_names", "Names listed of the cluster", MetricType::Gauge, names)?;
        let age = each(|status| status.age.map(|age| age.as_secs_f64()));
        self.family("catalogue_age_seconds", "Time since names were last listed", MetricType::Gauge, age)?;
        let refreshes = each(|status| Some(float(status.refreshes)));
        self.family("catalogue_refreshes", "Listings of names", MetricType::Counter, refreshes)?;
        let failures = each(|status| Some(float(status.failures)));
        let help = "Listings of names that failed";
        self.family("catalogue_refresh_failures", help, MetricType::Counter, failures)
    }

    fn api_tokens(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let all: Vec<(ClusterLabel, ApiTokenStats)> = snapshot
            .clusters()
            .iter()
            .filter_map(|cluster| {
                let label = ClusterLabel { cluster: cluster.name().to_owned() };
                Some((label, cluster.identity().api_tokens()?.stats()))
            })
            .collect();
        let each = |value: fn(&ApiTokenStats) -> f64| {
            all.iter().map(move |(label, stats)| (label.clone(), value(stats)))
        };
        let usable = each(|stats| f64::from(u8::from(stats.usable)));
        let help = "1 while the engine makes API tokens, as far as is known";
        self.family("api_tokens_usable", help, MetricType::Gauge, usable)?;
        let help = "API tokens of the engine held";
        self.family("api_tokens_held", help, MetricType::Gauge, each(|stats| size(stats.held)))?;
        let help = "API tokens that the engine remembers of everybody, ended ones too";
        self.family("api_tokens_places", help, MetricType::Gauge, each(|stats| float(stats.places)))?;
        let counted: [(&str, &str, OfTokens); 5] = [
            ("api_tokens_made", "API tokens made", |stats| float(stats.made)),
            ("api_tokens_revoked", "API tokens revoked", |stats| float(stats.revoked)),
            ("api_tokens_deleted", "Places of ended API tokens freed", |stats| float(stats.deleted)),
            ("api_tokens_failures", "API tokens that the engine did not make", |stats| float(stats.failures)),
            ("api_tokens_heals", "Times that a node had forgotten its API tokens", |stats| {
                float(stats.heals)
            }),
        ];
        for (name, help, value) in counted {
            self.family(name, help, MetricType::Counter, each(value))?;
        }
        let fallbacks = all.iter().flat_map(|(label, stats)| {
            stats.fallbacks().map(|(reason, count)| {
                (FallbackLabels { cluster: label.cluster.clone(), reason }, float(count))
            })
        });
        let help = "Requests under the fallback of API tokens";
        self.family("api_tokens_fallbacks", help, MetricType::Counter, fallbacks)
    }

    fn audit(&mut self, audit: &audit::Stats) -> fmt::Result {
        self.counter("audit_written", "Audit records written", float(audit.written))?;
        self.counter("audit_dropped", "Audit records dropped (when_full: count)", float(audit.dropped))?;
        self.counter(
            "audit_write_errors",
            "Failed attempts to write audit records",
            float(audit.write_errors),
        )?;
        self.gauge("audit_queue_depth", "Audit records waiting to be written", float(audit.queue_depth))
    }

    fn certificate(&mut self, not_after: SystemTime) -> fmt::Result {
        let seconds = not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.gauge("certificate_not_after_seconds", "Expiry of the server certificate, as Unix time", seconds)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    /// One family: a value for each label set.
    fn family<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        values: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            let metric = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                _ => ConstGauge::new(value).encode(metric)?,
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53, up to which a float is exact")]
fn float(count: u64) -> f64 {
    count as f64
}

fn size(count: usize) -> f64 {
    float(count as u64)
}
