//! The client's command line: log in at the identity provider, and show the proxy a token that counts.
//!
//! [`main`] is the whole program. One command is one file below `commands`; what they share is the store
//! (`~/.opensearch`), the provider's flows, and the proxy's description of itself.

mod app;
mod cli;
mod commands;
mod confidential_client;
mod error;
mod net;
mod output;
mod provider;
mod resource;
mod secret;
mod store;
mod time;
mod token_service;

pub use commands::main;
