//! What is wrong in a file, shown in its line.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::printable;

/// A fault in a file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Fault {
    /// The file as it was given; without one, it is about all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// In characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// What is wrong.
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The line itself.
    #[serde(skip)]
    text: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        let message = printable(&message.into());
        Self { file: None, line: None, column: None, message, help: None, text: None }
    }

    #[must_use]
    pub(super) fn help(mut self, help: Option<impl Into<String>>) -> Self {
        self.help = help.map(|help| printable(&help.into()));
        self
    }

    #[must_use]
    pub(super) fn file(mut self, file: String) -> Self {
        self.file = Some(file);
        self
    }

    /// At a line and column of the file's text, both from 1.
    #[must_use]
    pub(super) fn at(mut self, text: &str, line: usize, column: usize) -> Self {
        let shown = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        self.text = text.lines().nth(line.saturating_sub(1)).map(|line| line.chars().map(shown).collect());
        (self.line, self.column) = (Some(line), Some(column));
        self
    }

    /// At a byte of the file's text.
    #[must_use]
    pub(super) fn at_byte(self, text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.at(text, line, column)
    }

    /// Line and column, for sorting.
    pub(super) fn place(&self) -> (Option<usize>, Option<usize>) {
        (self.line, self.column)
    }

    /// For people: where, what, the line with a caret below the place, and the help.
    pub(super) fn shown(&self) -> String {
        let mut shown = "❌ ".to_owned();
        if let Some(file) = &self.file {
            let _ = write!(shown, "{file}");
            if let (Some(line), Some(column)) = (self.line, self.column) {
                let _ = write!(shown, ":{line}:{column}");
            }
            let _ = write!(shown, ": ");
        }
        let _ = write!(shown, "{}", self.message);
        if let (Some(text), Some(line), Some(column)) = (&self.text, self.line, self.column) {
            let number = line.to_string();
            // A tab is as wide as in the line above.
            let before = text.chars().chain(std::iter::repeat(' ')).take(column.saturating_sub(1));
            let before: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
            let _ =
                write!(shown, "\n   {number} | {text}\n   {:width$} | {before}^", "", width = number.len());
        }
        if let Some(help) = &self.help {
            let _ = write!(shown, "\n   {help}");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_in_its_line() {
        let text = "one\n\tzwö\u{1b}lf x";
        let fault = Fault::new("wrong").file("a".to_owned()).at(text, 2, 8).help(Some("mend it"));
        assert_eq!(fault.shown(), "❌ a:2:8: wrong\n   2 | \tzwö lf x\n     | \t      ^\n   mend it");
        let at = text.find('x').unwrap();
        assert_eq!(
            Fault::new("wrong").file("a".to_owned()).at_byte(text, at).shown().lines().next(),
            Some("❌ a:2:9: wrong")
        );
        assert_eq!(Fault::new("wrong").help(None::<String>).shown(), "❌ wrong");
    }
}
