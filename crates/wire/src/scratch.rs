//! Memory that a thread lends to whichever of its connections reads or writes just now, so that a connection at rest
//! holds none.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

/// As much as is read at a time where it is not known what comes.
pub(crate) const READ: usize = 16 * 1024;
/// A buffer for writing that has grown beyond this is not kept.
const KEPT: usize = 64 * 1024;

thread_local! {
    // Taken out while in use: whoever asks meanwhile gets memory of its own.
    static READING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads once, and gives what came to `take`. It is empty at the end of the stream.
pub(crate) fn poll_read<IO: AsyncRead + Unpin, T>(
    io: &mut IO,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    let mut room = READING.try_with(Cell::take).unwrap_or_default();
    if room.is_empty() {
        room = vec![0; READ];
    }
    let mut out = ReadBuf::new(&mut room);
    let taken = Pin::new(io).poll_read(cx, &mut out).map_ok(|()| take(out.filled()));
    let _ = READING.try_with(|kept| kept.set(room));
    taken
}

/// An empty buffer to write into. It should be given back.
pub(crate) fn lend() -> Vec<u8> {
    WRITING.try_with(Cell::take).unwrap_or_default()
}

/// Keeps a buffer for the next that needs one.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT {
        buffer.clear();
        let _ = WRITING.try_with(|kept| kept.set(buffer));
    }
}
