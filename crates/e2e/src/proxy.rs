use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use opensearch_oauth_proxy::{pipeline::Proxy, reload::Reloader, server::Server};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

/// A folder with what a configuration refers to: certificates of a CA of its own, and a signing key.
#[derive(Debug)]
pub struct ProxyFiles {
    dir: TempDir,
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl ProxyFiles {
    /// Makes the folder with `ca.pem`, `proxy.pem`, `proxy-key.pem` (for localhost and 127.0.0.1) and `signing.pem`.
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "end-to-end test CA");
        let key = rcgen::KeyPair::generate().expect("a key");
        let issuer = rcgen::CertifiedIssuer::self_signed(parameters, key).expect("a CA");
        let files = Self { dir, issuer };
        files.write("ca.pem", &files.issuer.pem());
        files.renew_certificate();
        let signing = engine_key();
        files.write("signing.pem", &signing);
        files
    }

    /// Replaces `proxy.pem` and `proxy-key.pem` by new ones of the same CA.
    pub fn renew_certificate(&self) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "other.localhost".to_owned()];
        let parameters = rcgen::CertificateParams::new(names).expect("parameters");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        self.write("proxy-key.pem", &key.serialize_pem());
        self.write("proxy.pem", &certificate.pem());
    }

    /// Writes a file, readable by its owner only.
    pub fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, text).expect("the file is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions are set");
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The CA that vouches for the proxy.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The audit records written so far, as JSON. The last may still be on its way.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path("audit.log")).expect("the audit file is read");
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }

    /// The parts of a configuration that hardly any test varies: listeners on free ports and the audit file.
    pub fn base_config(&self) -> String {
        "\
listen:
  address: 127.0.0.1:0
  tls: {certificate: proxy.pem, private_key: proxy-key.pem}
public_url: https://localhost:8443
admin: {address: 127.0.0.1:0}
audit:
  sink: {file: {path: audit.log}}
"
        .to_owned()
    }
}

impl Default for ProxyFiles {
    fn default() -> Self {
        Self::new()
    }
}

fn engine_key() -> String {
    engine::generate_key(engine::KeyKind::Rsa2048).expect("a signing key").to_string()
}

/// A proxy that runs in this process, from a configuration file, until dropped or stopped.
#[derive(Debug)]
pub struct RunningProxy {
    /// Its public address.
    pub address: SocketAddr,
    /// Its admin address.
    pub admin: SocketAddr,
    files: ProxyFiles,
    proxy: Arc<Proxy>,
    reloader: Arc<Reloader>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), opensearch_oauth_proxy::server::ServerError>>,
}

impl RunningProxy {
    /// Starts from `config`, written into the folder of `files` as `config.yml`.
    pub async fn start(files: ProxyFiles, config: &str) -> Self {
        files.write("config.yml", config);
        let loaded = config::load(&files.path("config.yml"), &|_| None)
            // Rendered for people: `Debug` would hide what is wrong.
            .map_err(|diagnostics| diagnostics.render(false))
            .expect("the configuration is without mistakes");
        let server = Server::start(loaded).await.expect("the proxy starts");
        let address = server.address().expect("the proxy has an address");
        let (admin, proxy, reloader) = (server.admin_address(), server.proxy(), server.reloader());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(server.run(stopped));
        Self { address, admin, files, proxy, reloader, stop, running }
    }

    /// Its files.
    pub fn files(&self) -> &ProxyFiles {
        &self.files
    }

    /// The CA that vouches for it.
    pub fn ca(&self) -> PathBuf {
        self.files.ca()
    }

    /// The data plane.
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// What SIGHUP does.
    pub fn reloader(&self) -> &Arc<Reloader> {
        &self.reloader
    }

    /// Everything audited so far, once it is on disk.
    pub async fn audit(&self) -> Vec<serde_json::Value> {
        self.proxy.audit().flush().await.expect("the audit log is flushed");
        self.files.audit()
    }

    /// The last record audited.
    pub async fn last_audit(&self) -> serde_json::Value {
        self.audit().await.pop().expect("there is a record")
    }

    /// Begins to stop: drains and ends.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops and waits for the end; gives the files back.
    pub async fn stop(self) -> ProxyFiles {
        self.stop.send_replace(true);
        let ended = self.running.await.expect("the proxy ends by itself");
        ended.expect("the proxy ends well");
        self.files
    }

    /// A request to the admin listener.
    pub async fn admin(&self, path: &str) -> crate::Reply {
        crate::client::plain(self.admin, path).await
    }

    /// The value of a metric, by its name and labels without the common prefix as in
    /// `requests_total{cluster="main",…}`; `None` when there is no such line.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.admin("/metrics").await.text();
        let line = format!("opensearch_oauth_proxy_{name} ");
        text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok())
    }

    /// Overwrites the configuration file.
    pub fn rewrite_config(&self, config: &str) {
        self.files.write("config.yml", config);
    }

    /// The path of the configuration.
    pub fn config_path(&self) -> PathBuf {
        self.files.path("config.yml")
    }
}
