use engine::setup::{AdminAccess, apply, setup};
use testbed::TestbedInfo;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Client, ProxyFiles, RunningProxy};

/// A proxy in front of the real engine, for tokens of the real Keycloak.
#[derive(Debug)]
pub struct Real {
    /// Where the systems are.
    pub testbed: TestbedInfo,
    /// The proxy.
    pub proxy: RunningProxy,
    /// The engine has one security configuration, and each test brings its own.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::const_new(());

/// How [`Real::start`] differs from the usual configuration.
#[derive(Clone, Debug)]
pub struct RealConfig {
    /// `identity` of the cluster, in YAML's flow style.
    pub identity: String,
    /// Lines of the provider, indented by four.
    pub provider: String,
    /// Lines of the cluster, indented by four.
    pub cluster: String,
    /// More top-level keys.
    pub extra: String,
}

impl Default for RealConfig {
    fn default() -> Self {
        Self {
            identity: "{signed_jwt: {private_key: signing.pem, attributes: {tenant: tenant}}}".to_owned(),
            provider: String::new(),
            cluster: String::new(),
            extra: String::new(),
        }
    }
}

/// Scopes that the tests' tokens bring, for which the engine gets roles.
const SCOPES: [&str; 14] = [
    "read:logs-*",
    "read:logs-tenant-*",
    "read:metrics-*",
    "read:*",
    "write:app-logs-*",
    "write:logs-app-*",
    "write:logs-*",
    "manage:logs-*",
    "monitor:*",
    "monitor:cluster",
    "admin:cluster",
    "admin:*",
    "read:dashboards",
    "write:dashboards",
];

impl Real {
    /// Applies what the configuration needs to the engine, as `engine-setup --apply` does, and starts the proxy.
    pub async fn start(config: &RealConfig) -> Self {
        transport::install_crypto_provider();
        let turn = TURN.lock().await;
        let testbed = TestbedInfo::from_env()
            .map_err(|error| error.to_string())
            .expect("the tests of this file need a real engine and a real Keycloak");
        let files = ProxyFiles::new();
        let text = Self::text(&files, &testbed, config);
        files.write("setup.yml", &text);
        let loaded = config::load(&files.path("setup.yml"), &|_| None)
            .map_err(|diagnostics| diagnostics.render(false))
            .expect("the configuration is without mistakes");
        let setup = setup(&loaded.config, &loaded.config.clusters[0]).expect("there is a set-up");
        apply(&setup, &Self::admin(&testbed)).await.expect("the set-up is applied");
        let proxy = RunningProxy::start(files, &text).await;
        Self { testbed, proxy, _turn: turn }
    }

    /// A second proxy with the same configuration and the same key towards the engine.
    pub async fn another(&self, config: &RealConfig) -> RunningProxy {
        let files = ProxyFiles::new();
        let key = std::fs::read_to_string(self.proxy.files().path("signing.pem")).expect("a signing key");
        files.write("signing.pem", &key);
        let text = Self::text(&files, &self.testbed, config);
        RunningProxy::start(files, &text).await
    }

    /// The administrator of the real engine.
    pub fn admin(testbed: &TestbedInfo) -> AdminAccess {
        let engine = &testbed.engine;
        AdminAccess {
            url: engine.url.parse().expect("a URL"),
            tls: transport::TlsOptions { ca: Some(engine.ca.clone()), ..transport::TlsOptions::default() },
            basic: Some((engine.admin_user.clone(), engine.admin_password.clone().into())),
        }
    }

    /// The configuration file.
    pub fn text(files: &ProxyFiles, testbed: &TestbedInfo, config: &RealConfig) -> String {
        let RealConfig { identity, provider, cluster, extra } = config;
        let scopes = SCOPES.map(|scope| format!("{scope:?}")).join(", ");
        format!(
            "\
{base}providers:
  - name: keycloak
    issuer: {issuer}
    audiences: [opensearch-proxy]
    algorithms: [RS256, PS256, ES256, EdDSA]
{provider}clusters:
  - name: main
    nodes: [{node}]
    ca: {ca}
    identity: {identity}
    scopes: [{scopes}]
{cluster}{extra}",
            base = files.base_config(),
            issuer = testbed.keycloak.issuer,
            node = testbed.engine.url,
            ca = testbed.engine.ca.display(),
        )
    }

    /// A client that acts as this client of Keycloak, with a token of these scopes.
    pub async fn client(&self, client: &str, scope: &str) -> Client {
        let token = self.testbed.keycloak.token(client, scope).await;
        let token = token.map_err(|error| error.to_string()).expect("Keycloak issues a token");
        self.anonymous().with_token(token)
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.proxy.address, &self.proxy.ca())
    }
}
