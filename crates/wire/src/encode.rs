//! What is written: heads, chunks and trailers, of requests and responses.

use std::{
    cell::RefCell,
    fmt::Write as _,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;

use crate::{decode, scratch};

/// Data up to this size is copied: cheaper than a slice of its own in the write.
const COPIED: usize = 512;
/// Pieces of data that go into one write.
const PIECES: usize = 8;
/// So many bytes are enough for one write.
const ENOUGH: usize = 128 * 1024;

/// Bytes on their way out, in order. Large data is not copied; all that is there goes into one write.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Everything but large data. Lent by the thread until all is written.
    text: Vec<u8>,
    /// So many bytes of the text have been written.
    written: usize,
    /// Each with the place in the text that it stands before.
    data: SmallVec<[(usize, Bytes); 2]>,
}

impl Output {
    /// Whether all has been written.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.data.is_empty()
    }

    /// Whether a part of what is there has been written.
    pub(crate) fn is_begun(&self) -> bool {
        self.written > 0
    }

    /// Whether it should be written before more is added.
    pub(crate) fn is_full(&self) -> bool {
        let data: usize = self.data.iter().map(|(_, data)| data.len()).sum();
        self.data.len() >= PIECES || self.text.len() - self.written + data >= ENOUGH
    }

    /// Where heads are written.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        if self.text.capacity() == 0 {
            self.text = scratch::lend();
        }
        &mut self.text
    }

    /// Adds a part of a body without frame.
    pub(crate) fn data(&mut self, data: Bytes) {
        if data.len() <= COPIED {
            self.text().extend_from_slice(&data);
        } else {
            self.data.push((self.text.len(), data));
        }
    }

    /// Adds a chunk (RFC 9112 section 7.1). One without data is left out, since it would end the body.
    pub(crate) fn chunk(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        hexadecimal(self.text(), data.len());
        self.text.extend_from_slice(b"\r\n");
        self.data(data);
        self.text().extend_from_slice(b"\r\n");
    }

    /// Ends a chunked body, with those `trailers` that `announced` names.
    pub(crate) fn last_chunk(&mut self, trailers: Option<&HeaderMap>, announced: &[HeaderName]) {
        let text = self.text();
        text.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            if announced.contains(name) {
                field(text, name, value.as_bytes());
            }
        }
        text.extend_from_slice(b"\r\n");
    }

    /// Writes all that is there. It may still have to be flushed.
    pub(crate) fn poll_write<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let count = if self.data.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, &self.text[self.written..]))?
            } else {
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &self.slices()))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn slices(&self) -> SmallVec<[IoSlice<'_>; 2 * PIECES + 1]> {
        let mut slices = SmallVec::new();
        let mut at = self.written;
        for (place, data) in &self.data {
            slices.push(IoSlice::new(&self.text[at..*place]));
            slices.push(IoSlice::new(data));
            at = *place;
        }
        slices.push(IoSlice::new(&self.text[at..]));
        slices.retain(|slice: &mut IoSlice<'_>| !slice.is_empty());
        slices
    }

    fn advance(&mut self, mut count: usize) {
        while let Some((place, data)) = self.data.first_mut() {
            let text = count.min(*place - self.written);
            self.written += text;
            count -= text;
            let taken = count.min(data.len());
            data.advance(taken);
            count -= taken;
            if !data.is_empty() {
                return;
            }
            self.data.remove(0);
        }
        self.written += count;
        if self.written >= self.text.len() {
            scratch::give_back(std::mem::take(&mut self.text));
            self.written = 0;
        }
    }
}

