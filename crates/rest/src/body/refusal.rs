use thiserror::Error;

use crate::ExpressionProblem;
use crate::json::JsonProblem;

/// Why a body is not judged at all. `Display` says where (`at` counts bytes from the start of the body, before
/// any compression), what is wrong and the cure.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BodyRefusal {
    /// A media type whose bodies are not read.
    #[error(
        "the body's media type {found:?} is not read by this proxy: send application/json or \
         application/x-ndjson in a Content-Type header"
    )]
    MediaType {
        /// What the request says, shortened; empty when it says nothing.
        found: Box<str>,
    },
    /// Not the JSON that every parser reads in the same way.
    #[error("the body is refused at byte {at}: {problem}")]
    Json {
        /// Where.
        at: u64,
        /// What is wrong.
        problem: JsonProblem,
    },
    /// JSON inside of a text or of base64.
    #[error("the query inside of the text that ends at byte {at} is refused: {problem}")]
    Inner {
        /// Where.
        at: u64,
        /// What is wrong.
        problem: JsonProblem,
    },
    /// The index expression is not one.
    #[error("the index expression {element:?} at byte {at} of the body is refused: {problem}")]
    Expression {
        /// Where.
        at: u64,
        /// What is wrong with it.
        problem: ExpressionProblem,
        /// The element of the list, shortened.
        element: Box<str>,
    },
    /// Neither the body nor the path names the index.
    #[error("no index is named at byte {at} of the body, and the path names none: name one")]
    Unnamed {
        /// Where.
        at: u64,
    },
    /// A line of an NDJSON body.
    #[error("line {line} of the body (up to byte {at}) is refused: {problem}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// Where.
        at: u64,
        /// What is wrong.
        problem: LineProblem,
    },
    /// A saved object of Dashboards without a type, or with one that is no text.
    #[error("the saved object that ends at byte {at} has no type: give each one \"type\", a text")]
    Untyped {
        /// Where.
        at: u64,
    },
    /// A form that carries a file (RFC 7578).
    #[error("the form is refused at byte {at}: {problem}")]
    Multipart {
        /// Where.
        at: u64,
        /// What is wrong.
        problem: MultipartProblem,
    },
}

/// Why a form is refused. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum MultipartProblem {
    /// The media type names no boundary, or one that RFC 2046 does not allow.
    #[error(
        "its media type must be multipart/form-data with one boundary of letters, digits and '()+_,-./:=?"
    )]
    Boundary,
    /// Something stands where a boundary must.
    #[error("a line is not the boundary that is due there: send nothing before the first and after the last")]
    Due,
    /// The end came before the closing boundary.
    #[error("it ends before its closing boundary does: send all of it")]
    Incomplete,
    /// The headers of a part cannot be read in one way only.
    #[error(
        "the headers of a part are not understood: send Content-Disposition: form-data; name=\"…\"; filename=\"…\" \
         and at most a Content-Type, in plain ASCII"
    )]
    Headers,
    /// A part that the route does not have, or one that is there twice.
    #[error("a part is unknown or there twice: send one file, and what else the route takes once")]
    Part,
    /// The file is missing.
    #[error("there is no part named \"file\" with a filename: send one")]
    NoFile,
}

/// Why a line of an NDJSON body is refused. Each says what and the cure.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LineProblem {
    /// The last line has no line feed; the engine would refuse it.
    #[error("it does not end with a line feed: end the last line with one, too")]
    Unterminated,
    /// A line that says what the next one is for is very long.
    #[error("it is too long for an action or header line: shorten it")]
    Long,
    /// A blank line before the first header; versions of the engine could count lines differently then.
    #[error("it is blank, and comes before the first header: remove it")]
    Blank,
    /// An action line that is not one.
    #[error(
        "it is not an action line: write one of index, create, update, delete with an object, as in {{\"index\":{{…}}}}"
    )]
    Action,
}

impl BodyRefusal {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MediaType { .. } => 415,
            _ => 400,
        }
    }

    /// A stable label for metrics, audit records and clients.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MediaType { .. } => "body_media_type",
            Self::Json { .. } => "body_not_canonical",
            Self::Inner { .. } => "body_inner_query",
            Self::Expression { .. } => "body_index_expression",
            Self::Unnamed { .. } => "body_names_no_index",
            Self::Line { .. } => "body_line",
            Self::Untyped { .. } => "body_untyped",
            Self::Multipart { .. } => "body_multipart",
        }
    }

    /// JSON that is not canonical, `at` bytes into the piece at hand.
    pub fn json(at: usize, problem: JsonProblem) -> Self {
        Self::Json { at: at as u64, problem }
    }

    /// The same, at the start of whatever it stands in.
    pub(crate) fn at_start(mut self) -> Self {
        if let Some(at) = self.position() {
            *at = 0;
        }
        self
    }

    /// Moves a position that counts from somewhere inside of the body.
    #[must_use]
    pub fn moved(mut self, by: u64) -> Self {
        if let Some(at) = self.position() {
            *at += by;
        }
        self
    }

    fn position(&mut self) -> Option<&mut u64> {
        match self {
            Self::MediaType { .. } => None,
            Self::Json { at, .. }
            | Self::Inner { at, .. }
            | Self::Expression { at, .. }
            | Self::Unnamed { at }
            | Self::Untyped { at }
            | Self::Line { at, .. }
            | Self::Multipart { at, .. } => Some(at),
        }
    }
}
