use std::{
    error::Error as StdError,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderName, Method, header, request::Parts};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::Error;
use crate::encode::{self, Output};

/// A request on its way out.
#[derive(Debug)]
pub(super) struct Sending<B> {
    output: Output,
    /// Until nothing more is wanted of it.
    body: Option<B>,
    framing: Framing,
    /// The body has been asked for a frame.
    touched: bool,
    written: bool,
}

/// How the body of a request is written.
#[derive(Debug)]
enum Framing {
    /// There is none.
    Empty,
    /// So many bytes are left.
    Length(u64),
    /// In chunks, with these trailers.
    Chunked(Vec<HeaderName>),
    /// The last of it is in the output.
    Ended,
}

impl<B> Sending<B> {
    /// A request with this body, of which nothing has been written.
    pub(super) fn new(body: B) -> Self {
        Self {
            output: Output::default(),
            body: Some(body),
            framing: Framing::Empty,
            touched: false,
            written: false,
        }
    }

    /// Whether any byte may have reached the server.
    pub(super) fn written(&self) -> bool {
        self.written
    }

    /// The body, if it has not been asked for anything.
    pub(super) fn untouched(self) -> Option<B> {
        self.body.filter(|_| !self.touched)
    }
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Puts the head in the output.
    pub(super) fn begin(&mut self, parts: &Parts) -> Result<(), Error> {
        let target = target(parts)?;
        self.framing = match &self.body {
            Some(body) if !body.is_end_stream() => match body.size_hint().exact() {
                Some(0) => Framing::Empty,
                Some(length) => Framing::Length(length),
                None => Framing::Chunked(encode::announced_trailers(&parts.headers)),
            },
            _ => Framing::Empty,
        };
        let text = self.output.text();
        encode::request_line(text, &parts.method, target);
        encode::fields(text, &parts.headers);
        match &self.framing {
            Framing::Length(length) => encode::content_length(text, *length),
            Framing::Chunked(_) => encode::transfer_encoding(text),
            Framing::Empty if expects_content(&parts.method) => encode::content_length(text, 0),
            Framing::Empty | Framing::Ended => {}
        }
        text.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Goes on as far as the body and the connection let it. Ready when all of the request has been sent.
    pub(super) fn poll<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            let filled = self.fill(cx)?;
            let polled = self.output.poll_write(io, cx);
            self.written |= polled.is_ready() || self.output.is_begun();
            ready!(polled).map_err(Error::Io)?;
            if filled.is_pending() || self.is_ended() {
                ready!(Pin::new(&mut *io).poll_flush(cx)).map_err(Error::Io)?;
                return filled.map(Ok);
            }
        }
    }

    fn is_ended(&self) -> bool {
        matches!(self.framing, Framing::Empty | Framing::Ended)
    }

    /// Puts what is there of the body into the output. Pending if the body has more that is not there yet.
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Error> {
        while !self.is_ended() && !self.output.is_full() {
            let Some(body) = &mut self.body else { break };
            self.touched = true;
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Some(Ok(frame))) => self.add(frame)?,
                Poll::Ready(Some(Err(error))) => return Err(Error::RequestBody(error.into())),
                Poll::Ready(None) => self.end(None)?,
            }
        }
        Ok(Poll::Ready(()))
    }

    fn add(&mut self, frame: Frame<Bytes>) -> Result<(), Error> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                return frame.into_trailers().map_or(Ok(()), |trailers| self.end(Some(&trailers)));
            }
        };
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(Error::RequestLength)?;
                self.output.data(data);
            }
            Framing::Chunked(_) => self.output.chunk(data),
            Framing::Empty | Framing::Ended => {}
        }
        let complete = matches!(self.framing, Framing::Length(0));
        if complete || self.body.as_ref().is_some_and(Body::is_end_stream) { self.end(None) } else { Ok(()) }
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), Error> {
        match std::mem::replace(&mut self.framing, Framing::Ended) {
            Framing::Length(1..) => return Err(Error::RequestLength),
            Framing::Chunked(announced) => self.output.last_chunk(trailers, &announced),
            Framing::Length(0) | Framing::Empty | Framing::Ended => {}
        }
        self.body = None;
        Ok(())
    }
}

/// Whether a request without content says so, as its method gives it a meaning (RFC 9110 section 8.6).
fn expects_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// The target in origin-form, where the head of the request can be written as it is meant.
fn target(parts: &Parts) -> Result<&str, Error> {
    if parts.method == Method::CONNECT {
        return Err(Error::Request("CONNECT asks for a tunnel"));
    }
    let mut hosts = parts.headers.get_all(header::HOST).into_iter();
    if hosts.next().is_none() || hosts.next().is_some() {
        return Err(Error::Request("it needs exactly one Host"));
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    // What ends a line or a target in it would be read as something else.
    if target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(target)
    } else {
        Err(Error::Request("its target is not a path of visible ASCII"))
    }
}
