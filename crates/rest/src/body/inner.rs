//! Queries that stand inside of a text.

use data_encoding::BASE64;

use super::BodyRefusal;
use super::shapes::ShapeId;
use super::walk::{State, Walk};
use crate::json::{JsonProblem, Lexer};

/// Texts inside of texts, at most.
const LEVELS: u8 = 4;

/// A query that is encoded in base64 (RFC 4648, section 4, padded). The engine also reads other formats than
/// JSON there; they are refused.
pub(crate) fn base64(walk: &mut Walk<'_>, shape: ShapeId, text: &str) -> Result<(), BodyRefusal> {
    let Ok(bytes) = BASE64.decode(text.as_bytes()) else {
        return refuse(JsonProblem::NotAnObject);
    };
    read(walk, shape, &bytes, false)
}

/// The text of a template. What is not JSON could become any query when the engine renders it.
pub(crate) fn text(walk: &mut Walk<'_>, shape: ShapeId, text: &str) -> Result<(), BodyRefusal> {
    match read(walk, shape, text.as_bytes(), true) {
        Err(BodyRefusal::Inner { .. }) => {
            walk.found.not_understood("template", walk.plan);
            Ok(())
        }
        outcome => outcome,
    }
}

fn read(walk: &mut Walk<'_>, shape: ShapeId, bytes: &[u8], template: bool) -> Result<(), BodyRefusal> {
    if walk.state.level >= LEVELS {
        return refuse(JsonProblem::Depth);
    }
    let mut state = State::new(shape);
    state.level = walk.state.level + 1;
    let mut inner = Walk { plan: walk.plan, limits: walk.limits, state: &mut state, found: walk.found };
    let mut lexer = Lexer::new(walk.limits.depth, walk.limits.text, template);
    let outcome = lexer.feed(bytes, &mut inner).map_err(|(_, problem)| problem);
    if let Err(problem) = outcome.and_then(|()| lexer.finish()) {
        // A refusal of the walk itself says more, but its position would count inside of the text.
        return match state.take_refusal() {
            Some(refusal) => Err(refusal.at_start()),
            None => refuse(problem),
        };
    }
    Ok(())
}

fn refuse(problem: JsonProblem) -> Result<(), BodyRefusal> {
    Err(BodyRefusal::Inner { at: 0, problem })
}
