//! Tokens, keys and providers at the boundary of the crate, against a stand-in provider on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod attacks;
mod introspection;
mod keys;
mod login;
mod refresh;
mod relay;
mod shapes;
mod stale;
mod stand_in;
