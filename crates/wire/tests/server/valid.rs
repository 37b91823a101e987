//! Valid requests are read as they were sent, however they arrive.

use http::HeaderValue;
use proptest::prelude::*;
use wire::Violation;

use crate::script::{End, Passed, limits, pass, pass_parts};

/// Requests with their target, their body, and whether another may follow.
const VALID: &[(&str, &str, &str)] = &[
    ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "/", ""),
    ("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", "/", ""),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", ""),
    ("GET /logs-*/_search?q=a%20b;c&d=e HTTP/1.1\r\nhost: a\r\n\r\n", "/logs-*/_search?q=a%20b;c&d=e", ""),
    ("GET /a?b=c HTTP/1.1\r\nHOST:\t[2001:db8::1]:9200 \r\nx:\r\ny: \u{e9}\r\n\r\n", "/a?b=c", ""),
    (
        "GET http://Example.org:9200/x HTTP/1.1\r\nhost: example.ORG:9200\r\n\r\n",
        "http://Example.org:9200/x",
        "",
    ),
    ("get-x!#$%&'*+-.^_`|~ / HTTP/1.1\r\nhost: a\r\n\r\n", "/", ""),
    ("GET /{logs-now}|\" HTTP/1.1\r\nhost: a\r\n\r\n", "/{logs-now}|\"", ""),
    ("POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello", "/_bulk", "hello"),
    ("POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 0005\r\n\r\nGET /", "/_bulk", "GET /"),
    ("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:  CHUNKED \r\n\r\n0\r\n\r\n", "/", ""),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n00a\r\n0\r\n\r\n0\r\n\r\n\r\n000\r\n\r\n",
        "/",
        "hello0\r\n\r\n0\r\n\r\n",
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
         5 ;a=b\r\nhello\r\n1;c=\"d e\"\r\nx\r\n0;last\r\ndigest: x\r\nx-checksum: 1\r\n\r\n",
        "/",
        "hellox",
    ),
];

fn reads_as_sent(passed: &Passed, sent: &[(&str, &str, &str)]) {
    assert_eq!(passed.requests.len(), sent.len());
    for (read, (request, target, body)) in passed.requests.iter().zip(sent) {
        let method = request.trim_start().split(' ').next().unwrap();
        assert_eq!((read.method.as_str(), read.target.as_str()), (method, *target), "{request:?}");
        assert_eq!((String::from_utf8_lossy(&read.body).as_ref(), read.whole), (*body, true), "{request:?}");
    }
}

#[test]
fn reads_what_was_sent() {
    for valid in VALID {
        let passed = pass(valid.0.as_bytes());
        assert_eq!(passed.end, End::Eof, "{valid:?}");
        reads_as_sent(&passed, &[*valid]);
    }
    let pipeline: String = VALID.iter().map(|valid| valid.0).collect();
    let passed = pass(pipeline.as_bytes());
    assert_eq!(passed.end, End::Eof);
    reads_as_sent(&passed, VALID);
    let trailers = passed.requests.last().unwrap().trailers.as_ref().unwrap();
    assert_eq!(
        (&trailers["digest"], &trailers["x-checksum"], trailers.len()),
        (&"x".parse().unwrap(), &"1".parse().unwrap(), 2)
    );
}

#[test]
fn fields_keep_their_order_and_lose_the_white_space_around_their_values() {
    let passed = pass(b"GET / HTTP/1.1\r\nHost: a\r\nX-A:\t one \t\r\nx-b:\r\nX-a: \xe9two words\r\n\r\n");
    let headers = &passed.requests[0].headers;
    let values: Vec<_> = headers.get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(values, [&b"one"[..], b"\xe9two words"]);
    assert_eq!(
        (&headers["x-b"], &headers["host"], headers.len()),
        (&"".parse().unwrap(), &"a".parse().unwrap(), 4)
    );
}

#[test]
fn what_a_connection_is_asked_for_decides_whether_a_request_can_follow() {
    for (head, end) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n", End::Eof),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n", End::Close),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, x, close\r\n", End::Close),
        ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nconnection: keep-alive\r\n", End::Close),
        ("GET / HTTP/1.0\r\n", End::Close),
        ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n", End::Eof),
        ("GET / HTTP/1.0\r\nconnection: keep-alive, close\r\n", End::Close),
    ] {
        assert_eq!(pass(format!("{head}\r\n").as_bytes()).end, end, "{head:?}");
    }
}

#[test]
fn a_target_that_is_no_uri_is_refused() {
    for target in ["/<logs>", "/a\\b^`", &format!("/{}", "a".repeat(65_500))] {
        let passed = pass(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        let refused = (passed.end, passed.requests.len()) == (End::Refused(Violation::InvalidTarget), 0);
        // Whatever the URI's own reader takes is read as it was sent.
        assert!(refused || passed.requests[0].target == target, "{target}: {:?}", passed.end);
    }
    let passed = pass(b"GET /<logs> HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(passed.end, End::Refused(Violation::InvalidTarget));
}

#[test]
fn passes_at_the_limits() {
    let limits = limits();
    let start = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
    let fill = "y".repeat(limits.head_bytes - start.len() - 4);
    let longest = format!("{start}{fill}\r\n\r\n");
    let widest = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(limits.fields - 1));
    for (request, fields) in [(longest, 2), (widest, limits.fields)] {
        let passed = pass(request.as_bytes());
        assert_eq!((passed.end, passed.requests[0].headers.len()), (End::Eof, fields));
    }
}

#[test]
fn a_head_that_breaks_off_is_never_passed() {
    let request = "POST /_bulk HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n";
    for length in 0..request.len() {
        let passed = pass(&request.as_bytes()[..length]);
        assert_eq!((passed.end, passed.requests.len()), (End::Eof, 0), "{length}");
    }
}

#[test]
fn a_body_that_breaks_off_is_never_whole() {
    for head in ["content-length: 23\r\n\r\n", "transfer-encoding: chunked\r\n\r\n"] {
        let head = format!("POST /_bulk HTTP/1.1\r\nhost: a\r\n{head}");
        let request = format!("{head}5\r\nhello\r\n3\r\nend\r\n0\r\n\r\n");
        for length in head.len()..request.len() {
            let passed = pass(&request.as_bytes()[..length]);
            assert_eq!((passed.end, passed.requests[0].whole), (End::Eof, false), "{length}");
        }
        assert!(pass(request.as_bytes()).requests[0].whole);
    }
}

/// Some bytes: requests as they should be or nearly, one after the other.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(VALID).prop_map(|valid| valid.0.to_owned()),
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
        // Two cuts at the same place make an empty part, for which the reader has to wait.
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
    ) {
        let mut whole = pass(&bytes);
        let bytewise = bytes.iter().flat_map(|byte| [vec![], vec![*byte]]).collect();
        for parts in [split_at(&bytes, cuts), bytewise] {
            let mut split = pass_parts(parts, limits());
            // How much of a body that breaks off has passed before depends on what had arrived.
            for passed in [&mut split, &mut whole] {
                for read in passed.requests.iter_mut().filter(|read| !read.whole) {
                    read.body.clear();
                }
            }
            prop_assert_eq!(&split, &whole);
        }
    }
}
