//! The body of a request, followed as it passes.

use crate::{Violation, decode::Decoder};

/// How much of some bytes belongs to the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Passed {
    pub(crate) count: usize,
    /// The body has ended. Otherwise all bytes belong to it.
    pub(crate) ended: bool,
}

pub(crate) fn advance(body: &mut Decoder, bytes: &[u8]) -> Result<Passed, Violation> {
    let mut count = 0;
    loop {
        let piece = body.next(&bytes[count..])?;
        count += piece.len();
        if piece.ended || count == bytes.len() {
            return Ok(Passed { count, ended: piece.ended });
        }
    }
}
