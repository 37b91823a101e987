use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Room for the heads that most requests have.
const USUAL: usize = 4 * 1024;

/// Bytes read and not yet passed on. Memory is taken with the first byte and kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// All of it initialised; the unread bytes are those of `start..end`.
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn unread(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            self.start = 0;
            self.end = 0;
            // A large head now and then must not hold its memory for the life of the connection.
            if self.data.len() > 4 * USUAL {
                self.data.truncate(USUAL);
                self.data.shrink_to_fit();
            }
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.data[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Reads once. `Ok(0)` at the end of the stream.
    pub(crate) fn poll_fill<IO: AsyncRead + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        self.make_room(1);
        let mut room = ReadBuf::new(&mut self.data[self.end..]);
        ready!(Pin::new(io).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    fn make_room(&mut self, count: usize) {
        if self.data.len() - self.end >= count {
            return;
        }
        self.data.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let needed = self.end + count;
        if needed > self.data.len() {
            self.data.resize(needed.max(self.data.len() * 2).max(USUAL), 0);
        }
    }
}
