//! What the fuzz targets run: a module for each, whose `run` takes any bytes and panics when a promise is broken.

#![expect(clippy::panic, reason = "a fuzz target reports by panicking")]

pub mod bearer_token;
pub mod body;
pub mod claim_path;
pub mod configuration;
pub mod dashboards_request;
pub mod discovery;
pub mod form;
pub mod handle;
pub mod handle_body;
pub mod headers;
pub mod inflate;
pub mod introspection;
pub mod keys;
pub mod listing;
pub mod managed_token;
pub mod policies;
pub mod query_text;
pub mod redirect;
pub mod request_line;
pub mod scope;
pub mod sealed_note;
pub mod store_answer;
pub mod stored;
pub mod token_answer;
pub mod token_list;
pub mod wire_guard;

mod engine_index;
mod pieces;
mod provider;
mod runtime;
