//! Telling an error with its causes.

use std::{error::Error, fmt::Write as _};

/// The error and each of its sources, joined by `: `. Our messages never repeat their source.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
