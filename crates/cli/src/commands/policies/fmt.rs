//! `policy fmt`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cedar_policy_formatter::{Config, policies_str_to_pretty};
use policy::{Fault, comments};
use serde_json::json;

use super::faults::told;
use super::files::{self, File};
use crate::error::{Error, Result};
use crate::output::Ui;

pub(super) fn run(ui: Ui, paths: &[PathBuf], check: bool) -> Result<()> {
    let mut changed = Vec::new();
    let mut faults = Vec::new();
    for file in File::all(paths)? {
        match formatted(&file) {
            Ok(text) if text == file.text => {}
            Ok(text) => {
                if !check {
                    replace(&file.path, &text)?;
                }
                changed.push(file.path.display().to_string());
            }
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return told(ui, &faults);
    }
    let lines: Vec<String> = match (changed.is_empty(), check) {
        (true, _) => vec!["✅ all is formatted".to_owned()],
        (false, true) => changed.iter().map(|file| format!("❌ {file} is not formatted")).collect(),
        (false, false) => changed.iter().map(|file| format!("✅ {file}")).collect(),
    };
    let key = if check { "unformatted" } else { "formatted" };
    ui.result(&json!({ key: changed }), &lines.join("\n"))?;
    if check && !changed.is_empty() {
        let count = super::counted(changed.len(), "file is", "files are");
        return Err(Error::refused(format!("{count} not formatted")).cure("run `opensearch-auth policy fmt`"));
    }
    Ok(())
}

fn formatted(file: &File) -> Result<String, Vec<Fault>> {
    let name = || file.path.display().to_string();
    let text = policies_str_to_pretty(&file.text, &Config::default()).map_err(|error| {
        // Faults of the grammar are told as `check` tells them.
        let faults = files::parse(std::slice::from_ref(file)).err();
        faults.unwrap_or_else(|| vec![Fault::new(name(), error.to_string())])
    })?;
    // Where there is no policy, the formatter begins with an empty line.
    let text = text.trim_start_matches('\n').to_owned();
    if comments(&text) == comments(&file.text) {
        Ok(text)
    } else {
        let lost = Fault::new(name(), "comments would not stay as they are, so the file is left unformatted");
        Err(vec![lost.with_help(Some("put each comment on a line of its own before a policy"))])
    }
}

/// Puts a text in a file's place, as a whole: a proxy that reads the file finds the old or the new.
fn replace(path: &Path, text: &str) -> Result<()> {
    let written = || {
        // A link goes on leading to the file.
        let path = path.canonicalize()?;
        let permissions = std::fs::metadata(&path)?.permissions();
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    written().map_err(|error: std::io::Error| {
        Error::outside(format!("{} cannot be written: {error}", path.display()))
    })
}
