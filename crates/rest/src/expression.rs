//! Index expressions: `a,b-*,-b-secret,<logs-{now/d}>,remote:x`.

use std::borrow::Cow;

use smallvec::SmallVec;
use thiserror::Error;

use crate::query::shorten;
use crate::{Pattern, PatternError, Refusal, Target, TargetError};

/// Why an index expression is refused. Each says what and the cure.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ExpressionProblem {
    /// `a,,b`; a list of nothing would mean all indices.
    #[error("an element of the list is empty: remove the superfluous comma")]
    EmptyElement,
    /// `-x` where the engine would not read it as an exclusion.
    #[error("an exclusion must follow a wildcard that it narrows, as in logs-*,-logs-old")]
    Exclusion,
    /// Date maths that the engine would not read, or that could become any name.
    #[error(
        "the date maths is malformed: write <name-{{now/d}}>, beginning with the fixed part of the name and without commas"
    )]
    DateMaths,
    /// The text is encoded twice.
    #[error("it is percent-encoded twice: encode it once")]
    DoubleEncoding,
    /// Not a name or pattern.
    #[error(transparent)]
    Name(#[from] TargetError),
}

/// The targets of a decoded index expression; exclusions only narrow and yield none.
pub fn targets(text: &str) -> Result<SmallVec<[Target; 2]>, Refusal> {
    let mut wildcard = false;
    targets_after(text, &mut wildcard)
}

/// The same for a later part of a list; `wildcard` says, and afterwards tells, whether a wildcard came before.
pub(crate) fn targets_after(text: &str, wildcard: &mut bool) -> Result<SmallVec<[Target; 2]>, Refusal> {
    if text == "_all" {
        *wildcard = true;
        return Ok(SmallVec::from_iter([Target::everything()]));
    }
    let refuse = |element: &str, problem| Refusal::Expression { problem, element: shorten(element) };
    let mut targets = SmallVec::new();
    for element in text.split(',') {
        let (excluded, name) = match element.strip_prefix('-') {
            Some(_) if !*wildcard => return Err(refuse(element, ExpressionProblem::Exclusion)),
            Some(name) => (true, name),
            None => (false, element),
        };
        let target = target(name).map_err(|problem| refuse(element, problem))?;
        if !excluded {
            *wildcard |= name.contains('*');
            targets.push(target);
        }
    }
    Ok(targets)
}

fn target(element: &str) -> Result<Target, ExpressionProblem> {
    if element.is_empty() {
        return Err(ExpressionProblem::EmptyElement);
    }
    if is_encoded(element.as_bytes()) {
        return Err(ExpressionProblem::DoubleEncoding);
    }
    // A colon inside `<…>` belongs to the date maths (a time zone), not to a remote cluster.
    let before_maths = element.split('<').next().unwrap_or_default();
    let (remote, name) = match before_maths.split_once(':') {
        Some((remote, _)) => {
            let remote_pattern = Pattern::parse(remote).map_err(TargetError::Remote)?;
            (Some(remote_pattern), &element[remote.len() + 1..])
        }
        None => (None, element),
    };
    let name = if name.starts_with('<') { Cow::Owned(approximate(name)?) } else { Cow::Borrowed(name) };
    let index = Pattern::parse(&name).map_err(TargetError::Index)?;
    Ok(Target { remote, index })
}

/// A `%` with two hexadecimal digits that is still there after decoding once.
fn is_encoded(text: &[u8]) -> bool {
    text.windows(3)
        .any(|three| three[0] == b'%' && three[1].is_ascii_hexdigit() && three[2].is_ascii_hexdigit())
}

/// The narrowest pattern that holds every name which the date maths can become: each `{…}` as `*`.
///
/// The format inside may hold quoted text, so a placeholder at the start could become `.x`, `-x` or `_all`:
/// the fixed part must come first.
fn approximate(maths: &str) -> Result<String, ExpressionProblem> {
    let inner = maths.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let inner = inner.ok_or(ExpressionProblem::DateMaths)?;
    let mut name = String::with_capacity(inner.len());
    let mut depth = 0_u8;
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match (c, depth) {
            ('\\', _) => {
                let escaped = characters.next().ok_or(ExpressionProblem::DateMaths)?;
                if depth == 0 {
                    name.push(escaped);
                }
            }
            ('{', 0) if name.is_empty() => return Err(ExpressionProblem::DateMaths),
            ('{', 0) => {
                name.push('*');
                depth = 1;
            }
            ('{', 1) => depth = 2,
            ('{', _) | ('}', 0) => return Err(ExpressionProblem::DateMaths),
            ('}', _) => depth -= 1,
            (c, 0) => name.push(c),
            _ => {}
        }
    }
    if depth != 0 || name.is_empty() {
        return Err(ExpressionProblem::DateMaths);
    }
    Ok(name)
}

impl From<PatternError> for ExpressionProblem {
    fn from(error: PatternError) -> Self {
        Self::Name(TargetError::Index(error))
    }
}
