use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncRead;

use super::Error;
use crate::{
    scratch,
    status::{Finder, HEAD_BYTES, Head},
};

/// The head of a response that is awaited.
#[derive(Debug)]
pub(super) struct Receiving {
    finder: Finder,
    /// What has come of a head that is not whole.
    seen: Vec<u8>,
    /// Bytes that heads may still have.
    left: usize,
    /// Something has come.
    begun: bool,
    /// The request is a `HEAD`.
    without_content: bool,
}

impl Receiving {
    /// The response to a request, a `HEAD` if `without_content`.
    pub(super) fn new(without_content: bool) -> Self {
        Self {
            finder: Finder::new(HEAD_BYTES),
            seen: Vec::new(),
            left: HEAD_BYTES,
            begun: false,
            without_content,
        }
    }

    /// Reads until the final head is there. With it comes what was read behind it.
    pub(super) fn poll<IO: AsyncRead + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Head, Bytes), Error>> {
        loop {
            let taken = ready!(scratch::poll_read(io, cx, |bytes| self.take(bytes))).map_err(Error::Io)?;
            if let Some(received) = taken? {
                return Poll::Ready(Ok(received));
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Option<(Head, Bytes)>, Error> {
        if bytes.is_empty() {
            return Err(if self.begun { Error::Truncated } else { Error::Closed });
        }
        self.begun = true;
        let (mut bytes, mut length) = if self.seen.is_empty() {
            let Some(length) = self.finder.advance(bytes)? else {
                self.seen.extend_from_slice(bytes);
                return Ok(None);
            };
            (Bytes::copy_from_slice(bytes), length)
        } else {
            self.seen.extend_from_slice(bytes);
            let Some(length) = self.finder.advance(&self.seen)? else {
                return Ok(None);
            };
            (Bytes::from(std::mem::take(&mut self.seen)), length)
        };
        loop {
            let head = self.finder.read(&bytes, self.without_content)?;
            let behind = bytes.split_off(length);
            if !head.status.is_informational() {
                return Ok(Some((head, behind)));
            }
            self.left = self.left.saturating_sub(length);
            self.finder = Finder::new(self.left);
            if behind.is_empty() {
                return Ok(None);
            }
            let Some(next) = self.finder.advance(&behind)? else {
                self.seen.extend_from_slice(&behind);
                return Ok(None);
            };
            (bytes, length) = (behind, next);
        }
    }
}
