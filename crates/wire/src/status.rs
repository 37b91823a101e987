//! The head of a response: found line by line as it arrives, then read once (RFC 9112 sections 4 to 6).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use smallvec::SmallVec;

use crate::{Violation, field};

/// The longest heads of one answer together, interim ones included, in bytes.
pub(crate) const HEAD_BYTES: usize = 256 * 1024;
/// The most fields of one head.
const FIELDS: usize = 1000;

/// How every status line begins.
const PROTOCOL: &[u8] = b"HTTP/1.";

/// A way in which the head of a response is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// It begins otherwise than with `HTTP/1.0` or `HTTP/1.1`, a code from 100 to 599, and a reason of text, if any.
    #[error("the status line is malformed")]
    StatusLine,
    /// 101 to a request that asked for no upgrade.
    #[error("the server switched protocols without being asked")]
    SwitchedProtocols,
    /// An interim response announces content, which none has: another reader would take what follows for it.
    #[error("an interim answer announces content")]
    InterimContent,
    /// It breaks a rule that holds for requests, too.
    #[error("{0}")]
    Syntax(#[from] Violation),
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// Whether the connection can be used again when the response has ended.
    pub(crate) keep: bool,
}

/// What of a response follows its head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// Finds a head and where its fields are. Offsets count from its first byte.
#[derive(Debug)]
pub(crate) struct Finder {
    limit: usize,
    /// Searched for line ends up to here.
    searched: usize,
    line_start: usize,
    status: Option<(Version, StatusCode)>,
    fields: SmallVec<[Field; 24]>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: (u32, u32),
    value: (u32, u32),
}

