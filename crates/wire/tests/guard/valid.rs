//! Valid requests pass byte for byte, however they arrive.

use proptest::prelude::*;

use crate::script::{End, limits, pass, pass_parts};

const VALID: &[&str] = &[
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET /logs-*/_search?q=a%20b;c&d=e HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /a?b=c HTTP/1.1\r\nHOST:\t[2001:db8::1]:9200 \r\nx:\r\ny: \u{e9}\r\n\r\n",
    "GET http://Example.org:9200/x HTTP/1.1\r\nhost: example.ORG:9200\r\n\r\n",
    "get-x!#$%&'*+-.^_`|~ / HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /<logs-{now/d}>|\"\\^` HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 0005\r\n\r\nGET /",
    "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:  CHUNKED \r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n00a\r\n0\r\n\r\n0\r\n\r\n\r\n000\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
     5 ;a=b\r\nhello\r\n1;c=\"d e\"\r\nx\r\n0;last\r\ndigest: x\r\nx-checksum: 1\r\n\r\n",
];

fn valid() -> impl Iterator<Item = &'static str> {
    VALID.iter().copied()
}

#[test]
fn passes_byte_for_byte() {
    for request in valid() {
        let passed = pass(request.as_bytes());
        assert_eq!(passed.bytes.escape_ascii().to_string(), request.as_bytes().escape_ascii().to_string());
        assert_eq!((passed.end, passed.requests), (End::Eof, 1), "{request:?}");
    }
    let pipeline: String = valid().collect();
    let passed = pass(pipeline.as_bytes());
    assert_eq!((passed.end, passed.requests), (End::Eof, valid().count() as u64));
    assert_eq!(passed.bytes, pipeline.as_bytes());
}

#[test]
fn passes_at_the_limits() {
    let limits = limits();
    let start = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
    let fill = "y".repeat(limits.head_bytes - start.len() - 4);
    let longest = format!("{start}{fill}\r\n\r\n");
    let widest = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(limits.fields - 1));
    for request in [longest, widest] {
        let passed = pass(request.as_bytes());
        assert_eq!((passed.end, passed.bytes.len()), (End::Eof, request.len()));
    }
}

#[test]
fn a_head_that_breaks_off_is_never_passed() {
    let request = "POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n";
    for length in 0..request.len() {
        let passed = pass(&request.as_bytes()[..length]);
        assert_eq!((passed.end, passed.bytes.len()), (End::Eof, 0), "{length}");
    }
}

/// Some bytes: requests as they should be or nearly, one after the other.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(valid().map(str::to_owned).collect::<Vec<_>>()),
        1 => "[ -~\r\n\t]{0,12}",
    ];
    proptest::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat().into_bytes())
}

fn split_at(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<Vec<u8>> {
    for cut in &mut cuts {
        *cut %= bytes.len() + 1;
    }
    cuts.sort_unstable();
    let mut parts = Vec::new();
    let mut start = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        parts.push(bytes[start..cut].to_vec());
        start = cut;
    }
    parts
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_how_the_bytes_arrive(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        room in 1_usize..64,
    ) {
        let whole = pass(&bytes);
        for parts in [split_at(&bytes, cuts), bytes.iter().map(|byte| vec![*byte]).collect()] {
            let split = pass_parts(parts, room, limits());
            prop_assert_eq!(split.end, whole.end);
            prop_assert_eq!(split.requests, whole.requests);
            // How much of a body that breaks off has passed before depends on what had arrived.
            if !matches!(whole.end, End::Broken(_)) {
                prop_assert_eq!(&split.bytes, &whole.bytes);
            }
            prop_assert!(bytes.starts_with(&split.bytes), "only what was sent, in its order");
        }
    }
}
