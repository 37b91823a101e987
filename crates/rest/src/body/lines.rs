//! NDJSON: lines that say what the next line is for.

use memchr::memchr;

use super::found::Found;
use super::known::Known;
use super::reader::refusal;
use super::shapes::{self, ShapeId};
use super::walk::{State, Walk};
use super::{BodyLimits, BodyRefusal, EnginePlan, LineProblem};
use crate::json::Lexer;

#[derive(Debug)]
pub(crate) struct Lines {
    lexer: Lexer,
    state: State,
    root: ShapeId,
    /// For searches: whether their bodies are templates. `None`: a bulk.
    searches: Option<bool>,
    line: Line,
    /// Of the line that is being read, from 1.
    number: u64,
    /// Bytes of it.
    length: usize,
    /// What heads are followed by that need not be read anew.
    known: Known<Line>,
}

/// What the line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    /// It says what the next one is for.
    Head,
    /// A search.
    Search,
    /// A document, in which nothing matters.
    Document,
}

impl Lines {
    pub(crate) fn new(lexer: Lexer, root: ShapeId, searches: Option<bool>) -> Self {
        let state = State::new(root);
        Self { lexer, state, root, searches, line: Line::Head, number: 1, length: 0, known: Known::new() }
    }

    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        plan: &EnginePlan,
        limits: &BodyLimits,
        found: &mut Found,
    ) -> Result<(), BodyRefusal> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            let whole = self.line == Line::Head && self.length == 0 && end.is_some();
            let known = if whole && piece.len() <= limits.line { self.known.then(piece) } else { None };
            if let Some(next) = known {
                self.next(next);
                at += piece.len() + 1;
                continue;
            }
            let waiting = found.waiting();
            self.length = self.length.saturating_add(piece.len());
            if self.line != Line::Document {
                self.read(piece, plan, limits, found).map_err(|refusal| refusal.moved(at as u64))?;
            }
            at += piece.len();
            if end.is_some() {
                self.end(plan, limits, found).map_err(|refusal| refusal.moved(at as u64))?;
                at += 1;
            }
            if found.waiting() != waiting {
                self.known.forget();
            } else if whole {
                self.known.keep(piece, self.line);
            }
        }
        Ok(())
    }

    fn read(
        &mut self,
        piece: &[u8],
        plan: &EnginePlan,
        limits: &BodyLimits,
        found: &mut Found,
    ) -> Result<(), BodyRefusal> {
        let excess = if self.line == Line::Head { self.length.saturating_sub(limits.line) } else { 0 };
        let allowed = piece.len().saturating_sub(excess);
        let Self { lexer, state, .. } = self;
        let mut walk = Walk { plan, limits, state, found };
        let outcome = lexer.feed(&piece[..allowed], &mut walk);
        outcome.map_err(|(at, problem)| refusal(state, at, problem))?;
        if excess > 0 {
            return Err(self.refuse(LineProblem::Long).moved(allowed as u64));
        }
        Ok(())
    }

    /// The line has ended.
    fn end(&mut self, plan: &EnginePlan, limits: &BodyLimits, found: &mut Found) -> Result<(), BodyRefusal> {
        let blank = self.lexer.is_empty();
        let next = match (self.line, self.searches) {
            (Line::Document | Line::Search, _) => Line::Head,
            // The engine passes over blank lines where it looks for an action.
            (Line::Head, None) if blank => Line::Head,
            (Line::Head, None) => match self.state.only_key() {
                Some("delete") => Line::Head,
                Some("index" | "create" | "update") => Line::Document,
                _ => return Err(self.refuse(LineProblem::Action)),
            },
            // The engine passes over a blank first line, and takes later ones for headers.
            (Line::Head, Some(_)) if blank && self.number == 1 => return Err(self.refuse(LineProblem::Blank)),
            (Line::Head, Some(_)) => Line::Search,
        };
        if blank && self.line == Line::Head {
            if self.searches.is_some() {
                let mut walk = Walk { plan, limits, state: &mut self.state, found };
                walk.unnamed(self.root)?;
            }
        } else if self.line != Line::Document {
            self.lexer.finish().map_err(|problem| BodyRefusal::json(0, problem))?;
        }
        self.lexer.reset();
        self.next(next);
        Ok(())
    }

    /// The next line is this.
    fn next(&mut self, line: Line) {
        self.state.reset(match (line, self.searches) {
            (Line::Search, Some(template)) => shapes::search(template),
            _ => self.root,
        });
        self.line = line;
        self.number += 1;
        self.length = 0;
    }

    pub(crate) fn finish(self, at: u64) -> Result<(), BodyRefusal> {
        if self.length == 0 { Ok(()) } else { Err(self.refuse(LineProblem::Unterminated).moved(at)) }
    }

    fn refuse(&self, problem: LineProblem) -> BodyRefusal {
        BodyRefusal::Line { line: self.number, at: 0, problem }
    }
}
