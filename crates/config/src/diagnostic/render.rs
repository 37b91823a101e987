//! Rendering for people.

use std::fmt::{self, Write as _};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::Source;

/// A source that gives the line of a label whole and no other: lines around it may hold a secret that spans several.
struct Lines<'a> {
    source: &'a Source,
    name: &'a str,
}

impl SourceCode for Lines<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let (line, bytes) = self.source.line_at(span.offset());
        let text = self.source.text();
        // Without context, the caller wants the place of the label itself.
        let start = if before == 0 { span.offset() } else { bytes.start };
        let column = text.get(bytes.start..start).ok_or(MietteError::OutOfBounds)?.chars().count();
        let end = bytes.end.max(span.offset() + span.len());
        let data = text.get(start..end).ok_or(MietteError::OutOfBounds)?.as_bytes();
        let span = SourceSpan::new(start.into(), end - start);
        Ok(Box::new(MietteSpanContents::new_named(self.name.to_owned(), data, span, line, column, 1)))
    }
}

/// A diagnostic as `miette` wants it.
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<Lines<'a>>,
}

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_links(false).with_context_lines(1).with_width(100);
    let source = &*diagnostics.source;
    let name = source.name().display().to_string();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let source = diagnostic.position.is_some().then_some(Lines { source, name: &name });
        let report = Report { diagnostic, source };
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

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        let label = LabeledSpan::new_with_span(None, self.diagnostic.label.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
