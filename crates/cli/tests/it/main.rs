//! The real program, with a home of its own, against stand-ins for the provider and the proxy.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

mod bus;
mod config_check;
mod contexts;
mod curl;
mod documents;
mod explain;
mod keyring;
mod login;
mod policies;
mod program;
mod provider;
mod proxy;
mod refresh;
mod server;
mod store;
mod terminal;
mod token_service;
mod tokens;
