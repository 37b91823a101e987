//! Reload: on SIGHUP, or when the configuration or a file it names changes. All or nothing; a fault leaves what runs.

mod files;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use config::{
    Diagnostics, Loaded,
    model::{AuditSink, Config, EmbeddedStore, TokenStore},
};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use transport::{ServerCertificate, TlsError};

pub use self::files::Files;
use crate::{
    errors,
    pipeline::Proxy,
    policies::Policies,
    snapshot::{self, BuildError},
};

/// Editors and volume mounts change several files one after the other; this long nothing must have changed.
const SETTLE: Duration = Duration::from_millis(500);
/// In a folder that never comes to rest, the files are looked at all the same after this long.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// What [`Reloader::reload`] is told when a file changed.
const FILE_CHANGE: &str = "file change";

/// Why the configuration in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file has mistakes.
    #[error("the configuration has mistakes:\n{}", .0.render(false))]
    Mistakes(Diagnostics),
    /// Settings that only a restart can change.
    #[error("{} cannot change while running; restart to change it", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// It passed its checks and yet cannot be used.
    #[error("the configuration cannot be used")]
    Build(#[from] BuildError),
    /// The server's certificate.
    #[error("listen.tls")]
    Certificate(#[source] TlsError),
    /// The task that read it failed.
    #[error("the reload broke off")]
    Broke,
}

/// Puts new configurations in force.
#[derive(Debug)]
pub struct Reloader {
    proxy: Arc<Proxy>,
    certificate: Option<Arc<ServerCertificate>>,
    path: PathBuf,
    /// What the configuration in force was made from.
    files: Mutex<Files>,
    /// The last failure told, so that the same one is not told at every stir in a folder.
    told: Mutex<Option<String>>,
    /// One reload at a time; the later one sees what the earlier one did.
    turn: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// For a running proxy that was started from `loaded`, when its files were as in `files`.
    pub fn new(
        proxy: Arc<Proxy>,
        loaded: Loaded,
        files: Files,
        certificate: Option<Arc<ServerCertificate>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            proxy,
            certificate,
            path: loaded.path,
            files: Mutex::new(files),
            told: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// SIGHUP: the audit file is opened anew, and the configuration read again.
    pub async fn hang_up(&self) {
        self.proxy.audit().reopen();
        self.reload("SIGHUP").await;
    }

    /// Reads the configuration again and reports the outcome in log and metrics.
    pub async fn reload(&self, trigger: &str) {
        let outcome = self.try_reload().await;
        let generation = self.proxy.snapshot().generation();
        self.proxy.metrics().reloaded(outcome.is_ok(), generation);
        let failure = outcome.err().map(|error| errors::chain(&error));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match &failure {
            None => tracing::info!(trigger, generation, "configuration reloaded"),
            Some(error) if trigger == FILE_CHANGE && *told == failure => {
                tracing::debug!(trigger, generation, error, "configuration still not reloaded");
            }
            Some(error) => {
                tracing::error!(
                    trigger,
                    generation,
                    error,
                    "configuration not reloaded; the one in force stays"
                );
            }
        }
        *told = failure;
    }

    /// Reads the configuration again and puts it in force, or says why not.
    pub async fn try_reload(&self) -> Result<(), ReloadError> {
        let _turn = self.turn.lock().await;
        let path = self.path.clone();
        let before = self.in_force().again();
        let read = move || {
            let loaded =
                config::load(&path, &|name| std::env::var(name).ok()).map_err(ReloadError::Mistakes)?;
            let policies = Policies::read(&loaded.config).map_err(BuildError::Policies)?;
            Ok::<_, ReloadError>((loaded, policies))
        };
        let (loaded, policies) =
            tokio::task::spawn_blocking(read).await.map_err(|_| ReloadError::Broke)??;
        for warning in &loaded.warnings {
            tracing::warn!("{}", warning);
        }
        let previous = self.proxy.snapshot();
        let immutable = immutable_changes(previous.config(), &loaded.config);
        if !immutable.is_empty() {
            return Err(ReloadError::NeedsRestart(immutable));
        }
        let files = Files::since(&loaded.watched, &before);
        let reconnect = {
            let trusted = connection_files(&loaded.config);
            let in_force = self.in_force();
            in_force.differing(&files).iter().any(|path| trusted.contains(path))
        };
        let mut snapshot = snapshot::build(loaded.config, policies, Some(&previous), reconnect)?;
        snapshot.follow_policies().await;
        // New providers get a moment to bring their keys, so that the swap does not refuse tokens they vouch for.
        snapshot.prepare().await;
        if let Some(certificate) = &self.certificate {
            certificate.reload().map_err(ReloadError::Certificate)?;
        }
        if let Some(service) = snapshot.token_service() {
            service.put_in_force();
        }
        self.proxy.replace(snapshot);
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }

    /// Watches the folders of all files that matter, until the result is dropped.
    pub fn watch_files(self: &Arc<Self>) -> Option<Watching> {
        let (notify_change, mut changed) = mpsc::unbounded_channel();
        let snapshot = self.proxy.snapshot();
        let audit = match &snapshot.config().audit.sink {
            AuditSink::File(file) => Some(file.path.clone()),
            AuditSink::Stdout(_) => None,
        };
        let store = match store(snapshot.config()) {
            Some(TokenStore::Embedded(EmbeddedStore { path })) => Some(path.clone()),
            Some(TokenStore::OpenSearch(_)) | None => None,
        };
        let ours: Vec<PathBuf> = audit.into_iter().chain(store).collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| matters(&event, &ours)) {
                // The receiver is gone only when nobody watches any more.
                let _ = notify_change.send(());
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched; reload with SIGHUP");
                return None;
            }
        };
        let mut folders = BTreeSet::new();
        self.watch_folders(&mut watcher, &mut folders);
        let reloader = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                // First of all, since a file may have changed between being read and being watched.
                // After a failure the files may also be again as they were; then that is in force, and nothing is amiss.
                if reloader.has_changed() || reloader.has_failed() {
                    reloader.reload(FILE_CHANGE).await;
                    // The new configuration may name files elsewhere.
                    reloader.watch_folders(&mut watcher, &mut folders);
                }
                if changed.recv().await.is_none() {
                    return;
                }
                let settled =
                    async { while let Ok(Some(())) = tokio::time::timeout(SETTLE, changed.recv()).await {} };
                let _ = tokio::time::timeout(SETTLE_LIMIT, settled).await;
            }
        });
        Some(Watching { task })
    }

    /// Folders, not files: editors replace files, and a mounted ConfigMap swaps a link in the folder.
    fn watch_folders(&self, watcher: &mut RecommendedWatcher, known: &mut BTreeSet<PathBuf>) {
        for folder in self.in_force().folders() {
            if known.contains(&folder) {
                continue;
            }
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "the folder cannot be watched; reload with SIGHUP");
            }
            known.insert(folder);
        }
    }

    fn in_force(&self) -> Files {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a file's content differs from when it was last loaded.
    fn has_changed(&self) -> bool {
        let in_force = self.in_force();
        in_force.again() != in_force
    }

    /// Whether the last reload failed.
    fn has_failed(&self) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Whether a change in a watched folder may be one of our files. What we write ourselves (the audit trail, the store of
/// tokens), may be in the same folder and never rests, is not.
fn matters(event: &notify::Event, written: &[PathBuf]) -> bool {
    let is_written = |path: &PathBuf| {
        // Rotated files have the same name and a number.
        let of =
            |own: &PathBuf| path == own || (path.with_extension("") == *own && path.parent() == own.parent());
        written.iter().any(of)
    };
    !event.kind.is_access() && (event.paths.is_empty() || !event.paths.iter().all(is_written))
}

/// Files that decide whom to trust, or as whom to appear, when connecting: only these make connections and keys of the
/// old configuration useless. The server's own certificate is replaced by itself, engine identities are always made anew.
fn connection_files(config: &Config) -> BTreeSet<&Path> {
    let mut files: BTreeSet<&Path> =
        config.providers.iter().filter_map(|provider| provider.ca.as_deref()).collect();
    for cluster in &config.clusters {
        files.extend(cluster.ca.as_deref());
        let dashboards = cluster.dashboards.as_ref();
        files.extend(dashboards.and_then(|dashboards| dashboards.ca.as_deref()));
        let certificates = [
            cluster.client_certificate.as_ref(),
            dashboards.and_then(|dashboards| dashboards.client_certificate.as_ref()),
        ];
        let pairs = certificates.into_iter().flatten().chain(cluster.identity.admin_certificate());
        files.extend(pairs.flat_map(|files| [files.certificate.as_path(), &files.private_key]));
    }
    files
}

/// Ends the watch when dropped.
#[derive(Debug)]
pub struct Watching {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn store(config: &Config) -> Option<&TokenStore> {
    config.tokens.as_ref().map(|tokens| &tokens.store)
}

/// The keys whose values are bound to sockets, threads and files made at start.
fn immutable_changes(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    let mut check = |same: bool, key| {
        if !same {
            changed.push(key);
        }
    };
    check(old.listen == new.listen, "listen");
    check(old.admin == new.admin, "admin");
    check(old.audit == new.audit, "audit");
    check(store(old) == store(new), "tokens.store");
    check(old.telemetry == new.telemetry, "telemetry");
    check(old.limits.max_connections == new.limits.max_connections, "limits.max_connections");
    check(old.drain_timeout == new.drain_timeout, "drain_timeout");
    changed
}
