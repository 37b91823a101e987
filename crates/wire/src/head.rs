//! The head of a request, checked line by line as it arrives, and read from what the check found.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use smallvec::SmallVec;

use crate::{Limits, REFUSED_METHOD, Violation, decode::Decoder, field};

/// More than most requests have.
const USUAL_FIELDS: usize = 24;

/// What is known of a head. Offsets count from its first byte.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// Searched for line ends up to here.
    searched: usize,
    line_start: usize,
    empty_line: bool,
    line: Option<RequestLine>,
    fields: SmallVec<[Field; USUAL_FIELDS]>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    asked: Asked,
}

#[derive(Debug)]
struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
    /// Of a target in absolute form.
    authority: Option<Range<usize>>,
    version: Version,
}

#[derive(Debug)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// What a client asks of the connection rather than of the resource.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a word that is there or not")]
pub(crate) struct Asked {
    /// `Connection: close`.
    pub(crate) close: bool,
    /// `Connection: keep-alive`.
    pub(crate) keep_alive: bool,
    /// `Expect: 100-continue`.
    pub(crate) go_ahead: bool,
    /// `TE: trailers`.
    pub(crate) trailers: bool,
}

/// How far a head has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Its end has not arrived.
    Partial,
    /// It is `length` bytes long and `body` follows.
    Complete { length: usize, body: Decoder },
}

impl Head {
    /// Goes on with a head of which `bytes` have arrived, counted from its first.
    pub(crate) fn advance(&mut self, bytes: &[u8], limits: &Limits) -> Result<Progress, Violation> {
        loop {
            self.first_byte(bytes)?;
            let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) else {
                break;
            };
            let end = self.searched + found;
            let next = end + 1;
            if next > limits.head_bytes {
                return Err(Violation::HeadTooLarge);
            }
            let start = std::mem::replace(&mut self.line_start, next);
            self.searched = next;
            let line = field::without_cr(&bytes[start..end])?;
            match (&self.line, line.is_empty()) {
                (None, true) if self.empty_line => return Err(Violation::EmptyLines),
                (None, true) => self.empty_line = true,
                (None, false) => self.request_line(line, start)?,
                (Some(_), false) => self.field(line, start, limits)?,
                (Some(line), true) => {
                    return Ok(Progress::Complete { length: next, body: self.end(line, bytes, limits)? });
                }
            }
        }
        self.searched = bytes.len();
        if bytes.len() >= limits.head_bytes {
            return Err(Violation::HeadTooLarge);
        }
        Ok(Progress::Partial)
    }

    /// Tells by its first byte what is no request at all, such as TLS on a listener without it.
    fn first_byte(&self, bytes: &[u8]) -> Result<(), Violation> {
        match (&self.line, bytes.get(self.line_start)) {
            (None, Some(b'\n')) => Err(Violation::BareLf),
            (None, Some(b' ')) => Err(Violation::InvalidRequestLine),
            (None, Some(b'\r')) => Ok(()),
            (None, Some(byte)) if byte.is_ascii_control() => Err(Violation::ControlCharacter),
            (None, Some(byte)) if !field::is_token_char(*byte) => Err(Violation::InvalidMethod),
            _ => Ok(()),
        }
    }

    fn request_line(&mut self, line: &[u8], start: usize) -> Result<(), Violation> {
        if line == b"PRI * HTTP/2.0" {
            return Err(Violation::Http2Preface);
        }
        if line.iter().any(u8::is_ascii_control) {
            return Err(Violation::ControlCharacter);
        }
        let mut parts = line.split(|byte| *byte == b' ');
        let method = parts.next().unwrap_or_default();
        let target = parts.next().ok_or(Violation::InvalidRequestLine)?;
        if method.is_empty() || target.is_empty() {
            return Err(Violation::InvalidRequestLine);
        }
        let version = parts.next().ok_or(Violation::Http09)?;
        if parts.next().is_some() {
            return Err(Violation::InvalidRequestLine);
        }
        let version = match version {
            b"HTTP/1.1" => Version::HTTP_11,
            b"HTTP/1.0" => Version::HTTP_10,
            other if other.starts_with(b"HTTP/") => return Err(Violation::UnsupportedVersion),
            _ => return Err(Violation::InvalidRequestLine),
        };
        if !method.iter().copied().all(field::is_token_char) {
            return Err(Violation::InvalidMethod);
        }
        if method == REFUSED_METHOD.as_bytes() {
            return Err(Violation::ReservedMethod);
        }
        if method == b"CONNECT" {
            return Err(Violation::Connect);
        }
        let offset = start + method.len() + 1;
        self.line = Some(RequestLine {
            method: start..start + method.len(),
            target: offset..offset + target.len(),
            authority: authority(target)?.map(|range| range.start + offset..range.end + offset),
            version,
        });
        Ok(())
    }

    fn field(&mut self, line: &[u8], start: usize, limits: &Limits) -> Result<(), Violation> {
        if self.fields.len() >= limits.fields {
            return Err(Violation::TooManyFields);
        }
        let (name, value) = field::split(line)?;
        // White space is left off at both ends, so the value is searched for where it can start.
        let after = name.len() + 1;
        let spaces = line[after..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let value_start = start + after + spaces;
        let found = Field { name: start..start + name.len(), value: value_start..value_start + value.len() };
        match name.len() {
            2 if name.eq_ignore_ascii_case(b"te") => {
                self.asked.trailers |= field::lists(value, b"trailers");
            }
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.is_some() {
                    return Err(Violation::DuplicateHost);
                }
                if !is_authority(value) {
                    return Err(Violation::InvalidHost);
                }
                self.host = Some(found.value.clone());
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.asked.go_ahead |= field::lists(value, b"100-continue");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.asked.close |= field::lists(value, b"close");
                self.asked.keep_alive |= field::lists(value, b"keep-alive");
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::DuplicateLength);
                }
                self.length = Some(field::length(value).ok_or(Violation::InvalidLength)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::UnsupportedEncoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        self.fields.push(found);
        Ok(())
    }

    fn end(&self, line: &RequestLine, bytes: &[u8], limits: &Limits) -> Result<Decoder, Violation> {
        let host = self.host.clone().map(|range| &bytes[range]);
        let authority = line.authority.clone().map(|range| &bytes[range]);
        match (line.version, host, authority) {
            (Version::HTTP_11, None, _) => return Err(Violation::MissingHost),
            (_, Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(Violation::AuthorityMismatch);
            }
            _ => {}
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Violation::LengthAndEncoding),
            (true, None) if line.version == Version::HTTP_10 => Err(Violation::EncodingInHttp10),
            (true, None) => Ok(Decoder::chunked(limits)),
            (false, length) => Ok(Decoder::length(length.unwrap_or(0))),
        }
    }

    /// The request of a head that is complete, and what is asked of its connection. Its values are slices of `bytes`, which
    /// are the whole head.
    ///
    /// A target that is no URI is refused although its framing is clear, as none can be judged that cannot be read.
    pub(crate) fn request(self, bytes: &Bytes) -> Result<(Request<()>, Asked), Violation> {
        let line = self.line.ok_or(Violation::InvalidRequestLine)?;
        let mut headers =
            HeaderMap::try_with_capacity(self.fields.len()).map_err(|_| Violation::TooManyFields)?;
        for Field { name, value } in self.fields {
            let name = HeaderName::from_bytes(&bytes[name]).map_err(|_| Violation::InvalidFieldName)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice(value))
                .map_err(|_| Violation::ControlCharacter)?;
            headers.try_append(name, value).map_err(|_| Violation::TooManyFields)?;
        }
        let mut request = Request::new(());
        *request.method_mut() =
            Method::from_bytes(&bytes[line.method]).map_err(|_| Violation::InvalidMethod)?;
        *request.uri_mut() =
            Uri::from_maybe_shared(bytes.slice(line.target)).map_err(|_| Violation::InvalidTarget)?;
        *request.version_mut() = line.version;
        *request.headers_mut() = headers;
        // HTTP/1.0 has no answer to it (RFC 9110 section 10.1.1).
        let go_ahead = self.asked.go_ahead && line.version != Version::HTTP_10;
        Ok((request, Asked { go_ahead, ..self.asked }))
    }
}

