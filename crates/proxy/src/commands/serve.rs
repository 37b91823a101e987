//! `serve`

use std::io::IsTerminal as _;

use config::model::{LogFormat, Telemetry};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

use super::{Failure, load};
use crate::{cli::ConfigFile, server::Server};

pub(super) fn run(file: &ConfigFile) -> Result<(), Failure> {
    let loaded = load(&file.config)?;
    start_logging(&loaded.config.telemetry)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(loaded))
}

async fn serve(loaded: config::Loaded) -> Result<(), Failure> {
    // Before anything is bound, so that no signal finds its default action.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;

    let public_url = loaded.config.public_url.clone();
    let server = Server::start(loaded).await?;
    tracing::info!(address = %server.address()?, admin = %server.admin_address(), %public_url, "serving");
    tell_systemd(&[sd_notify::NotifyState::Ready]);

    let (stop, stopped) = watch::channel(false);
    let reloader = server.reloader();
    let signals = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    // Not awaited: a provider that is slow to answer must not keep SIGTERM waiting.
                    let reloader = std::sync::Arc::clone(&reloader);
                    tokio::spawn(async move { reloader.hang_up().await });
                }
            }
        }
        tracing::info!("stopping: no new connections, running requests may end");
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
        stop.send_replace(true);
    });
    let outcome = server.run(stopped).await;
    signals.abort();
    tracing::info!("stopped");
    outcome.map_err(Failure::from)
}

fn tell_systemd(state: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is no socket to tell, which is no error.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// Logs go to standard error; standard output may be the audit trail.
fn start_logging(settings: &Telemetry) -> Result<(), Failure> {
    let filter = settings.log_level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(filter)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}
