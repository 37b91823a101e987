//! What is wrong with a configuration file: where, why, and what to do about it.

use std::{fmt, ops::Deref, path::PathBuf, sync::Arc};

use serde::{Serialize, Serializer};

use crate::source::Source;

mod render;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used; it probably does not do what was meant.
    Warning,
}

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The configuration file.
    pub file: PathBuf,
    /// Where in the file; nothing when the file could not be read.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// Which key, as in `providers[0].issuer`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub cure: String,
    /// Bytes of the source that a rendering points at.
    #[serde(skip)]
    pub(crate) label: std::ops::Range<usize>,
}

impl fmt::Display for Diagnostic {
    /// One line: `file:line:column: error: key: message; cure`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": error: ",
            Severity::Warning => ": warning: ",
        })?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.message, self.cure)
    }
}

/// All mistakes of one file, in the order of their places.
///
/// `Display` gives one line each; [`render`](Self::render) shows the places in the file.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    source: Arc<Source>,
}

impl Diagnostics {
    pub(crate) fn new(mut list: Vec<Diagnostic>, source: Arc<Source>) -> Self {
        list.sort_by(|a, b| (a.position, &a.key).cmp(&(b.position, &b.key)));
        list.dedup();
        Self { list, source }
    }

    /// True if one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// For people: every mistake with its line of the file and a mark under it. Secrets in the file are not shown.
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }
}

impl Deref for Diagnostics {
    type Target = [Diagnostic];

    fn deref(&self) -> &[Diagnostic] {
        &self.list
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// As a list.
impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}
