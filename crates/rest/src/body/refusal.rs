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
        }
    }

    pub(crate) fn json(at: usize, problem: JsonProblem) -> Self {
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
    pub(crate) fn moved(mut self, by: u64) -> Self {
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
            | Self::Line { at, .. } => Some(at),
        }
    }
}
