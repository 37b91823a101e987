//! The audit trail: one record a request, written to file or standard output and never lost silently.
//!
//! A request takes a [`Slot`] before it is forwarded and commits its [`Record`] to the slot when the response has ended.
//! Committing neither waits nor fails, so it can happen in a `Drop`. The record is encoded there; a thread of its own writes it.

mod caller;
mod clip;
mod error;
mod json;
mod log;
mod output;
mod record;
mod stats;
mod writer;

pub use caller::{Caller, Claimed};
pub use error::AuditError;
pub use log::{AuditLog, CLOSE_PATIENCE, Sink, Slot, WhenFull, Writer};
pub use record::{Decision, EngineIdentity, Label, Outcome, Record};
pub use stats::Stats;
