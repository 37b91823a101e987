use super::found::Found;
use super::lines::Lines;
use super::plan::Media;
use super::shapes::{Body, Format};
use super::walk::{State, Walk};
use super::{BodyLimits, BodyRefusal, EnginePlan, SurfaceReader};
use crate::Need;
use crate::json::Lexer;

/// Reads one body for the needs in it, in constant memory.
///
/// # What the caller does
///
/// The engine acts on a request when its body is whole, never earlier. So it is enough that a body does not
/// become whole before everything in it was judged:
///
/// 1. give each piece to [`Self::feed`] and judge what it found; forward the piece only if all is well;
/// 2. at the end call [`Self::finish`] and judge what that found; only then forward the end of the body.
///
/// With a `Content-Length` the last byte is the end, so it is held back until step 2. If anything is refused or
/// denied, the connection to the engine is broken off before the end.
///
/// Needs come in the order of the body. The same need may be told several times, but is not told for each line
/// of a bulk that names it.
#[derive(Debug)]
pub struct BodyReader {
    kind: Kind,
    /// Why the body was refused.
    refused: Option<BodyRefusal>,
}

#[derive(Debug)]
enum Kind {
    Engine(Box<EngineReader>),
    Surface(Box<dyn SurfaceReader>),
}

/// Reads a body by the engine's tables.
#[derive(Debug)]
struct EngineReader {
    plan: EnginePlan,
    limits: BodyLimits,
    found: Found,
    /// Bytes read so far.
    offset: u64,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    Object { lexer: Lexer, state: State },
    Lines(Lines),
}

impl BodyReader {
    pub(crate) fn engine(plan: EnginePlan, limits: BodyLimits) -> Self {
        Self { kind: Kind::Engine(Box::new(EngineReader::new(plan, limits))), refused: None }
    }

    pub(crate) fn surface(reader: Box<dyn SurfaceReader>) -> Self {
        Self { kind: Kind::Surface(reader), refused: None }
    }

    /// Reads the next bytes and adds what they were found to need. A body that was refused stays
    /// refused: all that follows, [`Self::finish`] included, answers with the same refusal.
    pub fn feed(&mut self, bytes: &[u8], found: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        if let Some(refusal) = &self.refused {
            return Err(refusal.clone());
        }
        let outcome = match &mut self.kind {
            Kind::Engine(reader) => reader.read(bytes, found),
            Kind::Surface(reader) => reader.feed(bytes, found),
        };
        outcome.inspect_err(|refusal| self.refused = Some(refusal.clone()))
    }

    /// The first key that was not understood, shortened: why everything is needed with
    /// [`crate::Origin::NotUnderstood`].
    pub fn not_understood(&self) -> Option<&str> {
        match &self.kind {
            Kind::Engine(reader) => reader.found.what_was_not_understood(),
            Kind::Surface(reader) => reader.not_understood(),
        }
    }

    /// The body has ended: adds what that was found to need, or says why the body is not whole.
    pub fn finish(self, found: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        match self.kind {
            Kind::Engine(reader) => reader.finish(found),
            Kind::Surface(reader) => reader.finish(found),
        }
    }
}

impl EngineReader {
    fn new(plan: EnginePlan, limits: BodyLimits) -> Self {
        let Body { format, root, .. } = *plan.body;
        let lexer = |templates| Lexer::new(limits.depth, limits.text, templates);
        let reading = match format {
            Format::Json | Format::Template => {
                Reading::Object { lexer: lexer(format == Format::Template), state: State::new(root) }
            }
            Format::Bulk => Reading::Lines(Lines::new(lexer(false), root, None)),
            Format::Searches { template } => {
                Reading::Lines(Lines::new(lexer(template), root, Some(template)))
            }
        };
        Self { plan, limits, found: Found::default(), offset: 0, reading }
    }

    fn read(&mut self, bytes: &[u8], found: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Media::Other(media) = &self.plan.media {
            return Err(BodyRefusal::MediaType { found: media.clone() });
        }
        let Self { plan, limits, found: inner, offset, reading, .. } = self;
        let outcome = match reading {
            Reading::Object { lexer, state } => {
                let mut walk = Walk { plan, limits, state, found: inner };
                let outcome = lexer.feed(bytes, &mut walk);
                outcome.map_err(|(at, problem)| refusal(state, at, problem))
            }
            Reading::Lines(lines) => lines.feed(bytes, plan, limits, inner),
        };
        let start = *offset;
        *offset += bytes.len() as u64;
        outcome.map_err(|refusal| refusal.moved(start))?;
        inner.drain(found);
        Ok(())
    }

    fn finish(self, found: &mut Vec<Need>) -> Result<(), BodyRefusal> {
        let Self { plan, limits, found: mut inner, offset, reading } = self;
        match reading {
            Reading::Object { mut state, .. } if offset == 0 => {
                let mut walk = Walk { plan: &plan, limits: &limits, state: &mut state, found: &mut inner };
                walk.unnamed(plan.body.root)?;
            }
            Reading::Object { lexer, .. } => {
                lexer.finish().map_err(|problem| BodyRefusal::Json { at: offset, problem })?;
            }
            Reading::Lines(lines) => lines.finish(offset)?,
        }
        inner.drain(found);
        Ok(())
    }
}

/// What the walk refused, or else what the lexer did.
pub(crate) fn refusal(state: &mut State, at: usize, problem: crate::JsonProblem) -> BodyRefusal {
    match state.take_refusal() {
        Some(refusal) => refusal.moved(at as u64),
        None => BodyRefusal::json(at, problem),
    }
}
