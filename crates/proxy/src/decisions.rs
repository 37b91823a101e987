//! The answer to "why was I refused?": what was decided about requests, kept for whoever is told a decision id.
//!
//! A [`Draft`] travels with the record of each request and takes note of what the audit record does not hold. When the record is
//! written, the draft of a refused request becomes an [`explain::Explanation`], which [`Decisions`] keeps, within bounds. That of an
//! allowed one is dropped: it has cost a few pointers.

mod answer;
mod chain;
mod draft;
mod store;
mod words;

pub use self::{
    answer::{answer, on_admin, owns},
    draft::{Because, Draft, Trail},
    store::Decisions,
};
