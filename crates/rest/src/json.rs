//! A strict reader of JSON (RFC 8259) that takes its bytes in any pieces and keeps almost none of them.
//!
//! It is stricter than the grammar where two parsers could disagree: no byte order mark, only an object at the
//! top, no lone surrogates, nothing after the object, bounded depth and text, and only numbers that a double
//! can hold.
//!
//! Public so that other surfaces than the engine's read their bodies as strictly.

mod lexer;
mod number;
mod utf8;

use thiserror::Error;

pub use lexer::{Capture, Container, Lexer, Scalar, Sink};

/// Why a text is not the JSON that every parser reads in the same way. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum JsonProblem {
    /// A byte order mark.
    #[error("it begins with a byte order mark: send UTF-8 without one")]
    ByteOrderMark,
    /// Something else than an object at the top.
    #[error("it is not a JSON object: send {{…}} in UTF-8")]
    NotAnObject,
    /// The end came too early.
    #[error("it ends before the object does: send the whole object")]
    Incomplete,
    /// A second value after the first, or anything else.
    #[error("something follows after the object: send one object")]
    Trailing,
    /// A byte that cannot stand where it stands (comments, single quotes, names without quotes, NaN, …).
    #[error(
        "a character cannot stand here in JSON (RFC 8259): remove comments, quote names and texts with \""
    )]
    Unexpected,
    /// A control character in a text.
    #[error("a text holds a control character: escape it as \\uXXXX")]
    Control,
    /// An escape that JSON does not have.
    #[error("a text holds an escape that JSON does not have: use \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX")]
    Escape,
    /// Half of a surrogate pair.
    #[error("a text holds half of a surrogate pair: escape both halves, or send the character itself")]
    Surrogate,
    /// Bytes that are not UTF-8.
    #[error("it is not UTF-8: send UTF-8")]
    NotUtf8,
    /// A number that is malformed.
    #[error("a number is malformed: write it as JSON does (no leading zeros, no '+', digits around the '.')")]
    Number,
    /// A number that no double holds, or with very many digits.
    #[error("a number is too large or has too many digits: send it as a text, or shorten it")]
    HugeNumber,
    /// Too many levels.
    #[error("objects and arrays are nested too deeply: flatten them")]
    Depth,
    /// A key that is given twice.
    #[error("a key is given twice in one object: give it once")]
    DuplicateKey,
    /// An object with very many keys where keys matter.
    #[error("an object has too many keys: split it")]
    ManyKeys,
    /// A key, or a text that could name an index, that is very long.
    #[error("a key, or a text that names indices or holds a query, is too long: shorten it")]
    LongText,
}
