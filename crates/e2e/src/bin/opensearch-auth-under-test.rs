//! `opensearch-auth` as a program of this crate: cargo builds those before it runs the tests, and tells where they are.

use std::process::ExitCode;

fn main() -> ExitCode {
    opensearch_auth::main()
}
