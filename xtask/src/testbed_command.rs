//! `cargo xtask testbed`.

use std::path::PathBuf;

use clap::Subcommand;
use testbed::{Cache, INFO_VARIABLE, Progress, Testbed, TestbedInfo, TestbedOptions};

use crate::{Ports, Result, XtaskError};

#[derive(Debug, Subcommand)]
pub(crate) enum TestbedCommand {
    /// Boots OpenSearch and Keycloak and leaves them running. `test` and `demo` then use them.
    Up {
        #[command(flatten)]
        ports: Ports,
        /// Version of OpenSearch: 3.4.0, or 2.19.4 (which needs a JDK from 17 to 21).
        #[arg(long, value_name = "VERSION", default_value = "3.4.0")]
        engine_version: String,
    },
    /// Stops them.
    Down,
    /// Tells whether they run and where. Exit status 1 if they do not.
    Status {
        /// Shows the password of the engine's administrator too.
        #[arg(long)]
        show_password: bool,
    },
}

/// Runs the subcommand.
pub(crate) async fn run(command: &TestbedCommand) -> Result<()> {
    match command {
        TestbedCommand::Up { ports, engine_version } => up(ports, engine_version).await,
        TestbedCommand::Down => down().await,
        TestbedCommand::Status { show_password } => match running()? {
            Some((path, info)) => {
                show(&path, &info);
                if *show_password {
                    anstream::println!("password    {}", info.engine.admin_password);
                }
                Ok(())
            }
            None => Err(XtaskError::NotRunning),
        },
    }
}

/// The testbed that `up` left running, if it still does.
pub(crate) fn running() -> Result<Option<(PathBuf, TestbedInfo)>> {
    let path = kept()?;
    if !path.exists() {
        return Ok(None);
    }
    let info = TestbedInfo::read(&path)?;
    if !info.is_running() {
        return Ok(None);
    }
    if info.is_current() { Ok(Some((path, info))) } else { Err(XtaskError::Outdated) }
}

/// Where `up` writes how to reach what it started.
fn kept() -> Result<PathBuf> {
    Ok(Cache::open()?.root().join("testbed.json"))
}

async fn up(ports: &Ports, engine_version: &str) -> Result<()> {
    if let Some((path, info)) = running()? {
        anstream::eprintln!("  already running; `cargo xtask testbed down` stops it");
        show(&path, &info);
        return Ok(());
    }
    let options = TestbedOptions {
        engine_port: ports.engine_port,
        keycloak_port: ports.keycloak_port,
        engine_version: engine_version.to_owned(),
    };
    let testbed = Testbed::start(&options, &Progress::new()).await?;
    let path = kept()?;
    testbed.info().write(&path)?;
    show(&path, &testbed.release());
    Ok(())
}

async fn down() -> Result<()> {
    let path = kept()?;
    if !path.exists() {
        return Err(XtaskError::NotRunning);
    }
    TestbedInfo::read(&path)?.stop().await?;
    std::fs::remove_file(&path)
        .map_err(|source| XtaskError::Write { path: path.display().to_string(), source })?;
    anstream::eprintln!("  stopped");
    Ok(())
}

fn show(path: &std::path::Path, info: &TestbedInfo) {
    let TestbedInfo { engine, keycloak, .. } = info;
    anstream::println!("engine      {} ({}), CA {}", engine.url, engine.version, engine.ca.display());
    anstream::println!("            user {}, audit log {}", engine.admin_user, engine.audit_log.display());
    anstream::println!("keycloak    {} ({}), issuer {}", keycloak.url, keycloak.version, keycloak.issuer);
    anstream::println!("for tests   export {INFO_VARIABLE}={}", path.display());
}
