//! One configuration, compiled: everything a request needs, immutable, replaced as a whole on reload.

mod build;
mod cluster;
mod dashboards;
mod route;
mod servers;

use std::{sync::Arc, time::Duration};

use http::uri::{Authority, PathAndQuery};
use oidc::{Providers, TokenCache};

pub use self::{
    build::{BuildError, build},
    cluster::Cluster,
    dashboards::Dashboards,
    route::{Destination, Route},
};
use crate::{
    policies::Policies,
    principal::Principal,
    rate_limits::RateLimits,
    token_api::{self, TokenService},
};

/// How long a new snapshot waits for providers and nodes.
const PREPARE_TIME: Duration = Duration::from_secs(5);

/// Limits that listener and connections take from the configuration in force.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request head.
    pub head_size: usize,
    /// Number of headers.
    pub headers: usize,
    /// Bytes of a token.
    pub token_size: usize,
    /// Time for a request head, and for the TLS handshake.
    pub header: Duration,
    /// Time a body may stand still.
    pub body_idle: Duration,
    /// Time between two requests on a connection.
    pub keep_alive: Duration,
    /// Requests at once on an HTTP/2 connection.
    pub streams: u32,
}

/// The configuration in force.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    config: config::model::Config,
    limits: Limits,
    providers: Arc<Providers>,
    tokens: TokenCache<Principal>,
    clusters: Box<[Arc<Cluster>]>,
    token_service: Option<TokenService>,
    policies: Option<Arc<Policies>>,
    rate_limits: RateLimits,
    /// Key refresh and health checks of what this snapshot made; they end with it.
    tasks: Vec<Arc<Task>>,
}

/// A background task that ends when the last snapshot using it is gone.
#[derive(Debug)]
pub struct Task(tokio::task::JoinHandle<()>);

impl Task {
    /// Starts `work`.
    pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self(tokio::spawn(work)))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Snapshot {
    /// Counts up with every reload, from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &config::model::Config {
        &self.config
    }

    /// Limits on clients.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The OpenID Connect providers.
    pub fn providers(&self) -> &Arc<Providers> {
        &self.providers
    }

    /// Verified tokens.
    pub fn tokens(&self) -> &TokenCache<Principal> {
        &self.tokens
    }

    /// What issues tokens, if the configuration wants that and [`open_tokens`](Self::open_tokens) was called.
    pub fn token_service(&self) -> Option<&TokenService> {
        self.token_service.as_ref()
    }

    /// The Cedar policies, if there are any.
    pub fn policies(&self) -> Option<&Arc<Policies>> {
        self.policies.as_ref()
    }

    /// How often whoever is known may ask.
    pub fn rate_limits(&self) -> &RateLimits {
        &self.rate_limits
    }

    /// Opens the store of tokens, if there is to be one. For the first snapshot of a process; the others take it over.
    pub async fn open_tokens(&mut self) -> Result<(), BuildError> {
        if let Some(settings) = &self.config.tokens {
            let rules = token_api::rules(&self.config, settings).map_err(BuildError::TokenRules)?;
            let service = TokenService::open(&self.config, &settings.store, rules).await;
            self.token_service = Some(service.map_err(BuildError::TokenStore)?);
        }
        Ok(())
    }

    /// Puts the policies in force that are kept with the tokens, now and whenever they are written.
    pub async fn follow_policies(&mut self) {
        if let (Some(policies), Some(service)) = (&self.policies, &self.token_service)
            && policies.managed().next().is_some()
        {
            self.tasks.push(policies.follow(service.tokens()).await);
        }
    }

    /// All clusters.
    pub fn clusters(&self) -> &[Arc<Cluster>] {
        &self.clusters
    }

    /// Names and issuers of the providers, for resource metadata.
    pub fn providers_by_name(&self) -> impl Iterator<Item = (&str, &str)> {
        self.config.providers.iter().map(|provider| (provider.name.as_str(), provider.issuer.as_str()))
    }

    /// Asks providers for their keys and nodes for their health and names, once, so that the first request finds them known.
    /// Whoever does not answer in time is asked again in the background.
    pub async fn prepare(&self) {
        let mut first = tokio::task::JoinSet::new();
        let providers = Arc::clone(&self.providers);
        first.spawn(async move {
            providers.prefetch().await;
        });
        for cluster in &self.clusters {
            for upstream in cluster.upstreams() {
                let upstream = Arc::clone(upstream);
                first.spawn(async move { upstream.check_health().await });
            }
            let cluster = Arc::clone(cluster);
            first.spawn(async move {
                if let Some(names) = cluster.names() {
                    names.settle().await;
                }
            });
        }
        if tokio::time::timeout(PREPARE_TIME, first.join_all()).await.is_err() {
            tracing::warn!("a provider or node does not answer yet; it is asked again in the background");
        }
    }

    /// Where a request for this host and target goes.
    pub fn route(&self, host: &Authority, target: &PathAndQuery) -> Option<Route> {
        route::find(&self.clusters, host, target)
    }
}
