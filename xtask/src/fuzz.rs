//! `cargo xtask fuzz`.

use clap::{Args, ValueEnum};

use crate::Result;
use crate::cargo::cargo;

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Only this target; otherwise all, each on a thread of its own.
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// How long.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// What the random numbers start from, to repeat a run; otherwise the time.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// The readers of what a client sends.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Target {
    /// Method, path and query.
    RequestLine,
    /// NDJSON, JSON and the query language in bodies.
    Body,
    /// SQL and PPL.
    QueryText,
    /// Requests for Dashboards, with their bodies.
    DashboardsRequest,
    /// The framing guard.
    WireGuard,
    /// Bearer tokens and the JWTs in them.
    BearerToken,
    /// Managed tokens.
    ManagedToken,
    /// Scopes of tokens.
    Scope,
    /// Forms of the token service.
    Form,
    /// Handles.
    Handle,
    /// Handles in bodies.
    HandleBody,
    /// The engine's listing of names.
    Listing,
    /// Policies in Cedar.
    Policies,
    /// Configurations.
    Configuration,
}

/// Runs the targets of `crates/e2e/tests/fuzz` for as long as asked.
pub(crate) async fn run(args: &FuzzArgs) -> Result<()> {
    let seed = args.seed.unwrap_or_else(seed_of_now).to_string();
    let target = args.target.and_then(|target| target.to_possible_value());
    let target = target.map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut arguments = vec!["test", "--quiet", "-p", "e2e", "--test", "fuzz", "--", "--nocapture"];
    if !target.is_empty() {
        arguments.extend(["--exact", &target]);
    }
    let run = cargo(&arguments)
        .env("FUZZ_SEED", &seed)
        .env("FUZZ_SECONDS", args.seconds.to_string())
        .env("FUZZ_TARGET", &target);
    run.run().await
}

fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
