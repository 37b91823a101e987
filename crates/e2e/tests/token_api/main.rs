//! Managed tokens over HTTP, from issuing to their end, with a stand-in provider.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

mod bodies;
mod described;
mod documented;
mod end;
mod issue;
mod notify;
mod policy;
mod policy_sets;
mod rule;
mod surroundings;
mod world;
