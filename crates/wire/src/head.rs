//! The head of a request, checked line by line as it arrives.

use std::ops::Range;

use crate::{Limits, REFUSED_METHOD, Violation, decode::Decoder, field};

/// The largest length that every program on the way can hold.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// What is known of a head. Offsets count from its first byte.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// Searched for line ends up to here.
    searched: usize,
    line_start: usize,
    empty_line: bool,
    version: Option<Version>,
    authority: Option<Range<usize>>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    fields: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Version {
    Http10,
    Http11,
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
            match (self.version, line.is_empty()) {
                (None, true) if self.empty_line => return Err(Violation::EmptyLines),
                (None, true) => self.empty_line = true,
                (None, false) => self.request_line(line, start)?,
                (Some(_), false) => self.field(line, start, limits)?,
                (Some(version), true) => {
                    return Ok(Progress::Complete { length: next, body: self.end(version, bytes, limits)? });
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
        match (self.version, bytes.get(self.line_start)) {
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
        self.version = Some(match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            other if other.starts_with(b"HTTP/") => return Err(Violation::UnsupportedVersion),
            _ => return Err(Violation::InvalidRequestLine),
        });
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
        self.authority = authority(target)?.map(|range| range.start + offset..range.end + offset);
        Ok(())
    }

    fn field(&mut self, line: &[u8], start: usize, limits: &Limits) -> Result<(), Violation> {
        self.fields += 1;
        if self.fields > limits.fields {
            return Err(Violation::TooManyFields);
        }
        let (name, value) = field::split(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            if self.host.is_some() {
                return Err(Violation::DuplicateHost);
            }
            if !is_authority(value) {
                return Err(Violation::InvalidHost);
            }
            // White space is left off at both ends, so the value is searched for where it can start.
            let after = name.len() + 1;
            let spaces = line[after..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let value_start = start + after + spaces;
            self.host = Some(value_start..value_start + value.len());
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(Violation::DuplicateLength);
            }
            self.length = Some(length(value).ok_or(Violation::InvalidLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::UnsupportedEncoding);
            }
            self.chunked = true;
        }
        Ok(())
    }

    fn end(&self, version: Version, bytes: &[u8], limits: &Limits) -> Result<Decoder, Violation> {
        let host = self.host.clone().map(|range| &bytes[range]);
        let authority = self.authority.clone().map(|range| &bytes[range]);
        match (version, host, authority) {
            (Version::Http11, None, _) => return Err(Violation::MissingHost),
            (_, Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(Violation::AuthorityMismatch);
            }
            _ => {}
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Violation::LengthAndEncoding),
            (true, None) if version == Version::Http10 => Err(Violation::EncodingInHttp10),
            (true, None) => Ok(Decoder::chunked(limits)),
            (false, length) => Ok(Decoder::length(length.unwrap_or(0))),
        }
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

fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |sum, byte| match byte {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        .filter(|length| *length <= MAX_LENGTH)
}
