//! OAuth 2.0 in front of OpenSearch: the server.
//!
//! # The way of a request
//!
//! ```text
//! listener      accepts, ends TLS                        -> connection  HTTP/1.1 behind the framing guard, or HTTP/2
//! pipeline      the steps below, in order, for every request and every cluster
//!   intake      one host, one cluster, clean headers     -> Received
//!   classify    operation, action, targets               -> Classified
//!   authenticate  the bearer token, verified             -> Authenticated
//!   handles     whose scrolls, tasks and the like        -> Presented
//!   authorize   scopes against what is asked             -> Authorized
//!   credential  an engine identity for just this         -> Credentialed
//!   upstream    a node, a connection, the engine's answer
//! respond       every fault as status, reason, challenge
//! record        one audit record and its metrics, written when the response has ended
//! ```
//!
//! Each step takes the type that the step before made, and [`upstream::Upstream::send`] takes only a
//! [`credential::Credentialed`]: leaving a step out does not compile.
//!
//! Around it: [`server`] starts and drains, [`snapshot`] is one configuration compiled, [`reload`] replaces it,
//! [`admin`] answers probes and scrapes. [`token_api`] answers for the tokens that
//! the proxy issues itself, and no request for it goes this way.

pub mod admin;
pub mod authenticate;
pub mod authorize;
pub mod body;
pub mod buffered;
pub mod catalogue;
pub mod classify;
pub mod cli;
pub mod commands;
pub mod connection;
pub mod credential;
pub mod decisions;
pub mod errors;
pub mod gather;
pub mod handles;
pub mod headers;
pub mod inflate;
pub mod inspect;
pub mod intake;
pub mod listener;
pub mod metrics;
pub mod pipeline;
pub mod policies;
pub mod principal;
pub mod rate_limits;
pub mod record;
pub mod reload;
pub mod renewal;
pub mod respond;
mod response_body;
pub mod server;
pub mod snapshot;
pub mod stall;
mod stream;
pub mod tenancy;
pub mod token_api;
pub mod trace;
pub mod upstream;
pub mod wellknown;
