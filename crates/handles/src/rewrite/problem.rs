use thiserror::Error;

use crate::wrapped::LONGEST;

/// Why JSON could not be followed. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Problem {
    /// Something else than an object at the top.
    #[error("it is not a JSON object: send {{…}} in UTF-8 without a byte order mark")]
    NotAnObject,
    /// A byte that cannot stand where it stands.
    #[error(
        "a character cannot stand here in JSON (RFC 8259): remove comments, quote names and texts with \""
    )]
    Unexpected,
    /// The end came too early.
    #[error("it ends before the object does: send the whole object")]
    Incomplete,
    /// Something but white space after the object.
    #[error("something follows after the object: send one object")]
    Trailing,
    /// A text where a handle stands that is no JSON text.
    #[error("a handle is no text of JSON: send it as it was given")]
    Text,
    /// A text where a handle stands that is very long.
    #[error("a handle is longer than {LONGEST} bytes: send it as it was given")]
    LongText,
    /// Something else than texts where a handle stands in a request.
    #[error("a handle is neither a text nor an array of texts: send it as a text")]
    NotText,
    /// A key that leads to a handle, twice in a request.
    #[error("a key that leads to a handle is given twice: give it once")]
    DuplicateKey,
    /// Bytes of a request that are not UTF-8.
    #[error("it is not UTF-8: send UTF-8")]
    NotUtf8,
}

/// Why the rewriting stopped. Nothing more may be passed on of this body.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum RewriteError<E> {
    /// The body could not be followed.
    #[error("at byte {at}: {problem}")]
    Json {
        /// Where, from the body's first byte.
        at: u64,
        /// What.
        problem: Problem,
    },
    /// What was asked to replace a handle failed.
    #[error(transparent)]
    Handle(E),
}
