//! Bounds on what a client can make a record carry.

use std::fmt::Display;

use serde::{Serializer, ser::SerializeSeq};

/// Longest path written, in bytes.
const PATH: usize = 2048;
/// Longest method, detail or other free text written, in bytes.
const TEXT: usize = 1024;
/// Most entries of a list written. A bulk request can name thousands of indices.
const ENTRIES: usize = 256;
/// Stands where something was cut off.
const CUT: &str = "…";

/// `text`, or as much of it as fits into `max` bytes with the mark of a cut.
fn clip(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    let mut end = max - CUT.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end]).into()
}

/// Writes a path without query and fragment, which can carry secrets, and bounded.
pub(crate) fn path<S: Serializer>(path: &str, to: S) -> Result<S::Ok, S::Error> {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    to.serialize_str(&clip(&path[..end], PATH))
}

/// Writes bounded text.
pub(crate) fn text<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&clip(text, TEXT))
}

/// Writes bounded text where there is some.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn some_text<S: Serializer, T: AsRef<str>>(text: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => self::text(text.as_ref(), to),
        None => to.serialize_none(),
    }
}

/// Writes at most [`ENTRIES`] bounded entries; a last entry says how many more there were.
pub(crate) fn list<S: Serializer, T: AsRef<str>>(list: &[T], to: S) -> Result<S::Ok, S::Error> {
    let shown = list.len().min(ENTRIES);
    let mut seq = to.serialize_seq(None)?;
    for entry in &list[..shown] {
        seq.serialize_element(&clip(entry.as_ref(), TEXT))?;
    }
    if shown < list.len() {
        seq.serialize_element(&format!("{CUT} and {} more", list.len() - shown))?;
    }
    seq.end()
}

/// Writes a value as its `Display` text.
pub(crate) fn display<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Writes a time in RFC 3339, UTC, with microseconds.
pub(crate) fn timestamp<S: Serializer>(time: &jiff::Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.6}"))
}

/// Writes a time where there is one.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub(crate) fn some_timestamp<S: Serializer>(
    time: &Option<jiff::Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => timestamp(time, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT, clip};

    #[test]
    fn cuts_between_characters_and_marks_the_cut() {
        assert_eq!(clip("short", 8), "short");
        assert_eq!(clip("exactly8", 8), "exactly8");
        assert_eq!(clip("nine byte", 8), format!("nine {CUT}"));
        assert_eq!(clip("aaaaöööö", 8), format!("aaaa{CUT}"), "never inside a character");
    }
}
