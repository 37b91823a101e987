//! Bounds on what a client can make a record carry.

use std::borrow::Cow;

/// Longest path written, in bytes.
const PATH: usize = 2048;
/// Longest method, detail or other free text written, in bytes.
const TEXT: usize = 1024;
/// Most entries of a list written. A bulk request can name thousands of indices.
pub(crate) const ENTRIES: usize = 256;
/// Stands where something was cut off.
const CUT: &str = "…";

/// `text`, or as much of it as fits into `max` bytes with the mark of a cut.
fn clip(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    let mut end = max - CUT.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end]).into()
}

/// A path without query and fragment, which can carry secrets, and bounded.
pub(crate) fn path(path: &str) -> Cow<'_, str> {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    clip(&path[..end], PATH)
}

/// Bounded text.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    clip(text, TEXT)
}

/// The entry that stands for those of a list that are not written.
pub(crate) fn more(entries: usize) -> String {
    format!("{CUT} and {entries} more")
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
