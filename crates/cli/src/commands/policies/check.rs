//! `policy check`.

use std::path::PathBuf;

use serde_json::json;

use super::faults::told;
use super::files::{self, File};
use crate::error::Result;
use crate::output::Ui;

pub(super) fn run(ui: Ui, paths: &[PathBuf]) -> Result<()> {
    match files::parse(&File::all(paths)?) {
        Ok(set) => {
            let count = super::counted(set.len(), "policy", "policies");
            let nothing = if set.is_empty() { ", so nothing is permitted" } else { "" };
            ui.result(&json!({"policies": set.len(), "faults": []}), &format!("✅ {count}{nothing}"))
        }
        Err(faults) => told(ui, &faults),
    }
}
