//! What a real provider or engine cannot be made to do on demand.

mod dashboards;
mod engine;
mod provider;
mod token_engine;

pub use dashboards::{DashboardsOptions, StandInDashboards};
pub use engine::{SeenRequest, StandInEngine};
pub use provider::{StandInProvider, TokenBuilder};
pub use token_engine::{SeenUse, StandInTokenEngine};

use crate::{Client, ProxyFiles, RunningProxy};

/// A proxy between stand-ins: what only a test can arrange, without any real system.
#[derive(Debug)]
pub struct StandIns {
    /// The provider.
    pub provider: StandInProvider,
    /// The engine.
    pub engine: StandInEngine,
    /// The proxy.
    pub proxy: RunningProxy,
}

impl StandIns {
    /// Starts all three.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts all three; `extra` is appended to the configuration.
    pub async fn start_with(extra: &str) -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let files = ProxyFiles::new();
        let config = format!("{}{extra}", stand_in_config(&files, &provider, &[&engine.url()]));
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, engine, proxy }
    }

    /// Starts all three, the engine in the place of a Dashboards as well, which is under `/osd` with that as its base
    /// path. Handles are bound to their callers.
    pub async fn start_with_dashboards() -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let files = ProxyFiles::new();
        let config = format!(
            "{}    dashboards:\n      nodes: [http://localhost:{}]\n      base_path: /osd\n      health: {{path: /checked}}\n    \
             handles: {{secret: \"literal:thirty-two bytes that nobody should know\"}}\n",
            stand_in_config(&files, &provider, &[&engine.url()]),
            engine.address().port(),
        );
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, engine, proxy }
    }

    /// A client with a token of these scopes.
    pub fn client(&self, scope: &str) -> Client {
        self.anonymous().with_token(self.provider.token(scope))
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.proxy.address, &self.proxy.ca())
    }
}

/// A configuration for one stand-in provider and one cluster of these nodes.
pub fn stand_in_config(files: &ProxyFiles, provider: &StandInProvider, nodes: &[&str]) -> String {
    format!(
        "\
{}providers:
  - name: stand-in
    issuer: {}
    audiences: [opensearch-proxy]
    min_refetch_interval: 1s
clusters:
  - name: main
    nodes: [{}]
    identity: {{signed_jwt: {{private_key: signing.pem}}}}
",
        files.base_config(),
        provider.issuer(),
        nodes.join(", "),
    )
}
