//! The boundary of the crate: what is issued, admitted, listed, ended and kept.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod lists;
mod persistence;
mod policy;
mod provider_tokens;
mod secrets;
mod story;
mod world;
