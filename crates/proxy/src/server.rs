//! The server from configuration to the last byte: start, run, reload, drain.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};

use audit::{AuditError, AuditLog, Sink, WhenFull};
use config::{Loaded, model};
use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::TlsAcceptor;
use transport::{ServerCertificate, TlsError};

use crate::{
    admin, listener,
    metrics::{Metrics, StateCollector},
    pipeline::Proxy,
    policies::Policies,
    reload::{Files, Reloader},
    snapshot::{self, BuildError},
    trace::{Tracer, TracerError},
};

/// How long revoking the engine's tokens of one cluster may take when stopping.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// Why the server does not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration passed its checks and yet cannot be used.
    #[error("the configuration cannot be used")]
    Build(#[from] BuildError),
    /// The server's certificate.
    #[error("listen.tls")]
    Certificate(#[source] TlsError),
    /// A port cannot be bound.
    #[error("{key}: cannot listen on {address}; is another process using the port?")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The audit trail cannot be opened, or could not be written to its end.
    #[error("audit")]
    Audit(#[from] AuditError),
    /// The collector of spans.
    #[error(transparent)]
    Tracer(#[from] TracerError),
    /// The threads of the data plane.
    #[error("the threads that serve clients cannot be started")]
    Workers(#[source] io::Error),
    /// The admin thread.
    #[error("the admin listener cannot be started")]
    Admin(#[source] io::Error),
}

/// A server that is bound and ready to run.
#[derive(Debug)]
pub struct Server {
    proxy: Arc<Proxy>,
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    admin: thread::JoinHandle<()>,
    admin_address: SocketAddr,
    audit_writer: audit::Writer,
    reloader: Arc<Reloader>,
    stop_admin: watch::Sender<bool>,
}

struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Server {
    /// Reads keys and certificates, then binds; what fails, fails before anything is bound. Keys of providers and the
    /// health of nodes are asked for once before this returns, but a provider or node that is away does not stop it.
    pub async fn start(loaded: Loaded) -> Result<Self, ServerError> {
        transport::install_crypto_provider();
        // Before anything is read again from these files, so that no later change goes unnoticed.
        let files = Files::of(&loaded.watched);
        let config = &loaded.config;
        let policies = Policies::read(config).map_err(BuildError::Policies)?;
        let certificate = config
            .listen
            .tls
            .as_ref()
            .map(|files| ServerCertificate::load(&files.certificate, &files.private_key))
            .transpose()
            .map_err(ServerError::Certificate)?;
        let acceptor = certificate
            .as_ref()
            .map(|certificate| transport::server_config(Arc::clone(certificate), None))
            .transpose()
            .map_err(ServerError::Certificate)?
            .map(|config| Acceptor(TlsAcceptor::from(config)));
        let mut snapshot = snapshot::build(config.clone(), policies, None, false)?;
        snapshot.open_tokens().await?;
        snapshot.follow_policies().await;
        let tracer = match &config.telemetry.otlp {
            Some(settings) => Tracer::exporting(settings)?,
            None => Tracer::passing(),
        };
        let bind = |key, address| move |source| ServerError::Bind { key, address, source };
        let listener =
            listener::bind(config.listen.address).map_err(bind("listen.address", config.listen.address))?;
        let admin = admin::bind(config.admin.address).map_err(bind("admin.address", config.admin.address))?;
        let (audit, audit_writer) = open_audit(&config.audit)?;

        snapshot.prepare().await;
        let metrics = Arc::new(Metrics::new());
        let proxy = Proxy::new(snapshot, audit, metrics, tracer);
        proxy.metrics().register(StateCollector::new(&proxy, certificate.clone()));
        let (stop_admin, admin_stopped) = watch::channel(false);
        let admin_address = admin.local_addr().map_err(ServerError::Admin)?;
        let admin = admin::spawn(admin, Arc::clone(&proxy), admin_stopped).map_err(ServerError::Admin)?;
        let reloader = Reloader::new(Arc::clone(&proxy), loaded, files, certificate);
        Ok(Self { proxy, listener, acceptor, admin, admin_address, audit_writer, reloader, stop_admin })
    }

    /// The address of the public listener, with the port that was chosen for port 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address of the admin listener.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Reloads the configuration on demand.
    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.reloader)
    }

    /// The data plane.
    pub fn proxy(&self) -> Arc<Proxy> {
        Arc::clone(&self.proxy)
    }

    /// Serves until `shutdown` turns true, then drains and writes the audit trail to its end.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<(), ServerError> {
        let snapshot = self.proxy.snapshot();
        let config = snapshot.config();
        let (connections, drain) = (config.limits.max_connections, config.drain_timeout.get());
        drop(snapshot);
        let watching = self.reloader.watch_files();
        // Kept to the end: what tokens and deliveries still have to do may run on their threads.
        let workers = listener::serve(
            self.listener,
            Arc::clone(&self.proxy),
            self.acceptor.map(|Acceptor(acceptor)| acceptor),
            connections,
            shutdown,
            drain,
        )
        .await
        .map_err(ServerError::Workers)?;
        drop(watching);
        for cluster in self.proxy.snapshot().clusters() {
            if let Some(tokens) = cluster.identity().api_tokens() {
                tokens.close(CLOSE_TIME).await;
            }
        }
        if let Some(service) = self.proxy.snapshot().token_service() {
            service.settle().await;
        }
        let closed = self.proxy.audit().clone().close().await;
        let proxy = Arc::clone(&self.proxy);
        if tokio::task::spawn_blocking(move || proxy.tracer_shutdown()).await.is_err() {
            tracing::error!("the last spans could not be sent");
        }
        drop(workers);
        // The admin listener goes last, so that the drain can be watched.
        self.stop_admin.send_replace(true);
        if self.admin.join().is_err() {
            tracing::error!("the admin thread failed");
        }
        self.audit_writer.join()?;
        closed.map_err(ServerError::Audit)
    }
}

fn open_audit(settings: &model::Audit) -> Result<(AuditLog, audit::Writer), AuditError> {
    let sink = match &settings.sink {
        model::AuditSink::File(file) => {
            Sink::File { path: PathBuf::from(&file.path), max_size: file.max_size.bytes(), keep: file.keep }
        }
        model::AuditSink::Stdout(_) => Sink::Stdout,
    };
    let when_full = match settings.when_full {
        model::WhenFull::Wait => WhenFull::Wait,
        model::WhenFull::Count => WhenFull::Count,
    };
    AuditLog::open(sink, settings.queue, when_full)
}