/// Checks a target and finds the authority of an absolute one.
fn authority(target: &[u8]) -> Result<Option<Range<usize>>, Violation> {
    if !target.is_ascii() {
        return Err(Violation::TargetNotAscii);
    }
    if memchr::memchr(b'#', target).is_some() {
        return Err(Violation::FragmentInTarget);
    }
    if target.starts_with(b"/") {
        return Ok(None);
    }
    if target == b"*" {
        return Err(Violation::AsteriskForm);
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let start = scheme.ok_or(Violation::InvalidTarget)?.len();
    let rest = &target[start..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    if !is_authority(&rest[..end]) {
        return Err(Violation::InvalidTarget);
    }
    Ok(Some(start..start + end))
}

/// `uri-host [ ":" port ]` of RFC 9110 section 7.2, not empty. User information is left out on purpose.
fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', ..] => match memchr::memchr(b']', text) {
            Some(end) => (&text[..=end], &text[end + 1..]),
            None => return false,
        },
        _ => text.split_at(memchr::memchr(b':', text).unwrap_or(text.len())),
    };
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let host_fits = match host {
        [] => false,
        [b'[', literal @ .., b']'] => {
            !literal.is_empty()
                && literal.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.'))
        }
        name => name.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'')
                || matches!(byte, b'(' | b')' | b'*' | b'+' | b';' | b'=')
        }),
    };
    host_fits && port_fits
}
