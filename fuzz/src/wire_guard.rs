//! The framing guard over any bytes. Panics when a promise is broken.

use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, ReadBuf};
use wire::{Guard, Limits, REFUSED_METHOD};

/// Yields each part in a read of its own, then the end.
struct Parts<'a>(VecDeque<&'a [u8]>);

impl AsyncRead for Parts<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(part) = self.0.pop_front() {
            let (now, later) = part.split_at(part.len().min(out.remaining()));
            out.put_slice(now);
            if !later.is_empty() {
                self.0.push_front(later);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How a stream ended behind the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Eof,
    Refused,
    Broken,
}

/// The first byte says where the stream is cut, and how much is read at a time.
pub fn run(bytes: &[u8]) {
    let [cut, stream @ ..] = bytes else { return };
    let (whole, end) = pass([stream], 64 * 1024);
    let cut = usize::from(*cut);
    let (first, second) = stream.split_at(cut % (stream.len() + 1));
    for (passed, other) in
        [pass([first, second], 64 * 1024), pass(stream.chunks(1), 64 * 1024), pass([stream], 1 + cut % 7)]
    {
        assert_eq!(end, other, "the pieces of a stream matter");
        // A body is passed as it comes, up to the read in which it breaks.
        let same = passed == whole || end == End::Broken && stream.starts_with(&own(&passed));
        assert!(same, "the pieces of a stream matter");
    }
    assert!(stream.starts_with(&own(&whole)), "something passed that was not sent");
}

/// What was passed without the request that stands in for a refused one.
fn own(passed: &[u8]) -> Vec<u8> {
    let mark = format!("{REFUSED_METHOD} /");
    let at = passed.windows(mark.len()).rposition(|window| window == mark.as_bytes());
    passed[..at.unwrap_or(passed.len())].to_vec()
}

fn pass<'a>(parts: impl IntoIterator<Item = &'a [u8]>, room: usize) -> (Vec<u8>, End) {
    let parts = Parts(parts.into_iter().filter(|part| !part.is_empty()).collect());
    let limits = Limits { head_timeout: None, head_bytes: 512, fields: 12, ..Limits::default() };
    let mut guard = Guard::new(parts, limits);
    let mut context = Context::from_waker(Waker::noop());
    let mut passed = Vec::new();
    loop {
        let mut space = vec![0; room];
        let mut out = ReadBuf::new(&mut space);
        match pin!(&mut guard).poll_read(&mut context, &mut out) {
            Poll::Ready(Ok(())) if out.filled().is_empty() => return (passed, End::Eof),
            Poll::Ready(Ok(())) => passed.extend_from_slice(out.filled()),
            Poll::Pending => return (passed, End::Refused),
            Poll::Ready(Err(_)) => return (passed, End::Broken),
        }
    }
}
