//! Connections and calls at the boundary of the crate, against servers on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod certificates;
mod files;
mod forward_proxy;
mod http_client;
mod server;
mod tls;
