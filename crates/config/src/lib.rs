//! The configuration file: model, JSON schema, diagnostics, secrets and reload.
//!
//! [`load`] takes a file through these stages, each in a module of its own; a stage adds what it finds wrong to one list,
//! so that a person sees every mistake at once:
//!
//! 1. `yaml`: text to a tree in which every value knows its place;
//! 2. `structure`: the tree against the JSON schema made from [`model`], which catches unknown keys, wrong types
//!    and missing values;
//! 3. `refer`: secrets and files that the text refers to, through [`Surroundings`];
//! 4. the [`model`] itself;
//! 5. `check`: rules that concern several values or their meaning.

mod check;
mod diagnostic;
mod load;
mod mapper;
pub mod model;
mod parts;
mod refer;
mod reference;
mod report;
mod source;
mod structure;
mod surroundings;
mod tree;
pub mod value;
mod yaml;

pub use self::{
    diagnostic::{Diagnostic, Diagnostics, Position, Severity},
    load::{Loaded, load, parse},
    mapper::MappingError,
    reference::reference,
    surroundings::{Found, Surroundings},
};

/// The JSON schema of the configuration file (draft 2020-12).
///
/// Beyond the standard's keywords it has `x-form`, `x-min`, `x-max`, `x-file`, `x-secret` and `x-min-bytes`, which drive this
/// crate's own checks and the reference documentation.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(model::Config).to_value()
}
