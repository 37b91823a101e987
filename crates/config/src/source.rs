//! The text of a configuration file, and places in it.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// A place in the text: where a value or a key begins, and how long it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// Bytes of the text. Never spans a line end.
    pub(crate) bytes: Range<usize>,
}

/// A file's text with the secrets in it blotted out, as far as they are known.
#[derive(Debug)]
pub(crate) struct Source {
    name: PathBuf,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: &Path, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            lines: std::iter::once(0).chain(starts).collect(),
        }
    }

    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The place of `length` characters at a line (from 1) and a column (from 0), cut at the line's end.
    pub(crate) fn place(&self, line: usize, column: usize, length: usize) -> Place {
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let content = self.text[start..].split(['\n', '\r']).next().unwrap_or_default();
        let offset = |characters: usize| {
            content.char_indices().nth(characters).map_or(content.len(), |(offset, _)| offset)
        };
        let (from, to) = (offset(column), offset(column.saturating_add(length)));
        let trimmed = content[from..to].trim_end().len();
        let to = if trimmed == 0 { to } else { from + trimmed };
        Place { line, column: column + 1, bytes: start + from..start + to }
    }

    /// Replaces the characters at these places, so that no rendering shows them. Offsets stay as they are.
    pub(crate) fn blot(&mut self, ranges: impl IntoIterator<Item = Range<usize>>) {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        for range in ranges {
            for byte in bytes.get_mut(range).into_iter().flatten() {
                if !matches!(byte, b'\n' | b'\r') {
                    *byte = b'*';
                }
            }
        }
        // Ranges come from character boundaries; a stray one would at worst replace a character.
        self.text = String::from_utf8(bytes).unwrap_or_else(|error| "?".repeat(error.as_bytes().len()));
    }
}
