//! The query, canonical or refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;
use thiserror::Error;

use crate::Refusal;
use crate::path::hex;

/// Why a query is not canonical. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum QueryProblem {
    /// `;` separates parameters for some parsers only.
    #[error("it holds a ';': separate parameters with '&' and encode ';' as %3B")]
    Semicolon,
    /// `#` ends the query for some parsers only.
    #[error("it holds a '#': encode it as %23")]
    Fragment,
    /// A character that must be percent-encoded.
    #[error("a character must be percent-encoded in a query (space, '\\', control or non-ASCII)")]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("a '%' is not followed by two hexadecimal digits: encode '%' itself as %25")]
    Escape,
    /// The decoded bytes are not text.
    #[error("the decoded bytes are not UTF-8: encode the UTF-8 bytes")]
    NotUtf8,
    /// A control character is percent-encoded in a name.
    #[error("a parameter's name holds a control character: remove it")]
    Control,
    /// `a[b]`, which some parsers take for a part of `a`.
    #[error("a parameter's name holds '[': repeat a parameter to give it several values")]
    Nested,
    /// `&&`, a leading or trailing `&`, or `=value`.
    #[error("a parameter has no name: remove the superfluous '&' or name it")]
    EmptyName,
}

/// A parameter's name and value, decoded.
pub type Parameter<'q> = (Cow<'q, str>, Cow<'q, str>);

/// A query's parameters, each name once.
#[derive(Debug, Default)]
pub(crate) struct Query<'q>(SmallVec<[Parameter<'q>; 4]>);

/// Names that the engine's handlers read as targets, whatever the route.
const TARGETS: [&str; 6] = ["index", "indices", "new_index", "target", "alias", "aliases"];

impl<'q> Query<'q> {
    pub(crate) fn parse(raw: Option<&'q str>) -> Result<Self, Refusal> {
        let mut parameters = parameters(raw)?;
        parameters.sort_unstable();
        if let Some(twice) = parameters.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Refusal::DuplicateParameter { name: shorten(&twice[0].0) });
        }
        let query = Self(parameters);
        query.refuse_reserved()?;
        Ok(query)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn refuse_reserved(&self) -> Result<(), Refusal> {
        for (name, _) in &self.0 {
            match &**name {
                "access_token" => return Err(Refusal::TokenInQuery),
                "source" | "source_content_type" => return Err(Refusal::SourceInQuery),
                name if TARGETS.contains(&name) => {
                    return Err(Refusal::TargetInQuery { name: name.into() });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The parameters of an undecoded query in their order, names as often as they are given. Only how they are written is
/// checked here.
pub fn parameters(raw: Option<&str>) -> Result<SmallVec<[Parameter<'_>; 4]>, QueryProblem> {
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else {
        return Ok(SmallVec::new());
    };
    check_bytes(raw.as_bytes())?;
    raw.split('&').map(parameter).collect()
}

/// Client text for an error message: bounded, so that an answer cannot be made huge.
pub fn shorten(text: &str) -> Box<str> {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

fn check_bytes(raw: &[u8]) -> Result<(), QueryProblem> {
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += match byte {
            b';' => return Err(QueryProblem::Semicolon),
            b'#' => return Err(QueryProblem::Fragment),
            b'%' => {
                let digits = raw.get(at + 1..at + 3).ok_or(QueryProblem::Escape)?;
                hex(digits).ok_or(QueryProblem::Escape)?;
                3
            }
            b'\\' => return Err(QueryProblem::Character),
            byte if byte.is_ascii_graphic() => 1,
            _ => return Err(QueryProblem::Character),
        };
    }
    Ok(())
}

fn parameter(raw: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), QueryProblem> {
    let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
    let name = decode(name)?;
    if name.is_empty() {
        return Err(QueryProblem::EmptyName);
    }
    if name.chars().any(char::is_control) {
        return Err(QueryProblem::Control);
    }
    Ok((name, decode(value)?))
}

fn decode(raw: &str) -> Result<Cow<'_, str>, QueryProblem> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(raw));
    }
    let spaced = raw.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().map_err(|_| QueryProblem::NotUtf8)?;
    Ok(Cow::Owned(text.into_owned()))
}
