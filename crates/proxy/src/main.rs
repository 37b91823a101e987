//! Entry point.

use std::process::ExitCode;

/// What a worker allocates for a request, the audit thread often gives back. The allocator of musl has one lock for all
/// threads, that of glibc one that is contended then.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    opensearch_oauth_proxy::commands::main()
}
