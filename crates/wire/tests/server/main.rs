//! The server's side as seen from both of its ends: what a client sends, and what whoever answers it gets to see.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod attacks;
mod bodies;
mod connections;
mod differential;
mod script;
mod served;
mod valid;