/// Appends a request line (RFC 9112 section 3).
pub(crate) fn request_line(text: &mut Vec<u8>, method: &Method, target: &str) {
    text.extend_from_slice(method.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(target.as_bytes());
    text.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Appends a status line (RFC 9112 section 4), of HTTP/1.0 for a client of that version.
pub(crate) fn status_line(text: &mut Vec<u8>, version: Version, status: StatusCode) {
    text.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    text.extend_from_slice(status.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    text.extend_from_slice(b"\r\n");
}

/// Appends a field line (RFC 9112 section 5).
pub(crate) fn field(text: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    text.extend_from_slice(name.as_str().as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Appends `headers` without those that belong to this connection, which whoever writes the message decides.
pub(crate) fn fields(text: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        if !is_of_the_connection(name) {
            field(text, name, value.as_bytes());
        }
    }
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
        || *name == header::UPGRADE
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Appends `Content-Length`.
pub(crate) fn content_length(text: &mut Vec<u8>, length: u64) {
    text.extend_from_slice(b"content-length: ");
    decimal(text, length);
    text.extend_from_slice(b"\r\n");
}

/// Appends `Transfer-Encoding: chunked`.
pub(crate) fn transfer_encoding(text: &mut Vec<u8>) {
    text.extend_from_slice(b"transfer-encoding: chunked\r\n");
}

/// Appends `Date` with the present time (RFC 9110 section 6.6.1).
pub(crate) fn date(text: &mut Vec<u8>) {
    thread_local! {
        /// The second since 1970 and how it is written.
        static NOW: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(written, line)| {
        if *written != second || line.is_empty() {
            *written = second;
            line.clear();
            // Neither fails before the year 9999.
            let time =
                i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
            let _ = jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&time.unwrap_or_default())
                .map(|time| write!(line, "date: {time}\r\n"));
        }
        text.extend_from_slice(line.as_bytes());
    });
}

/// The trailers that a message with these headers may have: those that it announces (RFC 9110 section 6.6.2), without
/// any that could change what has been judged.
pub(crate) fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::TRAILER).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !decode::is_forbidden_trailer(name.as_str().as_bytes()))
        .collect()
}

fn hexadecimal(text: &mut Vec<u8>, number: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    text.extend((0..digits).rev().map(|digit| DIGITS[number >> (4 * digit) & 0xf]));
}

fn decimal(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // The remainder of ten is a digit.
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes at most so many bytes in each write.
    struct Narrow(usize, Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }
        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        }
        fn is_write_vectored(&self) -> bool {
            true
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn written(output: &mut Output, width: usize) -> Vec<u8> {
        let mut io = Narrow(width, Vec::new());
        let polled = output.poll_write(&mut io, &mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(()))) && output.is_empty());
        io.1
    }

    #[test]
    fn what_is_added_is_written_in_order_however_little_a_write_takes() {
        let large = vec![b'x'; COPIED + 1];
        for width in [1, 2, 3, 100, COPIED, 100_000] {
            let mut output = Output::default();
            request_line(output.text(), &Method::GET, "/a?b");
            for data in [&b"small"[..], &large, b"", &large, b"end"] {
                output.chunk(Bytes::copy_from_slice(data));
            }
            output.last_chunk(None, &[]);
            let large = format!("201\r\n{}\r\n", String::from_utf8_lossy(&large));
            let expected = format!("GET /a?b HTTP/1.1\r\n5\r\nsmall\r\n{large}{large}3\r\nend\r\n0\r\n\r\n");
            assert_eq!(String::from_utf8_lossy(&written(&mut output, width)), expected);
            output.data(Bytes::from_static(b"again"));
            assert_eq!(written(&mut output, width), b"again");
        }
    }

    #[test]
    fn it_is_full_of_many_bytes_and_of_many_pieces() {
        let mut output = Output::default();
        output.data(Bytes::from(vec![0; ENOUGH]));
        assert!(output.is_full());
        let mut output = Output::default();
        for _ in 0..PIECES {
            assert!(!output.is_full());
            output.data(Bytes::from(vec![0; COPIED + 1]));
        }
        assert!(output.is_full());
    }

    #[test]
    fn a_stream_that_takes_nothing_has_failed() {
        let mut output = Output::default();
        output.data(Bytes::from_static(b"data"));
        let polled = output.poll_write(&mut Narrow(0, Vec::new()), &mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero));
    }

    #[test]
    fn the_fields_of_a_connection_are_not_passed_on() {
        let mut headers = HeaderMap::new();
        for name in
            ["connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "x-a", "te"]
        {
            headers.append(name, "1".parse().unwrap());
        }
        let mut text = Vec::new();
        fields(&mut text, &headers);
        content_length(&mut text, 0);
        content_length(&mut text, u64::MAX);
        let expected = "x-a: 1\r\nte: 1\r\ncontent-length: 0\r\ncontent-length: 18446744073709551615\r\n";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn only_announced_trailers_that_change_nothing_are_sent() {
        let mut headers = HeaderMap::new();
        headers.append("trailer", "Digest, Authorization,, x-a".parse().unwrap());
        headers.append("trailer", "x-b".parse().unwrap());
        let announced = announced_trailers(&headers);
        assert_eq!(announced, ["digest", "x-a", "x-b"]);
        let mut trailers = HeaderMap::new();
        for name in ["digest", "authorization", "x-b", "x-c"] {
            trailers.append(name, "1".parse().unwrap());
        }
        let mut output = Output::default();
        output.last_chunk(Some(&trailers), &announced);
        assert_eq!(written(&mut output, 100), b"0\r\ndigest: 1\r\nx-b: 1\r\n\r\n");
    }

    #[test]
    fn a_status_line_has_a_space_behind_the_code_even_without_a_reason() {
        for (version, status, line) in [
            (Version::HTTP_11, 200, "HTTP/1.1 200 OK\r\n"),
            (Version::HTTP_10, 404, "HTTP/1.0 404 Not Found\r\n"),
            (Version::HTTP_11, 599, "HTTP/1.1 599 \r\n"),
        ] {
            let mut text = Vec::new();
            status_line(&mut text, version, StatusCode::from_u16(status).unwrap());
            assert_eq!(String::from_utf8_lossy(&text), line);
        }
    }

    #[test]
    fn sizes_are_hexadecimal() {
        for number in [1, 15, 16, 255, 256, 4096, 65_535, 1 << 40, usize::MAX] {
            let mut text = Vec::new();
            hexadecimal(&mut text, number);
            assert_eq!(String::from_utf8_lossy(&text), format!("{number:x}"));
        }
    }

    #[test]
    fn the_date_is_of_now() {
        let mut text = Vec::new();
        date(&mut text);
        date(&mut text);
        let text = String::from_utf8(text).unwrap();
        let (first, second) = text.split_once("\r\n").unwrap();
        let time = jiff::fmt::rfc2822::parse(first.strip_prefix("date: ").unwrap()).unwrap();
        assert!(jiff::Timestamp::now().duration_since(time.timestamp()).as_secs() < 60);
        assert!(second.starts_with("date: ") && second.ends_with(" GMT\r\n"), "{second}");
    }
}
