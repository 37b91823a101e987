//! HTTP/2 as bytes (RFC 9113), so that a case can send what no client library would.

use e2e::{Client, RawConnection};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One request on stream 1.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Empty frames that the head goes on with.
    pub(crate) continuations: usize,
}

impl Request {
    /// The bytes of a connection that asks just this.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        let alone = self.body.is_empty() && self.trailers.is_empty();
        self.head(&mut bytes, if alone { END_STREAM } else { 0 });
        if !self.body.is_empty() {
            frame(&mut bytes, DATA, if self.trailers.is_empty() { END_STREAM } else { 0 }, 1, &self.body);
        }
        if !self.trailers.is_empty() {
            frame(&mut bytes, HEADERS, END_STREAM | END_HEADERS, 1, &block(&self.trailers));
        }
        bytes
    }

    fn head(&self, bytes: &mut Vec<u8>, flags: u8) {
        let ends_at = |at: usize| if at == self.continuations { END_HEADERS } else { 0 };
        frame(bytes, HEADERS, flags | ends_at(0), 1, &block(&self.fields));
        for at in 1..=self.continuations {
            frame(bytes, CONTINUATION, ends_at(at), 1, &[]);
        }
    }
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap();
    assert!(length <= 16_384, "a frame of the default size");
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

/// Fields as literals that are not indexed (RFC 7541, section 6.2.2), without Huffman's code.
fn block(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend(text);
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn integer(block: &mut Vec<u8>, value: usize) {
    let Some(mut rest) = value.checked_sub(127) else {
        return block.push(u8::try_from(value).unwrap());
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

/// Sends the bytes and reads until stream 1 has ended; the statuses of the answers.
pub(crate) async fn ask(client: &Client, bytes: &[u8]) -> Vec<u16> {
    let mut connection = RawConnection::open(client).await;
    connection.send(bytes).await;
    let (mut received, mut statuses) = (Vec::new(), Vec::new());
    loop {
        let piece = connection.read_some().await;
        if piece.is_empty() {
            return statuses;
        }
        received.extend(piece);
        while let Some((kind, flags, stream, payload)) = next(&mut received) {
            if kind == HEADERS && stream == 1 {
                statuses.extend(status(&payload));
            }
            let ended = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
            if kind == GOAWAY || stream == 1 && (ended || kind == RESET) {
                return statuses;
            }
        }
    }
}

/// Takes the first frame off, if it is whole.
fn next(received: &mut Vec<u8>) -> Option<(u8, u8, u32, Vec<u8>)> {
    let [a, b, c, kind, flags, stream @ ..] = *received.first_chunk::<9>()?;
    let end = 9 + usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
    let payload = received.get(9..end)?.to_vec();
    received.drain(..end);
    Some((kind, flags, u32::from_be_bytes(stream), payload))
}

/// The status, which comes first (RFC 9113, section 8.3): a whole entry of the static table (RFC 7541, appendix A),
/// or a text under the name of its entry 8.
fn status(block: &[u8]) -> Option<u16> {
    // The size of the table may be told before.
    let block = &block[block.iter().position(|byte| byte >> 5 != 1)?..];
    let indexed = [200, 204, 206, 304, 400, 404, 500];
    match *block {
        [byte @ 0x88..=0x8e, ..] => indexed.get(usize::from(byte - 0x88)).copied(),
        [0x08 | 0x18 | 0x48, length, ref text @ ..] => {
            let text = text.get(..usize::from(length & 127))?;
            let digits = if length & 128 == 0 { text.to_vec() } else { huffman_digits(text) };
            std::str::from_utf8(&digits).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Digits in Huffman's code (RFC 7541, appendix B): 0 to 2 in five bits, 3 to 9 in six.
fn huffman_digits(text: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let (mut digits, mut rest) = (Vec::new(), &bits[..]);
    while rest.len() >= 5 && digits.len() < 3 {
        let (digit, length) = match number(&rest[..5]) {
            short @ 0..=2 => (short, 5),
            _ => (number(&rest[..rest.len().min(6)]).wrapping_sub(0x19).wrapping_add(3), 6),
        };
        digits.push(b'0'.wrapping_add(digit));
        rest = &rest[length.min(rest.len())..];
    }
    digits
}
