//! The guard as seen from both of its sides: what a client sends, and what an HTTP server then gets to see.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attacks;
mod connections;
mod differential;
mod script;
mod server;
mod valid;
