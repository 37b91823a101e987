//! Reading inside a compressed body without changing what is forwarded.

use flate2::{Decompress, FlushDecompress, Status};

/// Bytes inflated at a time; with the window of the format, all the memory that this takes.
const PIECE: usize = 16 * 1024;
/// A body may inflate to this many times its size. Honest NDJSON reaches about 30; the format allows about 1,000.
const RATIO: u64 = 100;
/// Below this many bytes inflated the ratio says nothing: small bodies of much white space are honest.
const ALWAYS: u64 = 1024 * 1024;

/// A content coding whose inside can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the zlib format (RFC 1950).
    Deflate,
}

impl Coding {
    /// The coding that a `Content-Encoding` names, if it is one alone and its inside can be read.
    pub fn named(value: &[u8]) -> Option<Self> {
        match value.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                Some(Self::Gzip)
            }
            name if name.eq_ignore_ascii_case(b"deflate") => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// Why a compressed body is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InflateError {
    /// Not of the format.
    #[error("the body is not of the content encoding that it claims")]
    Corrupt,
    /// It inflates to far more than it is.
    #[error("the body inflates to more than {RATIO} times its size; send it uncompressed")]
    Ratio,
    /// Something follows the end of the compressed data. Two readers could disagree on whether it counts.
    #[error("something follows the end of the compressed body; compress it as one member")]
    Trailing,
    /// The end is missing.
    #[error("the compressed body ends before its end")]
    Truncated,
}

impl InflateError {
    /// The stable reason code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Ratio => "body_inflates_too_much",
            Self::Corrupt | Self::Trailing | Self::Truncated => "body_encoding_broken",
        }
    }
}

/// Inflates a body piece by piece.
pub struct Inflater {
    state: Decompress,
    piece: Box<[u8]>,
    ended: bool,
}

impl Inflater {
    /// Begins a body.
    pub fn new(coding: Coding) -> Self {
        let state = match coding {
            Coding::Gzip => Decompress::new_gzip(15),
            Coding::Deflate => Decompress::new(true),
        };
        Self { state, piece: vec![0; PIECE].into_boxed_slice(), ended: false }
    }

    /// Hands every inflated piece of `bytes` to `read`.
    pub fn feed<E: From<InflateError>>(
        &mut self,
        mut bytes: &[u8],
        mut read: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.ended {
                return Err(InflateError::Trailing.into());
            }
            let (taken, made) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(bytes, &mut self.piece, FlushDecompress::None);
            let status = status.map_err(|_| InflateError::Corrupt)?;
            let taken = usize::try_from(self.state.total_in() - taken).unwrap_or(usize::MAX);
            let made = usize::try_from(self.state.total_out() - made).unwrap_or(usize::MAX);
            let (total_in, total_out) = (self.state.total_in(), self.state.total_out());
            if total_out > ALWAYS && total_out / RATIO > total_in {
                return Err(InflateError::Ratio.into());
            }
            read(self.piece.get(..made).unwrap_or_default())?;
            bytes = bytes.get(taken..).unwrap_or_default();
            match status {
                Status::StreamEnd => self.ended = true,
                // Neither bytes taken nor made: no progress is possible.
                Status::BufError if taken == 0 && made == 0 => return Err(InflateError::Corrupt.into()),
                Status::Ok | Status::BufError => {}
            }
        }
        // What fits no piece yet comes out with the input's end only if the piece was full.
        self.drain(read)
    }

    /// Takes out what is inflated already but did not fit.
    fn drain<E: From<InflateError>>(
        &mut self,
        mut read: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.ended {
            let before = self.state.total_out();
            let status = self.state.decompress(&[], &mut self.piece, FlushDecompress::None);
            let status = status.map_err(|_| InflateError::Corrupt)?;
            let made = usize::try_from(self.state.total_out() - before).unwrap_or(usize::MAX);
            self.ended = matches!(status, Status::StreamEnd);
            if made == 0 {
                break;
            }
            if self.state.total_out() > ALWAYS && self.state.total_out() / RATIO > self.state.total_in() {
                return Err(InflateError::Ratio.into());
            }
            read(self.piece.get(..made).unwrap_or_default())?;
        }
        Ok(())
    }

    /// The body has ended.
    pub fn finish(&self) -> Result<(), InflateError> {
        if self.ended { Ok(()) } else { Err(InflateError::Truncated) }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
    use std::io::Write as _;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(coding: Coding, bytes: &[u8], split: usize) -> Result<Vec<u8>, InflateError> {
        let (mut inflater, mut out) = (Inflater::new(coding), Vec::new());
        for part in bytes.chunks(split) {
            inflater.feed(part, |piece| {
                out.extend_from_slice(piece);
                Ok::<_, InflateError>(())
            })?;
        }
        inflater.finish()?;
        Ok(out)
    }

    #[test]
    fn any_split_gives_the_same_text() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| i.to_string().into_bytes()).collect();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(&text).unwrap();
        for (coding, bytes) in [(Coding::Gzip, gzip(&text)), (Coding::Deflate, zlib.finish().unwrap())] {
            for split in [1, 7, 4096, usize::MAX] {
                assert!(inflate(coding, &bytes, split).as_deref() == Ok(&text[..]), "{coding:?} by {split}");
            }
        }
    }

    #[test]
    fn bombs_and_broken_bodies_are_refused() {
        let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
        assert_eq!(inflate(Coding::Gzip, &bomb, 1024), Err(InflateError::Ratio));
        let good = gzip(b"{}");
        assert_eq!(inflate(Coding::Gzip, &good[..good.len() - 1], 8), Err(InflateError::Truncated));
        assert_eq!(inflate(Coding::Gzip, b"not gzip at all", 8), Err(InflateError::Corrupt));
        assert_eq!(inflate(Coding::Gzip, &[good.clone(), good].concat(), 8), Err(InflateError::Trailing));
    }
}
