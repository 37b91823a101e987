//! Entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    opensearch_auth::main()
}
