use std::{error::Error as StdError, io};

use http::Request;

use crate::{Violation, status::Malformed};

/// Why an exchange with a server broke off. Its connection is closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] io::Error),
    /// The server closed the connection before any byte of a response.
    #[error("the server closed the connection before it answered")]
    Closed,
    /// The server closed the connection in the middle of a response.
    #[error("the server closed the connection in the middle of its answer")]
    Truncated,
    /// The server sent something before the request: what it answers is unknown.
    #[error("the server sent something before it was asked")]
    Unasked,
    /// The head of the response has not one reading.
    #[error("the head of the server's answer is refused")]
    Head(#[from] Malformed),
    /// The framing of the response's body has not one reading.
    #[error("the body of the server's answer is refused")]
    Body(#[from] Violation),
    /// The request's body failed.
    #[error("the body of the request broke off")]
    RequestBody(#[source] Box<dyn StdError + Send + Sync>),
    /// The request's body has more or fewer bytes than it announced.
    #[error("the body of the request has another length than announced")]
    RequestLength,
    /// The head of the request cannot be written.
    #[error("the request cannot be sent: {0}")]
    Request(&'static str),
}

impl Error {
    /// Whether the request is at fault, and not the server or the connection to it.
    pub fn is_of_the_request(&self) -> bool {
        matches!(self, Self::RequestBody(_) | Self::RequestLength | Self::Request(_))
    }
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct SendError<B> {
    /// The request as it was, if nothing of its body has been asked for.
    pub request: Option<Box<Request<B>>>,
    /// Whether any byte of it may have reached the server.
    pub written: bool,
    /// What happened.
    pub source: Error,
}
