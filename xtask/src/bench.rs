//! `cargo xtask bench`: what the release proxy costs in CPU time and memory.

mod peers;

use clap::{Args, Subcommand};
use testbed::Progress;

use crate::cargo::cargo;
use crate::{Result, demo};

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Streams large bulks whose lines the proxy judges; fails if it ever uses more than 64 MiB of memory.
    Bodies(BodiesArgs),
    /// Sends searches on 1 and on 16 connections, with one token and with a new one each.
    Requests(RequestsArgs),
    /// Sends the same requests through the proxy and through nginx, HAProxy, Envoy, Apache and oauth2-proxy.
    ///
    /// Writes tables and chart into docs/performance.md. Says at the start how long it will take. A peer that is not
    /// installed is left out; h2load, which sends the load, is needed.
    Peers(peers::PeersArgs),
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
    /// Providers that the proxy trusts; the tokens are of one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    providers: u64,
    /// Mappings that are asked about each new token; none is met.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000))]
    mappings: u64,
}

/// Builds the proxy and measures it. Fails if the measurement does.
pub(crate) async fn run(command: &BenchCommand) -> Result<()> {
    if let BenchCommand::Peers(args) = command {
        peers::prepare(args).await?;
    }
    let program = demo::build::proxy(false, &Progress::plain()).await?.display().to_string();
    let what = match command {
        BenchCommand::Bodies(args) => vec!["bodies".to_owned(), program, args.gigabytes.to_string()],
        BenchCommand::Requests(RequestsArgs { count, providers, mappings }) => {
            let numbers = [count, providers, mappings].map(u64::to_string);
            ["requests".to_owned(), program].into_iter().chain(numbers).collect()
        }
        BenchCommand::Peers(args) => peers::arguments(args, program)?,
    };
    let measure = ["run", "--quiet", "--package", "e2e", "--example", "measure", "--"];
    let measure: Vec<String> = measure.map(str::to_owned).into_iter().chain(what).collect();
    cargo(&measure).run().await
}
