//! What the documentation says, held against the source.

mod counts;
mod dependencies;
mod operations;
mod paths;
mod reasons;
mod threats;

use std::path::{Path, PathBuf};

/// The folder of the project.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// A file of the project.
fn read(path: &str) -> String {
    let full = root().join(path);
    std::fs::read_to_string(&full)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", full.display()))
}

/// The texts between backticks. Fenced blocks are left out.
fn code_spans(markdown: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut spans = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            spans.extend(line.split('`').skip(1).step_by(2));
        }
    }
    spans
}

/// The rows of the first table after a comment `<!-- checked: name -->`, without its head; cells trimmed.
fn table<'m>(markdown: &'m str, name: &str) -> Vec<Vec<&'m str>> {
    let marker = format!("<!-- checked: {name} -->");
    let (_, after) = markdown.split_once(&marker).unwrap_or_else(|| panic!("there is no {marker}"));
    let lines =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    lines.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}
