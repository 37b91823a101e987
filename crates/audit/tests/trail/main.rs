//! The audit trail as a reader of its files finds it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod pressure;
mod records;
mod slots;
mod support;
