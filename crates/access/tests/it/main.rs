//! The boundary of the crate: scopes, mappings, decisions.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod decision;
mod grammar;
mod inquiry;
mod mapping;
mod policies;
mod properties;
mod restriction;
mod subject;
