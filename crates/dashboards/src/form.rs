//! A file of saved objects in a form: one JSON object in a line.

use memchr::memchr;
use rest::json::Lexer;
use rest::{BodyLimits, BodyRefusal, MultipartProblem, Need, SurfaceReader};

use crate::multipart::{Part, Parts, Splitter};
use crate::walk::{Found, Root, Walk};

/// Reads such a form.
#[derive(Debug)]
pub(crate) struct Form {
    splitter: Splitter,
    contents: Contents,
}

/// The parts that such a form has.
#[derive(Debug)]
struct Contents {
    lines: Lines,
    /// Which of the parts were there: the file, and what to do about the errors of an import.
    file: bool,
    retries: bool,
    /// Whether the part at hand is the file.
    in_file: bool,
}

impl Form {
    pub(crate) fn new(boundary: &str, found: Found, limits: BodyLimits) -> Self {
        let lexer = Lexer::new(limits.depth, limits.text, false);
        let walk = Walk::new(Root::Line, limits.keys);
        let lines = Lines { lexer, walk, found };
        let contents = Contents { lines, file: false, retries: false, in_file: false };
        Self { splitter: Splitter::new(boundary, limits.line), contents }
    }
}

impl SurfaceReader for Form {
    fn feed(&mut self, bytes: &[u8], needs: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        let outcome = self.splitter.feed(bytes, &mut self.contents);
        self.contents.lines.found.drain(needs);
        outcome
    }

    fn finish(mut self: Box<Self>, needs: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        self.splitter.finish()?;
        if !self.contents.file {
            return Err(BodyRefusal::Multipart { at: 0, problem: MultipartProblem::NoFile });
        }
        self.contents.lines.found.end();
        self.contents.lines.found.drain(needs);
        Ok(())
    }
}

impl Parts for Contents {
    fn begin(&mut self, part: &Part) -> Result<(), MultipartProblem> {
        self.in_file = &*part.name == "file" && part.is_file;
        let seen = match (&*part.name, part.is_file) {
            ("file", true) => &mut self.file,
            ("file", false) => return Err(MultipartProblem::NoFile),
            // Says which objects of the file are meant, and under which ids; the file is read whole anyway.
            ("retries", false) => &mut self.retries,
            _ => return Err(MultipartProblem::Part),
        };
        if std::mem::replace(seen, true) { Err(MultipartProblem::Part) } else { Ok(()) }
    }

    fn content(&mut self, bytes: &[u8], at: u64) -> Result<(), BodyRefusal> {
        if self.in_file { self.lines.feed(bytes, at) } else { Ok(()) }
    }

    fn end(&mut self, at: u64) -> Result<(), BodyRefusal> {
        if self.in_file { self.lines.end(at) } else { Ok(()) }
    }
}

/// Lines with a saved object each.
#[derive(Debug)]
struct Lines {
    lexer: Lexer,
    walk: Walk,
    found: Found,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], start: u64) -> Result<(), BodyRefusal> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            let outcome = self.walk.read(&mut self.lexer, &mut self.found, piece);
            outcome.map_err(|refusal| refusal.moved(start + at as u64))?;
            at += piece.len();
            if end.is_some() {
                self.end(start + at as u64)?;
                at += 1;
            }
        }
        Ok(())
    }

    /// A line has ended. Dashboards passes over blank ones.
    fn end(&mut self, at: u64) -> Result<(), BodyRefusal> {
        if !self.lexer.is_empty() {
            self.lexer.finish().map_err(|problem| BodyRefusal::Json { at, problem })?;
        }
        self.lexer.reset();
        self.walk.reset();
        Ok(())
    }
}
