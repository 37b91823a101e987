//! How a response is written.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Version, header};
use http_body::{Body, Frame};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{encode, encode::Output, field, head::Asked, server::reading::Reading};

/// Why a connection broke off while a request was answered. It cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client ended the connection before it had its answer.
    #[error("the client left before it had its answer")]
    ClientLeft,
    /// The connection failed.
    #[error("the client's connection failed")]
    Io(#[from] std::io::Error),
    /// The body of the response broke off, so the client gets no end of it.
    #[error("the response's body broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body of the response is not as long as was announced.
    #[error("the response's body is not as long as its Content-Length")]
    Length,
    /// There is no request to answer.
    #[error("there is no request to answer; ask for the next one first")]
    NoRequest,
}

/// What is known of a request when it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) version: Version,
    /// It asks for the head only.
    pub(super) head: bool,
    pub(super) asked: Asked,
}

impl Request {
    pub(super) fn new(request: &http::Request<()>, asked: Asked) -> Self {
        Self { version: request.version(), head: *request.method() == Method::HEAD, asked }
    }

    /// What stands in for a request that could not be read.
    pub(super) fn refused() -> Self {
        Self { version: Version::HTTP_11, head: false, asked: Asked::default() }
    }

    /// Whether the client expects to send another request on the connection (RFC 9112 section 9.3).
    pub(super) fn persists(self) -> bool {
        !self.asked.close && (self.version == Version::HTTP_11 || self.asked.keep_alive)
    }
}

/// How the end of a body is told (RFC 9112 section 6).
#[derive(Debug)]
enum Framing {
    /// There is none.
    Nothing,
    /// By its length, of which so much is left.
    Length(u64),
    /// By its last chunk, with those of its trailers that are named.
    Chunked(Vec<HeaderName>),
    /// By the end of the connection.
    Close,
}

/// A response on its way out.
#[derive(Debug)]
pub(super) struct Answer<B> {
    output: Output,
    /// Dropped as soon as it has ended: whoever made it then knows.
    body: Option<B>,
    framing: Framing,
    /// No request follows.
    pub(super) close: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Answer<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Puts the head into the output, behind `before`. `close` if no other request can follow.
    pub(super) fn new(before: &[u8], response: Response<B>, request: Request, close: bool) -> Self {
        let (parts, body) = response.into_parts();
        let bodiless = request.head
            || parts.status.is_informational()
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = length(&body, parts.status, &parts.headers, bodiless, request.head);
        let framing = match length {
            _ if bodiless => Framing::Nothing,
            Some(length) => Framing::Length(length),
            None if request.version == Version::HTTP_10 => Framing::Close,
            None if request.asked.trailers => Framing::Chunked(encode::announced_trailers(&parts.headers)),
            None => Framing::Chunked(Vec::new()),
        };
        let close = close
            || matches!(framing, Framing::Close)
            || parts.status.is_informational()
            || parts
                .headers
                .get_all(header::CONNECTION)
                .iter()
                .any(|value| field::lists(value.as_bytes(), b"close"));
        let mut output = Output::default();
        let text = output.text();
        text.extend_from_slice(before);
        encode::status_line(text, request.version, parts.status);
        encode::fields(text, &parts.headers);
        if let Some(length) = length {
            encode::content_length(text, length);
        } else if matches!(framing, Framing::Chunked(_)) {
            encode::transfer_encoding(text);
        }
        if close {
            encode::field(text, &header::CONNECTION, b"close");
        } else if request.version == Version::HTTP_10 {
            encode::field(text, &header::CONNECTION, b"keep-alive");
        }
        if !parts.headers.contains_key(header::DATE) {
            encode::date(text);
        }
        text.extend_from_slice(b"\r\n");
        Self { output, body: if bodiless { None } else { Some(body) }, framing, close }
    }

    /// Takes in what the body has to give now. Ready when there is enough to write, or all.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.output.is_full() {
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(()));
            };
            if body.is_end_stream() {
                self.end(None)?;
                continue;
            }
            match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => self.frame(frame)?,
                Some(Err(error)) => {
                    self.body = None;
                    return Poll::Ready(Err(Error::Body(error.into())));
                }
                None => self.end(None)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn frame(&mut self, frame: Frame<Bytes>) -> Result<(), Error> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok().as_ref()),
        };
        match &mut self.framing {
            Framing::Nothing => {}
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Error::Length)?;
                self.output.data(data);
            }
            Framing::Chunked(_) => self.output.chunk(data),
            Framing::Close => self.output.data(data),
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), Error> {
        self.body = None;
        match &self.framing {
            Framing::Length(0) | Framing::Nothing | Framing::Close => Ok(()),
            Framing::Length(_) => Err(Error::Length),
            Framing::Chunked(announced) => {
                self.output.last_chunk(trailers, announced);
                Ok(())
            }
        }
    }

    /// Writes on. Ready when all is out.
    pub(super) fn poll<IO: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        connection: &std::sync::Mutex<Reading<IO>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            let filled = self.poll_fill(cx);
            let mut connection = super::lock(connection);
            let written = self.output.poll_write(&mut connection.io, cx)?;
            // What came before it broke off may still go out; no more is waited for.
            let filled = filled?;
            if written.is_pending() {
                return connection.poll_left(cx).map(Err);
            }
            if filled.is_ready() && self.body.is_some() {
                continue;
            }
            ready!(Pin::new(&mut connection.io).poll_flush(cx))?;
            if filled.is_ready() {
                return Poll::Ready(Ok(()));
            }
            return connection.poll_left(cx).map(Err);
        }
    }
}

/// The length that a response announces.
///
/// A response without a body may tell that of the one which another request would get; any other says how many bytes
/// follow.
fn length<B: Body>(
    body: &B,
    status: StatusCode,
    headers: &HeaderMap,
    bodiless: bool,
    head: bool,
) -> Option<u64> {
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return None;
    }
    let exact = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    let own = || {
        let value = headers.get(header::CONTENT_LENGTH)?;
        field::length(value.as_bytes())
    };
    if bodiless { own().or(exact.filter(|length| head && *length > 0)) } else { exact.or_else(own) }
}
