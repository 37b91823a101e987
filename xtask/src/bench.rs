//! `cargo xtask bench`: what the release proxy costs in CPU time and memory.

use clap::{Args, Subcommand};
use testbed::Progress;

use crate::cargo::cargo;
use crate::{Result, demo};

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Streams large bulks whose lines the proxy judges; fails if it ever uses more than 64 MiB of memory.
    Bodies(BodiesArgs),
    /// Sends searches, one after the other on each of 1 and 16 connections.
    Requests(RequestsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BodiesArgs {
    /// Size of each bulk; one is sent chunked, one with Content-Length.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100))]
    gigabytes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RequestsArgs {
    /// Requests in each of the rounds.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
}

/// Builds the proxy and measures it. Fails if the measurement does.
pub(crate) async fn run(command: &BenchCommand) -> Result<()> {
    let program = demo::build::proxy(false, &Progress::plain()).await?;
    let (what, count) = match command {
        BenchCommand::Bodies(args) => ("bodies", args.gigabytes),
        BenchCommand::Requests(args) => ("requests", args.count),
    };
    let (program, count) = (program.display().to_string(), count.to_string());
    let measure =
        ["run", "--quiet", "--package", "e2e", "--example", "measure", "--", what, &program, &count];
    cargo(&measure).run().await
}
