//! What is wrong in a text, and where.

use std::fmt::{self, Write as _};

use miette::Diagnostic;

/// Longest message in characters: Cedar lists all that it would have expected.
const LONGEST: usize = 400;

/// A mistake in a text, as of policies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The file, or by what else the text is known.
    pub source: String,
    /// Where; `None` if it belongs to no place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a text.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line itself, without control characters but tabs.
    pub text: String,
}

impl Place {
    /// The place of a line and column, both from 1.
    pub fn new(text: &str, line: usize, column: usize) -> Self {
        let shown = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        let of_line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        Self { line, column, text: of_line.chars().map(shown).collect() }
    }

    /// The place of a byte.
    pub fn of_byte(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::new(text, line, column)
    }
}

impl std::error::Error for Fault {}

/// On one line: where, what, and in parentheses what to do.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl Fault {
    /// A fault without a place. What would change how a line is shown is left out of the message.
    pub fn new(source: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self { source: source.into(), place: None, message: printable(message.as_ref()), help: None }
    }

    /// With what to do.
    #[must_use]
    pub fn with_help(mut self, help: Option<impl AsRef<str>>) -> Self {
        self.help = help.map(|help| printable(help.as_ref()));
        self
    }

    /// At a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// A diagnostic of Cedar's about the text of a source.
    pub(crate) fn of(source: &str, text: &str, diagnostic: &dyn Diagnostic) -> Self {
        let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
        let fault = Self::new(source, diagnostic.to_string())
            .with_help(diagnostic.help().map(|help| help.to_string()));
        Self { place: offset.map(|offset| Place::of_byte(text, offset)), ..fault }
    }

    /// For people: where, what, the line with a caret below the place, and what to do.
    pub fn in_its_line(&self) -> String {
        let mut shown = String::new();
        // Writing to a string cannot fail.
        let _ = self.head(&mut shown);
        if let Some(Place { line, column, text }) = &self.place {
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

    fn head(&self, to: &mut impl fmt::Write) -> fmt::Result {
        write!(to, "{}", self.source)?;
        if let Some(Place { line, column, .. }) = &self.place {
            write!(to, ":{line}:{column}")?;
        }
        write!(to, ": {}", self.message)
    }
}

/// One line, without the marks that change the direction of writing: they could make a line show something else than it says.
fn printable(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line
        .filter(|c| !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(LONGEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_in_its_line() {
        let text = "one\n\tzwö\u{1b}lf x";
        let fault = Fault::new("a", "wro\u{202e}ng").at(Place::new(text, 2, 8)).with_help(Some("mend\nit"));
        assert_eq!(fault.in_its_line(), "a:2:8: wrong\n   2 | \tzwö lf x\n     | \t      ^\n   mend it");
        assert_eq!(fault.to_string(), "a:2:8: wrong (mend it)");
        let at = text.find('x').unwrap();
        assert_eq!(Fault::new("a", "wrong").at(Place::of_byte(text, at)).to_string(), "a:2:9: wrong");
        assert_eq!(Fault::new("a", "wrong").in_its_line(), "a: wrong");
    }
}
