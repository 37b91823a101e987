//! Where a body begins and ends, and what of its bytes is data (RFC 9112 sections 6 and 7), for requests and responses.

use http::{HeaderMap, HeaderName, HeaderValue};

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

/// Whether a field of this name may not stand in trailers.
pub(crate) fn is_forbidden_trailer(name: &[u8]) -> bool {
    FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes()))
}

/// The place in a body that is arriving.
#[derive(Debug)]
pub(crate) struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What some bytes of a body are, in this order. What is behind them belongs to the body only if it has not `ended`, and
/// then the bytes were not enough to tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Piece {
    /// Framing.
    pub(crate) before: usize,
    /// Data.
    pub(crate) data: usize,
    /// Framing behind the data, up to the next data or the end.
    pub(crate) after: usize,
    /// Nothing more belongs to the body.
    pub(crate) ended: bool,
}

impl Piece {
    /// All bytes that the piece accounts for.
    pub(crate) fn len(&self) -> usize {
        self.before + self.data + self.after
    }
}

impl Decoder {
    /// A body of known length.
    pub(crate) fn length(length: u64) -> Self {
        Self(Kind::Length(length))
    }

    /// A body in chunks, perhaps with trailers.
    pub(crate) fn chunked(limits: &Limits) -> Self {
        Self(Kind::Chunked(Chunked::new(limits)))
    }

    /// A body that only the end of the connection ends, as a response may have.
    pub(crate) fn until_close() -> Self {
        Self(Kind::UntilClose)
    }

    /// Goes on with `bytes`, which follow those accounted for. Call it again for the rest until it has ended or the rest
    /// is empty.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Piece, Violation> {
        match &mut self.0 {
            Kind::Length(left) => {
                let data = take(left, bytes.len());
                Ok(Piece { data, ended: *left == 0, ..Piece::default() })
            }
            Kind::Chunked(chunked) => chunked.next(bytes),
            Kind::UntilClose => Ok(Piece { data: bytes.len(), ..Piece::default() }),
        }
    }

    /// Whether nothing more belongs to the body.
    pub(crate) fn is_ended(&self) -> bool {
        match &self.0 {
            Kind::Length(left) => *left == 0,
            Kind::Chunked(chunked) => matches!(chunked.step, Step::End),
            Kind::UntilClose => false,
        }
    }

    /// Whether the end of the connection is the end of the body, here and now.
    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self.0, Kind::UntilClose) || self.is_ended()
    }

    /// The data to come in all, where the framing tells.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Kind::Length(left) => Some(*left),
            Kind::Chunked(chunked) => matches!(chunked.step, Step::End).then_some(0),
            Kind::UntilClose => None,
        }
    }

    /// How many of the bytes that come next are data and nothing else.
    pub(crate) fn data_ahead(&self) -> u64 {
        match &self.0 {
            Kind::Length(left) | Kind::Chunked(Chunked { step: Step::Data { left }, .. }) => *left,
            Kind::Chunked(_) => 0,
            Kind::UntilClose => u64::MAX,
        }
    }

    /// The trailers of a body that has ended, if it had any. Once.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        match &mut self.0 {
            Kind::Chunked(chunked) if matches!(chunked.step, Step::End) => {
                Some(std::mem::take(&mut chunked.trailers)).filter(|trailers| !trailers.is_empty())
            }
            _ => None,
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
struct Chunked {
    step: Step,
    /// Extension bytes still allowed, in this chunk and in all.
    extension_left: usize,
    extensions_left: usize,
    extension_limit: usize,
    trailer_left: usize,
    /// The trailer line that is arriving.
    line: Vec<u8>,
    trailers: HeaderMap,
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
    /// Never with nothing left.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailers,
    End,
}

impl Step {
    const START: Self = Self::Size { size: 0, digits: 0 };
}

impl Chunked {
    fn new(limits: &Limits) -> Self {
        Self {
            step: Step::START,
            extension_left: limits.chunk_extension_bytes,
            extensions_left: limits.chunk_extensions_total,
            extension_limit: limits.chunk_extension_bytes,
            trailer_left: limits.trailer_bytes,
            line: Vec::new(),
            trailers: HeaderMap::new(),
        }
    }

    fn next(&mut self, bytes: &[u8]) -> Result<Piece, Violation> {
        let before = self.framing(bytes)?;
        let mut data = 0;
        if let Step::Data { left } = &mut self.step {
            data = take(left, bytes.len() - before);
            if *left == 0 {
                self.step = Step::DataCr;
            }
        }
        let after = self.framing(&bytes[before + data..])?;
        Ok(Piece { before, data, after, ended: matches!(self.step, Step::End) })
    }