impl Finder {
    /// For a head of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, searched: 0, line_start: 0, status: None, fields: SmallVec::new() }
    }

    /// Goes on with a head of which `bytes` have arrived, counted from its first. Its length once it is whole.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if self.status.is_none() && !bytes.iter().zip(PROTOCOL).all(|(byte, expected)| byte == expected) {
            return Err(Malformed::StatusLine);
        }
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + found;
            let next = end + 1;
            if next > self.limit {
                return Err(Violation::HeadTooLarge.into());
            }
            let start = std::mem::replace(&mut self.line_start, next);
            self.searched = next;
            let line = bytes[start..end].strip_suffix(b"\r").ok_or(Violation::BareLf)?;
            match self.status {
                None => self.status = Some(status_line(line)?),
                Some(_) if line.is_empty() => return Ok(Some(next)),
                Some(_) => self.field(line, start)?,
            }
        }
        self.searched = bytes.len();
        if bytes.len() >= self.limit {
            return Err(Violation::HeadTooLarge.into());
        }
        Ok(None)
    }

    fn field(&mut self, line: &[u8], start: usize) -> Result<(), Violation> {
        if self.fields.len() == FIELDS {
            return Err(Violation::TooManyFields);
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(Violation::ObsFold);
        }
        let colon = memchr::memchr(b':', line).ok_or(Violation::InvalidFieldName)?;
        let value = &line[colon + 1..];
        let before = value.iter().take_while(|byte| is_blank(**byte)).count();
        let after = value[before..].iter().rev().take_while(|byte| is_blank(**byte)).count();
        // Within the limit, which is far below the range.
        let place = |at: usize| u32::try_from(start + at).map_err(|_| Violation::HeadTooLarge);
        self.fields.push(Field {
            name: (place(0)?, place(colon)?),
            value: (place(colon + 1 + before)?, place(line.len() - after)?),
        });
        Ok(())
    }

    /// Reads the head that [`Finder::advance`] has found whole at the start of `bytes`; it answers a `HEAD` request
    /// if `without_content`.
    pub(crate) fn read(&self, bytes: &Bytes, without_content: bool) -> Result<Head, Malformed> {
        let (version, status) = self.status.ok_or(Malformed::StatusLine)?;
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        let mut meaning = Meaning::default();
        for Field { name, value } in &self.fields {
            let name = &bytes[name.0 as usize..name.1 as usize];
            // Both check each byte: the name's for those of a token, the value's for control characters.
            let name = HeaderName::from_bytes(name).map_err(|_| wrong_name(name))?;
            let value = HeaderValue::from_maybe_shared(bytes.slice(value.0 as usize..value.1 as usize))
                .map_err(|_| Violation::ControlCharacter)?;
            meaning.hear(&name, value.as_bytes())?;
            if name == header::CONTENT_LENGTH {
                headers.insert(name, value);
            } else {
                headers.try_append(name, value).map_err(|_| Violation::TooManyFields)?;
            }
        }
        let (framing, keep) = meaning.framing(version, status, without_content)?;
        Ok(Head { status, version, headers, framing, keep })
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Why a name is none.
fn wrong_name(name: &[u8]) -> Violation {
    match name.last() {
        Some(b' ' | b'\t') => Violation::SpaceBeforeColon,
        _ if name.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') => Violation::ControlCharacter,
        _ => Violation::InvalidFieldName,
    }
}

fn status_line(line: &[u8]) -> Result<(Version, StatusCode), Malformed> {
    let (version, rest) = match line.strip_prefix(PROTOCOL) {
        Some([b'1', b' ', rest @ ..]) => (Version::HTTP_11, rest),
        Some([b'0', b' ', rest @ ..]) => (Version::HTTP_10, rest),
        _ => return Err(Malformed::StatusLine),
    };
    let (code, reason) = rest.split_at_checked(3).ok_or(Malformed::StatusLine)?;
    let status = StatusCode::from_bytes(code).map_err(|_| Malformed::StatusLine)?;
    let is_text = |reason: &[u8]| reason.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t');
    match reason {
        [] => {}
        [b' ', reason @ ..] if is_text(reason) => {}
        _ => return Err(Malformed::StatusLine),
    }
    if status.as_u16() > 599 { Err(Malformed::StatusLine) } else { Ok((version, status)) }
}

/// What the fields say about the message itself.
#[derive(Debug, Default)]
struct Meaning {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Meaning {
    fn hear(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Violation> {
        if *name == header::CONTENT_LENGTH {
            let length = field::length(value).ok_or(Violation::InvalidLength)?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(Violation::DuplicateLength);
            }
        } else if *name == header::TRANSFER_ENCODING {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::UnsupportedEncoding);
            }
            self.chunked = true;
        } else if *name == header::CONNECTION {
            self.close |= field::lists(value, b"close");
            self.keep_alive |= field::lists(value, b"keep-alive");
        }
        Ok(())
    }

    /// What follows (RFC 9112 section 6.3), and whether the connection lives on after it (section 9.3).
    fn framing(
        &self,
        version: Version,
        status: StatusCode,
        without_content: bool,
    ) -> Result<(Framing, bool), Malformed> {
        if self.chunked && self.length.is_some() {
            return Err(Violation::LengthAndEncoding.into());
        }
        if self.chunked && version == Version::HTTP_10 {
            return Err(Violation::EncodingInHttp10.into());
        }
        let announced = self.chunked || self.length.is_some_and(|length| length > 0);
        let keep = !self.close && (self.keep_alive || version == Version::HTTP_11);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            Err(Malformed::SwitchedProtocols)
        } else if status.is_informational() {
            if announced { Err(Malformed::InterimContent) } else { Ok((Framing::Length(0), keep)) }
        } else if status == StatusCode::NO_CONTENT {
            // What it announces may come nevertheless.
            Ok((Framing::Length(0), keep && !announced))
        } else if without_content || status == StatusCode::NOT_MODIFIED {
            Ok((Framing::Length(0), keep))
        } else if self.chunked {
            Ok((Framing::Chunked, keep))
        } else if let Some(length) = self.length {
            Ok((Framing::Length(length), keep))
        } else {
            Ok((Framing::UntilClose, false))
        }
    }
}
