//! The path, canonical or refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use smallvec::SmallVec;
use thiserror::Error;

/// Why a path is not canonical. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PathProblem {
    /// Not in origin form.
    #[error("it does not begin with '/': send the path in origin form")]
    NotAbsolute,
    /// `//`, or a slash at the end.
    #[error("a segment is empty: remove the doubled or trailing '/'")]
    EmptySegment,
    /// `.` or `..`.
    #[error("a segment is '.' or '..': send the path that is meant")]
    DotSegment,
    /// A letter, digit, `-`, `.`, `_` or `~` is percent-encoded.
    #[error("a letter, digit, '-', '.', '_' or '~' is percent-encoded: send it as it is")]
    EncodedUnreserved,
    /// A control character is percent-encoded.
    #[error("a control character is percent-encoded: remove it")]
    Control,
    /// A character that must not stand in a path as it is.
    #[error(
        "a character must be percent-encoded in a path (space, ';', '#', '\\', quotes, brackets or non-ASCII)"
    )]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("a '%' is not followed by two hexadecimal digits: encode '%' itself as %25")]
    Escape,
    /// The decoded bytes are not text.
    #[error("the decoded bytes are not UTF-8: encode the UTF-8 bytes")]
    NotUtf8,
}

/// One segment: as on the wire and decoded once.
#[derive(Debug)]
pub struct Segment<'p> {
    /// As on the wire, which is what routes are matched against.
    pub raw: &'p str,
    /// Decoded, which is what variables hold.
    pub text: Cow<'p, str>,
}

/// Splits a path and checks that there is one reading of it. `/` has no segments.
pub fn segments(path: &str) -> Result<SmallVec<[Segment<'_>; 6]>, PathProblem> {
    let rest = path.strip_prefix('/').ok_or(PathProblem::NotAbsolute)?;
    if rest.is_empty() {
        return Ok(SmallVec::new());
    }
    rest.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<Segment<'_>, PathProblem> {
    if raw.is_empty() {
        return Err(PathProblem::EmptySegment);
    }
    if is_dots(raw) {
        return Err(PathProblem::DotSegment);
    }
    if !check_bytes(raw.as_bytes())? {
        return Ok(Segment { raw, text: Cow::Borrowed(raw) });
    }
    let text = percent_decode_str(raw).decode_utf8().map_err(|_| PathProblem::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(PathProblem::Control);
    }
    // An encoded slash is legal in a document id, but what a second decoder would climb by is not.
    if text.split(['/', '\\']).any(is_dots) {
        return Err(PathProblem::DotSegment);
    }
    Ok(Segment { raw, text })
}

fn is_dots(text: &str) -> bool {
    text == "." || text == ".."
}

/// Whether anything is percent-encoded.
fn check_bytes(raw: &[u8]) -> Result<bool, PathProblem> {
    let mut encoded = false;
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        if byte == b'%' {
            encoded = true;
            let digits = raw.get(at + 1..at + 3).ok_or(PathProblem::Escape)?;
            let value = hex(digits).ok_or(PathProblem::Escape)?;
            if is_unreserved(value) {
                return Err(PathProblem::EncodedUnreserved);
            }
            if value.is_ascii_control() {
                return Err(PathProblem::Control);
            }
            at += 3;
        } else if is_unreserved(byte) || is_plain(byte) {
            at += 1;
        } else {
            return Err(PathProblem::Character);
        }
    }
    Ok(encoded)
}

pub(crate) fn hex(digits: &[u8]) -> Option<u8> {
    let [high, low] = *digits else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The rest of `pchar` (RFC 3986, section 3.3), without `;`, which some parsers cut the segment at.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}