    /// Goes on up to data or the end, and returns how far that was.
    fn framing(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let mut at = 0;
        while at < bytes.len() {
            match self.step {
                Step::Data { .. } | Step::End => break,
                Step::Trailers => {
                    let end = memchr::memchr(b'\n', &bytes[at..]);
                    let next = end.map_or(bytes.len(), |end| at + end + 1);
                    self.trailer_left =
                        self.trailer_left.checked_sub(next - at).ok_or(Violation::TrailersTooLarge)?;
                    self.line.extend_from_slice(&bytes[at..next]);
                    at = next;
                    if end.is_some() {
                        self.trailer_line()?;
                    }
                }
                _ => {
                    self.step = self.between(bytes[at])?;
                    at += 1;
                }
            }
        }
        Ok(at)
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
            step @ (Step::Data { .. } | Step::Trailers | Step::End) => Ok(step),
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

    /// Takes in the line that has arrived. The empty one ends the body.
    fn trailer_line(&mut self) -> Result<(), Violation> {
        let line = field::without_cr(self.line.strip_suffix(b"\n").unwrap_or(&self.line))?;
        if line.is_empty() {
            self.step = Step::End;
            self.line = Vec::new();
            return Ok(());
        }
        let (name, value) = field::split(line)?;
        if is_forbidden_trailer(name) {
            return Err(Violation::ForbiddenTrailer);
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Violation::InvalidFieldName)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Violation::ControlCharacter)?;
        self.trailers.try_append(name, value).map_err(|_| Violation::TrailersTooLarge)?;
        self.line.clear();
        Ok(())
    }
}

fn add_digit(size: u64, digit: u8) -> Option<u64> {
    let digit = char::from(digit).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(digit)).filter(|size| i64::try_from(*size).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Piece};
    use crate::Limits;

    const CHUNKED: &[u8] = b"5;x\r\nhello\r\n1\r\n!\r\n0\r\ndigest: a\r\nDigest: b\r\n\r\nGET";

    #[test]
    fn tells_framing_from_data_as_far_as_the_bytes_go() {
        let mut decoder = Decoder::chunked(&Limits::default());
        let first = decoder.next(CHUNKED).unwrap();
        assert_eq!(first, Piece { before: 5, data: 5, after: 5, ended: false });
        assert_eq!((decoder.data_ahead(), decoder.remaining()), (1, None));
        let last = decoder.next(&CHUNKED[first.len()..]).unwrap();
        assert_eq!(last, Piece { before: 0, data: 1, after: 29, ended: true });
        assert!(decoder.is_ended() && decoder.ends_with_connection());
        let trailers = decoder.take_trailers().unwrap();
        assert_eq!(trailers.get_all("digest").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(decoder.take_trailers(), None);
        assert_eq!(decoder.next(b"GET").unwrap(), Piece { ended: true, ..Piece::default() });
    }

    #[test]
    fn the_data_does_not_depend_on_how_the_bytes_arrive() {
        for step in 1..CHUNKED.len() {
            let mut decoder = Decoder::chunked(&Limits::default());
            let (mut data, mut at) = (Vec::new(), 0);
            while !decoder.is_ended() {
                let bytes = &CHUNKED[at..CHUNKED.len().min(at + step)];
                let piece = decoder.next(bytes).unwrap();
                assert!(piece.len() > 0, "it goes on");
                data.extend_from_slice(&bytes[piece.before..piece.before + piece.data]);
                at += piece.len();
            }
            assert_eq!((&data[..], &CHUNKED[at..]), (&b"hello!"[..], &b"GET"[..]), "{step}");
        }
    }

    #[test]
    fn a_length_is_counted_and_the_end_of_the_connection_waited_for() {
        let mut decoder = Decoder::length(5);
        assert_eq!(decoder.next(b"hel").unwrap(), Piece { data: 3, ..Piece::default() });
        assert!(!decoder.ends_with_connection());
        assert_eq!((decoder.remaining(), decoder.data_ahead()), (Some(2), 2));
        assert_eq!(decoder.next(b"loGET").unwrap(), Piece { data: 2, ended: true, ..Piece::default() });
        assert!(Decoder::length(0).is_ended());

        let mut decoder = Decoder::until_close();
        assert_eq!(decoder.next(b"hello").unwrap(), Piece { data: 5, ..Piece::default() });
        assert!(decoder.ends_with_connection() && !decoder.is_ended() && decoder.remaining().is_none());
    }
}
