//! `opensearch-oauth-proxy` as a program of this crate: what must be killed, or weighed, runs as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    opensearch_oauth_proxy::commands::main()
}
