//! `policy`: what authors of Cedar policies need, without a proxy.

mod cases;
mod check;
mod diff;
mod differences;
mod explain;
mod faults;
mod files;
mod fmt;
mod question;
mod recorded;
mod simulate;
mod test;
mod yaml;

use std::path::Path;

use serde_json::json;

use self::files::File;
use crate::cli::policies::PolicyCommand;
use crate::error::Result;
use crate::output::Ui;

pub(super) fn run(ui: Ui, command: &PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::Check { files } => check::run(ui, files),
        PolicyCommand::Test { cases, files } => test::run(ui, cases, files),
        PolicyCommand::Explain(arguments) => explain::run(ui, arguments),
        PolicyCommand::Simulate(arguments) => simulate::run(ui, arguments),
        PolicyCommand::Diff(arguments) => diff::run(ui, arguments),
        PolicyCommand::Schema => {
            let schema = policy::schema::text();
            ui.result(&json!({ "schema": schema }), &schema)
        }
        PolicyCommand::Fmt { check, files } => fmt::run(ui, files, *check),
    }
}

/// The policies of a file, if there is no fault in them; else the faults are shown, and the command ends.
pub(super) fn checked(ui: Ui, path: &Path) -> Result<String> {
    let file = File { path: path.to_owned(), text: files::text(path)? };
    if let Err(faults) = files::parse(std::slice::from_ref(&file)) {
        faults::told(ui, &faults)?;
    }
    Ok(file.text)
}

/// A number of things, as in `1 policy`.
fn counted(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}
