//! Telling an error with its causes.

use std::{error::Error, fmt::Write as _};

/// The error and each of its sources, joined by `: `. A source that a message ends with already is not said again.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("no connection: {0}")]
        Told(#[source] std::io::Error),
        #[error("no connection")]
        Silent(#[source] std::io::Error),
    }

    #[test]
    fn a_cause_is_said_once() {
        let refused = || std::io::Error::other("refused");
        assert_eq!(chain(&Outer::Told(refused())), "no connection: refused");
        assert_eq!(chain(&Outer::Silent(refused())), "no connection: refused");
    }
}
