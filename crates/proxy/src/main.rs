//! Entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    opensearch_oauth_proxy::commands::main()
}
