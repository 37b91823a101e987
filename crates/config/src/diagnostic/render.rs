//! Rendering for people.

use std::fmt::{self, Write as _};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};

use super::{Diagnostic, Diagnostics, Severity};

/// A diagnostic as `miette` wants it.
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<&'a NamedSource<String>>,
}

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let theme = if color {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_context_lines(0)
        .with_width(100);
    let source = &diagnostics.source;
    let named = NamedSource::new(source.name().display().to_string(), source.text().to_owned());
    let mut text = String::new();
    for diagnostic in diagnostics {
        let report = Report {
            diagnostic,
            source: diagnostic.position.is_some().then_some(&named),
        };
        if handler.render_report(&mut text, &report).is_err() {
            // Only a source that does not match its labels can bring us here; the plain line still says it all.
            let _ = writeln!(text, "{diagnostic}");
        }
        text.push('\n');
    }
    text
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.diagnostic.key.is_empty() {
            write!(f, "{}: ", self.diagnostic.key)?;
        }
        f.write_str(&self.diagnostic.message)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.diagnostic.cure))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source?;
        let label = LabeledSpan::new_with_span(None, self.diagnostic.label.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
