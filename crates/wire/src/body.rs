//! The body of a request, followed as it passes.

use crate::{Limits, Violation, field};

/// Sizes up to 2^63 - 1, which every program on the way can hold.
const MAX_DIGITS: u32 = 16;

/// Fields that may not stand in trailers: framing, routing, authentication, request modifiers, controls and content
/// format (RFC 9110 section 6.5.1).
const FORBIDDEN_TRAILERS: &[&str] = &[
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is left of a body.
#[derive(Debug)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
}

/// How much of some bytes belongs to the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Passed {
    pub(crate) count: usize,
    /// The body has ended. Otherwise all bytes belong to it.
    pub(crate) ended: bool,
}

impl Body {
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Passed, Violation> {
        match self {
            Self::Length(left) => {
                let count = take(left, bytes.len());
                Ok(Passed { count, ended: *left == 0 })
            }
            Self::Chunked(chunked) => chunked.advance(bytes),
        }
    }
}

/// As many of `available` bytes as are `left`, which then are fewer.
fn take(left: &mut u64, available: usize) -> usize {
    let count = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= count as u64;
    count
}

/// The place in a chunked body.
#[derive(Debug)]
pub(crate) struct Chunked {
    step: Step,
    /// Extension bytes still allowed, in this chunk and in all.
    extension_left: usize,
    extensions_left: usize,
    extension_limit: usize,
    trailer_left: usize,
    /// The trailer line that is arriving.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Size {
        size: u64,
        digits: u32,
    },
    /// White space after the size; only an extension may follow.
    Space {
        size: u64,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailers,
}

impl Step {
    const START: Self = Self::Size { size: 0, digits: 0 };
}

impl Chunked {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            step: Step::START,
            extension_left: limits.chunk_extension_bytes,
            extensions_left: limits.chunk_extensions_total,
            extension_limit: limits.chunk_extension_bytes,
            trailer_left: limits.trailer_bytes,
            line: Vec::new(),
        }
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Passed, Violation> {
        let mut at = 0;
        while at < bytes.len() {
            match &mut self.step {
                Step::Data { left } => {
                    at += take(left, bytes.len() - at);
                    if *left == 0 {
                        self.step = Step::DataCr;
                    }
                }
                Step::Trailers => {
                    let end = memchr::memchr(b'\n', &bytes[at..]);
                    let next = end.map_or(bytes.len(), |end| at + end + 1);
                    self.trailer_left =
                        self.trailer_left.checked_sub(next - at).ok_or(Violation::TrailersTooLarge)?;
                    self.line.extend_from_slice(&bytes[at..next]);
                    at = next;
                    if end.is_some() && self.trailer_line()? {
                        return Ok(Passed { count: at, ended: true });
                    }
                }
                _ => {
                    self.step = self.between(bytes[at])?;
                    at += 1;
                }
            }
        }
        Ok(Passed { count: at, ended: false })
    }

    /// One byte of what stands between the data of two chunks.
    fn between(&mut self, byte: u8) -> Result<Step, Violation> {
        match self.step {
            Step::Size { size, digits } if byte.is_ascii_hexdigit() => add_digit(size, byte)
                .filter(|_| digits < MAX_DIGITS)
                .map(|size| Step::Size { size, digits: digits + 1 })
                .ok_or(Violation::ChunkSizeOverflow),
            Step::Size { digits: 0, .. } => Err(Violation::InvalidChunkSize),
            Step::Size { size, .. } => match byte {
                b'\r' => Ok(Step::SizeEnd { size }),
                b'\n' => Err(Violation::BareLf),
                _ => self.after_size(size, byte),
            },
            Step::Space { size } => self.after_size(size, byte),
            Step::Extension { size } => match byte {
                b'\r' => Ok(Step::SizeEnd { size }),
                b'\n' => Err(Violation::BareLf),
                b'\t' | b' '..=b'~' => self.extension(Step::Extension { size }),
                _ => Err(Violation::InvalidChunkExtension),
            },
            Step::SizeEnd { size } if byte == b'\n' => {
                self.extension_left = self.extension_limit;
                Ok(if size == 0 { Step::Trailers } else { Step::Data { left: size } })
            }
            Step::SizeEnd { .. } => Err(Violation::BareCr),
            Step::DataCr if byte == b'\r' => Ok(Step::DataLf),
            Step::DataLf if byte == b'\n' => Ok(Step::START),
            Step::DataCr | Step::DataLf => Err(Violation::InvalidChunkEnd),
            step @ (Step::Data { .. } | Step::Trailers) => Ok(step),
        }
    }

    /// What may follow a size on its line besides the end.
    fn after_size(&mut self, size: u64, byte: u8) -> Result<Step, Violation> {
        match byte {
            b' ' | b'\t' => self.extension(Step::Space { size }),
            b';' => self.extension(Step::Extension { size }),
            _ => Err(Violation::InvalidChunkSize),
        }
    }

    /// Takes one byte of an extension into account.
    fn extension(&mut self, next: Step) -> Result<Step, Violation> {
        for left in [&mut self.extension_left, &mut self.extensions_left] {
            *left = left.checked_sub(1).ok_or(Violation::ChunkExtensionTooLong)?;
        }
        Ok(next)
    }

    /// Checks the line that has arrived. `true` if it is the empty one that ends the body.
    fn trailer_line(&mut self) -> Result<bool, Violation> {
        let line = field::without_cr(self.line.strip_suffix(b"\n").unwrap_or(&self.line))?;
        if line.is_empty() {
            return Ok(true);
        }
        let (name, _) = field::split(line)?;
        if FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes())) {
            return Err(Violation::ForbiddenTrailer);
        }
        self.line.clear();
        Ok(false)
    }
}

fn add_digit(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(digit)).filter(|size| i64::try_from(*size).is_ok())
}
