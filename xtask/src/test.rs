//! `cargo xtask test` and `cargo xtask lint`.

use clap::Args;
use testbed::{INFO_VARIABLE, Progress, Testbed, TestbedOptions, free_ports};

use crate::cargo::cargo;
use crate::testbed_command::running;
use crate::{Ports, Result, XtaskError};

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(flatten)]
    ports: Ports,
    /// Leaves out the second run of the tests on the real engine, with OpenSearch 2.19.4 (for want of a JDK from 17 to 21).
    #[arg(long)]
    pub(crate) only_newest_engine: bool,
    /// Arguments of `cargo test --workspace`, such as the name of a test.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) cargo_args: Vec<String>,
}

/// The older line of the engine that is supported. Its tests come after those with the newest.
const OLDER_ENGINE: &str = "2.19.4";

/// Formats and lints, compiles, boots and tests. Everything is tried, so that one run tells all that is wrong; the
/// first failure is returned.
pub(crate) async fn run(args: &TestArgs) -> Result<()> {
    let test = |before: &[&str]| test_arguments(before, &args.cargo_args);
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
        let boot = async { Ok::<_, XtaskError>(Testbed::start(&options, &progress).await?) };
        // Without a testbed there is nothing to wait for, whatever still compiles.
        let (booted, (linted, compiled)) = tokio::try_join!(boot, async { Ok(prepare.await) })?;
        compiled?;
        (booted.info_path().to_owned(), Some(booted), linted)
    };
    let tested = cargo(&test(&["--no-fail-fast"])).env(INFO_VARIABLE, &info_path).run().await;
    if let Some(booted) = started {
        booted.stop().await?;
    }
    let older = if args.cargo_args.is_empty() && !args.only_newest_engine {
        with_older_engine().await
    } else {
        Ok(())
    };
    tested.and(linted).and(older)
}

/// The tests on the real engine once more, with [`OLDER_ENGINE`]. What they are compiled to does not change.
async fn with_older_engine() -> Result<()> {
    anstream::eprintln!("  the tests on the real engine once more, with OpenSearch {OLDER_ENGINE}");
    let [engine_port, keycloak_port] = free_ports()?;
    let options = TestbedOptions { engine_port, keycloak_port, engine_version: OLDER_ENGINE.to_owned() };
    let booted = Testbed::start(&options, &Progress::plain()).await?;
    let arguments = ["test", "--workspace", "--no-fail-fast"];
    let tests = ["--test", "real_*", "--test", "engine_identities", "--test", "tried"];
    let arguments = [&arguments[..], &tests[..]].concat();
    let tested = cargo(&arguments).env(INFO_VARIABLE, booted.info_path()).run().await;
    booted.stop().await?;
    tested
}

/// The arguments for cargo. Beside `--workspace` it would ignore a package that is named.
fn test_arguments(before: &[&str], rest: &[String]) -> Vec<String> {
    let for_cargo = rest.iter().take_while(|argument| *argument != "--");
    let names_package =
        for_cargo.into_iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package"));
    let scope: &[&str] = if names_package { &["test"] } else { &["test", "--workspace"] };
    scope.iter().chain(before).map(|&part| part.to_owned()).chain(rest.iter().cloned()).collect()
}

/// Checks format and lints; both, even if the first fails.
pub(crate) async fn lint() -> Result<()> {
    let formatted = cargo(&["fmt", "--all", "--check"]).run().await;
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    formatted.and(cargo(&clippy).run().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_package_takes_the_place_of_the_workspace() {
        let arguments = |text: &str| {
            let rest: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            test_arguments(&["--no-run"], &rest).join(" ")
        };
        for (given, expected) in [
            ("", "test --workspace --no-run"),
            ("scopes", "test --workspace --no-run scopes"),
            ("-p e2e scopes", "test --no-run -p e2e scopes"),
            ("--package=e2e", "test --no-run --package=e2e"),
            ("-- -p", "test --workspace --no-run -- -p"),
        ] {
            assert_eq!(arguments(given), expected);
        }
    }
}
