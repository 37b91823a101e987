//! The list to which every stage adds what it finds wrong.

use std::{path::PathBuf, sync::Arc};

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Position, Severity},
    source::{Place, Source},
    tree::{At, Node},
};

/// Diagnostics so far.
#[derive(Clone)]
pub(crate) struct Report {
    file: PathBuf,
    list: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, list: Vec::new() }
    }

    pub(crate) fn error(&mut self, place: &Place, key: &str, message: String, cure: impl Into<String>) {
        self.add(Severity::Error, place, key.to_owned(), message, cure.into());
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        place: &Place,
        key: String,
        message: String,
        cure: String,
    ) {
        self.list.push(Diagnostic {
            severity,
            file: self.file.clone(),
            position: Some(Position { line: place.line, column: place.column }),
            key: printable(key),
            message: printable(message),
            cure: printable(cure),
            label: place.bytes.clone(),
        });
    }

    pub(crate) fn into_diagnostics(self, source: Arc<Source>) -> Diagnostics {
        Diagnostics::new(self.list, source)
    }
}

/// Without control characters: an escape sequence from the file would be the terminal's to obey.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().fold(String::new(), |mut text, c| {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}

/// A report together with the tree that knows the places.
pub(crate) struct Findings<'a> {
    pub(crate) report: &'a mut Report,
    pub(crate) tree: &'a Node,
    /// Where an error has been found, so that a later stage does not judge the same value again.
    broken: Vec<At>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(report: &'a mut Report, tree: &'a Node) -> Self {
        Self { report, tree, broken: Vec::new() }
    }

    /// The value at `at` is wrong.
    pub(crate) fn error(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        self.broken.push(at.clone());
        let place = self.tree.place(at);
        self.report.add(Severity::Error, place, at.to_string(), message.into(), cure.into());
    }

    /// As [`Self::error`], but later stages judge the value all the same.
    pub(crate) fn error_without_trace(
        &mut self,
        at: &At,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let place = self.tree.place(at);
        self.report.add(Severity::Error, place, at.to_string(), message.into(), cure.into());
    }

    /// As [`Self::error_without_trace`], pointing at the key that `at` ends with.
    pub(crate) fn key_error_without_trace(
        &mut self,
        at: &At,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        let place = self.tree.key_place(at);
        self.report.add(Severity::Error, place, at.to_string(), message.into(), cure.into());
    }

    /// The key that `at` ends with is wrong, whatever its value.
    pub(crate) fn error_at_key(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        self.broken.push(at.clone());
        let place = self.tree.key_place(at);
        self.report.add(Severity::Error, place, at.to_string(), message.into(), cure.into());
    }

    /// The value at `at` is allowed but probably not meant.
    pub(crate) fn warning(&mut self, at: &At, message: impl Into<String>, cure: impl Into<String>) {
        let place = self.tree.place(at);
        self.report.add(Severity::Warning, place, at.to_string(), message.into(), cure.into());
    }

    /// True if an error has been found at `at`, within it, or around it.
    pub(crate) fn touches_broken(&self, at: &At) -> bool {
        self.broken.iter().any(|broken| broken.starts_with(at) || at.starts_with(broken))
    }

    /// True if an error has been found at `at` or within it.
    pub(crate) fn is_broken(&self, at: &At) -> bool {
        self.broken.iter().any(|broken| broken.starts_with(at))
    }
}
