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
        // YAML takes a carriage return alone for a line break too.
        let bytes = text.as_bytes();
        let breaks = |at: usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let starts = (0..bytes.len()).filter(|&at| breaks(at)).map(|at| at + 1);
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
        // The parser counts a line after the last one when the text ends too early.
        let (line, column) =
            if line > self.lines.len() { (self.lines.len(), usize::MAX) } else { (line, column) };
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let content = &self.text[start..self.line_end(start)];
        let offset = |characters: usize| {
            content.char_indices().nth(characters).map_or(content.len(), |(offset, _)| offset)
        };
        let (from, to) = (offset(column), offset(column.saturating_add(length)));
        let trimmed = content[from..to].trim_end().len();
        let to = if trimmed == 0 { to } else { from + trimmed };
        let column = content[..from].chars().count() + 1;
        Place { line, column, bytes: start + from..start + to }
    }

    /// The line, from 0, that holds a byte, and the bytes of that line without its end.
    pub(crate) fn line_at(&self, offset: usize) -> (usize, Range<usize>) {
        let line = self.lines.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or_default();
        (line, start..self.line_end(start))
    }

    fn line_end(&self, start: usize) -> usize {
        self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |length| start + length)
    }

    /// Replaces the characters at these places, so that no rendering shows them, and control characters
    /// everywhere. Offsets stay as they are.
    pub(crate) fn blot(&mut self, ranges: impl IntoIterator<Item = Range<usize>>) {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        for range in ranges {
            for byte in bytes.get_mut(range).into_iter().flatten() {
                if !matches!(byte, b'\n' | b'\r') {
                    *byte = b'*';
                }
            }
        }
        // An escape sequence would be the terminal's to obey.
        for byte in bytes.iter_mut().filter(|byte| byte.is_ascii_control()) {
            if !matches!(byte, b'\n' | b'\r' | b'\t') {
                *byte = b'?';
            }
        }
        // Ranges come from character boundaries; a stray one would at worst replace a character.
        self.text = String::from_utf8(bytes).unwrap_or_else(|error| "?".repeat(error.as_bytes().len()));
    }
}
