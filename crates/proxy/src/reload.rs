//! Reload: on SIGHUP, or when the configuration or a file it names changes. All or nothing; a fault leaves what runs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use config::{Diagnostics, Loaded, model::Config};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use transport::{ServerCertificate, TlsError};

use crate::{
    errors,
    pipeline::Proxy,
    snapshot::{self, BuildError},
};

/// Editors and volume mounts change several files one after the other; this long nothing must have changed.
const SETTLE: Duration = Duration::from_millis(500);

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
    state: Mutex<State>,
    /// One reload at a time; the later one sees what the earlier one did.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    watched: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
}

/// What tells a changed file: its content, by hash. Times and inodes lie on some file systems.
#[derive(Debug, Eq, PartialEq)]
struct Stamp(Vec<u8>);

impl Stamp {
    fn of(path: &std::path::Path) -> Option<Self> {
        let content = std::fs::read(path).ok()?;
        Some(Self(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &content).as_ref().to_vec()))
    }
}

impl State {
    fn of(watched: Vec<PathBuf>) -> Self {
        let stamps = watched.iter().map(|path| Stamp::of(path)).collect();
        Self { watched, stamps }
    }
}

impl Reloader {
    /// For a running proxy that was started from `loaded`.
    pub fn new(proxy: Arc<Proxy>, loaded: Loaded, certificate: Option<Arc<ServerCertificate>>) -> Arc<Self> {
        Arc::new(Self {
            proxy,
            certificate,
            path: loaded.path,
            state: Mutex::new(State::of(loaded.watched)),
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
        match outcome {
            Ok(()) => tracing::info!(trigger, generation, "configuration reloaded"),
            Err(error) => {
                tracing::error!(trigger, generation, error = %errors::chain(&error), "configuration not reloaded; the one in force stays");
            }
        }
    }

    /// Reads the configuration again and puts it in force, or says why not.
    pub async fn try_reload(&self) -> Result<(), ReloadError> {
        let _turn = self.turn.lock().await;
        let path = self.path.clone();
        let loaded =
            tokio::task::spawn_blocking(move || config::load(&path, &|name| std::env::var(name).ok()))
                .await
                .map_err(|_| ReloadError::Broke)?
                .map_err(ReloadError::Mistakes)?;
        for warning in &loaded.warnings {
            tracing::warn!("{}", warning);
        }
        let previous = self.proxy.snapshot();
        let immutable = immutable_changes(previous.config(), &loaded.config);
        if !immutable.is_empty() {
            return Err(ReloadError::NeedsRestart(immutable));
        }
        let state = State::of(loaded.watched);
        let changed_files = self.lock().differs_beyond_config(&state, &self.path);
        let snapshot = snapshot::build(loaded.config, Some(&previous), changed_files)?;
        // New providers get a moment to bring their keys, so that the swap does not refuse tokens they vouch for.
        snapshot.prepare().await;
        if let Some(certificate) = &self.certificate {
            certificate.reload().map_err(ReloadError::Certificate)?;
        }
        self.proxy.replace(snapshot);
        *self.lock() = state;
        Ok(())
    }

    /// Watches the folders of all files that matter, until the result is dropped.
    pub fn watch_files(self: &Arc<Self>) -> Option<Watching> {
        let (notify_change, mut changed) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
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
        // Folders, not files: editors replace files, and a mounted ConfigMap swaps a link in the folder.
        let mut folders: Vec<PathBuf> =
            self.lock().watched.iter().filter_map(|path| path.parent().map(ToOwned::to_owned)).collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in &folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "the folder cannot be watched; reload with SIGHUP");
            }
        }
        let reloader = Arc::clone(self);
        let task = tokio::spawn(async move {
            while changed.recv().await.is_some() {
                while let Ok(Some(())) = tokio::time::timeout(SETTLE, changed.recv()).await {}
                if reloader.lock().changed() {
                    reloader.reload("file change").await;
                }
            }
        });
        Some(Watching { _watcher: watcher, task })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a file's content differs from when it was last loaded.
    fn changed(&self) -> bool {
        self.watched.iter().zip(&self.stamps).any(|(path, stamp)| Stamp::of(path) != *stamp)
    }

    /// Whether a file other than the configuration itself differs between the two.
    fn differs_beyond_config(&self, other: &Self, config: &std::path::Path) -> bool {
        let beyond = |state: &Self| -> Vec<(PathBuf, Option<Vec<u8>>)> {
            let pairs = state.watched.iter().zip(&state.stamps).filter(|(path, _)| path.as_path() != config);
            pairs.map(|(path, stamp)| (path.clone(), stamp.as_ref().map(|stamp| stamp.0.clone()))).collect()
        };
        beyond(self) != beyond(other)
    }
}

/// Ends the watch when dropped.
#[derive(Debug)]
pub struct Watching {
    _watcher: RecommendedWatcher,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
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
    check(old.telemetry == new.telemetry, "telemetry");
    check(old.limits.max_connections == new.limits.max_connections, "limits.max_connections");
    check(old.drain_timeout == new.drain_timeout, "drain_timeout");
    changed
}
