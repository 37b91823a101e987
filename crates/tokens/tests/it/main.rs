//! The boundary of the crate: what is issued, admitted, listed, ended and kept.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod authorizations;
mod engine;
mod lists;
mod persistence;
mod policies;
mod policy;
mod provider_tokens;
mod replicas;
mod secrets;
mod story;
mod world;
