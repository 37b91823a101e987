//! `cargo xtask test` and `cargo xtask lint`.

use clap::Args;
use testbed::{INFO_VARIABLE, Progress, Testbed, TestbedOptions};

use crate::cargo::cargo;
use crate::testbed_command::running;
use crate::{Ports, Result};

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    ports: Ports,
    /// Arguments of `cargo test --workspace`, such as the name of a test.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) cargo_args: Vec<String>,
}

/// Formats and lints, compiles, boots and tests. Everything is tried, so that one run tells all that is wrong; the
/// first failure is returned.
pub(crate) async fn run(args: &TestArgs) -> Result<()> {
    let test = |before: &[&str]| {
        let own = ["test", "--workspace"].iter().chain(before).map(|&part| part.to_owned());
        let all: Vec<String> = own.chain(args.cargo_args.iter().cloned()).collect();
        all
    };
    let prepare = async {
        let linted = if args.cargo_args.is_empty() { lint().await } else { Ok(()) };
        let compiled = cargo(&test(&["--no-run"])).run().await;
        (linted, compiled)
    };
    let (info_path, started, linted) = if let Some((path, info)) = running()? {
        anstream::eprintln!("  using the testbed that is running at {}", info.engine.url);
        let (linted, compiled) = prepare.await;
        compiled?;
        (path, None, linted)
    } else {
        let options = TestbedOptions {
            engine_port: args.ports.engine_port,
            keycloak_port: args.ports.keycloak_port,
            ..TestbedOptions::default()
        };
        let progress = Progress::plain();
        let boot = Testbed::start(&options, &progress);
        let (booted, (linted, compiled)) = tokio::join!(boot, prepare);
        let booted = booted?;
        compiled?;
        (booted.info_path().to_owned(), Some(booted), linted)
    };
    let tested = cargo(&test(&[])).env(INFO_VARIABLE, &info_path).run().await;
    if let Some(booted) = started {
        booted.stop().await?;
    }
    tested.and(linted)
}

/// Checks format and lints; both, even if the first fails.
pub(crate) async fn lint() -> Result<()> {
    let formatted = cargo(&["fmt", "--all", "--check"]).run().await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    formatted.and(cargo(&clippy).run().await)
}
