//! `policy`: what authors of Cedar policies need, without a proxy.

mod cases;
mod check;
mod faults;
mod files;
mod fmt;
mod names;
mod pieces;
mod test;
mod yaml;

use serde_json::json;

use crate::cli::policies::PolicyCommand;
use crate::error::{Error, Result};
use crate::output::Ui;

pub(super) fn run(ui: Ui, command: &PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::Check { files } => check::run(ui, files),
        PolicyCommand::Test { cases, files } => test::run(ui, cases, files),
        PolicyCommand::Schema => {
            let schema = policy::schema::text();
            ui.result(&json!({ "schema": schema }), &schema)
        }
        PolicyCommand::Fmt { check, files } => fmt::run(ui, files, *check),
    }
}

/// The end of a command that found so many faults.
fn found(faults: usize) -> Result<()> {
    match faults {
        0 => Ok(()),
        1 => Err(Error::refused("1 fault was found")),
        _ => Err(Error::refused(format!("{faults} faults were found"))),
    }
}

/// A number of things, as in `1 policy`.
fn counted(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}
