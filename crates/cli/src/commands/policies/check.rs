//! `policy check`.

use std::path::PathBuf;

use serde_json::json;

use super::faults::Fault;
use super::files::{self, File};
use crate::error::Result;
use crate::output::Ui;

pub(super) fn run(ui: Ui, paths: &[PathBuf]) -> Result<()> {
    let files = File::all(paths)?;
    match files::parse(&files) {
        Ok(set) => {
            let count = super::counted(set.len(), "policy", "policies");
            let nothing = if set.is_empty() { ", so nothing is permitted" } else { "" };
            ui.result(&json!({"policies": set.len(), "faults": []}), &format!("✅ {count}{nothing}"))
        }
        Err(faults) => told(ui, &faults),
    }
}

/// Shows faults and ends the command with them.
pub(super) fn told(ui: Ui, faults: &[Fault]) -> Result<()> {
    let shown: Vec<String> = faults.iter().map(Fault::shown).collect();
    ui.result(&json!({ "faults": faults }), &shown.join("\n"))?;
    super::found(faults.len())
}
