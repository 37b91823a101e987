//! Every way of breaking the framing that the server knows.

use std::collections::HashSet;

use wire::{Limits, Violation};

use crate::{
    script::{End, pass},
    served::{over_memory, over_tcp},
};

/// Heads that are refused. The attack's payload, where there is one, is a request for `/smuggled`.
const HEADS: &[(&str, Violation)] = &[
    // Line ends
    ("GET / HTTP/1.1\nhost: a\n\n", Violation::BareLf),
    ("GET / HTTP/1.1\r\nhost: a\n\r\n", Violation::BareLf),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: y\n\r\n\r\n", Violation::BareLf),
    ("GET / HTTP/1.1\r\nhost: a\r\n\n", Violation::BareLf),
    ("\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::BareLf),
    ("GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n", Violation::BareCr),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: y\rcontent-length: 5\r\n\r\n", Violation::BareCr),
    ("GET / HTTP/1.1\r\r\nhost: a\r\n\r\n", Violation::BareCr),
    ("GET / HTTP/1.1\r\nhost: a\r\n\r\r\n\r\n", Violation::BareCr),
    ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::EmptyLines),
    // Control characters
    ("GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n", Violation::ControlCharacter),
    ("GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::ControlCharacter),
    ("GET /\x7f HTTP/1.1\r\nhost: a\r\n\r\n", Violation::ControlCharacter),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", Violation::ControlCharacter),
    ("GET / HTTP/1.1\r\nhost: a\r\nx\0: b\r\n\r\n", Violation::ControlCharacter),
    ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\x0bchunked\r\n\r\n", Violation::ControlCharacter),
    ("\x16\x03\x01\x02\0\x01\0", Violation::ControlCharacter),
    // Request line
    ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidRequestLine),
    (" GET / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidRequestLine),
    ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n", Violation::InvalidRequestLine),
    ("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidRequestLine),
    ("GET / http/1.1\r\nhost: a\r\n\r\n", Violation::InvalidRequestLine),
    ("GET\r\n\r\n", Violation::InvalidRequestLine),
    ("G(T / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidMethod),
    ("(GET / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidMethod),
    ("G\u{e9}T / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidMethod),
    ("WIRE-REFUSED /bare_lf HTTP/1.1\r\nhost: a\r\n\r\n", Violation::ReservedMethod),
    ("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", Violation::Connect),
    ("GET /\r\n", Violation::Http09),
    ("GET /\r\n\r\n", Violation::Http09),
    ("GET / HTTP/0.9\r\nhost: a\r\n\r\n", Violation::UnsupportedVersion),
    ("GET / HTTP/1.2\r\nhost: a\r\n\r\n", Violation::UnsupportedVersion),
    ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", Violation::UnsupportedVersion),
    ("GET / HTTP/1.10\r\nhost: a\r\n\r\n", Violation::UnsupportedVersion),
    ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Violation::Http2Preface),
    // Target
    ("GET /open#/_search HTTP/1.1\r\nhost: a\r\n\r\n", Violation::FragmentInTarget),
    ("GET http://a/#b HTTP/1.1\r\nhost: a\r\n\r\n", Violation::FragmentInTarget),
    ("GET /l\u{f6}gs/_search HTTP/1.1\r\nhost: a\r\n\r\n", Violation::TargetNotAscii),
    ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", Violation::AsteriskForm),
    ("GET * HTTP/1.1\r\nhost: a\r\n\r\n", Violation::AsteriskForm),
    ("GET logs/_search HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET http:///x HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET http://a\\b/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET http://a:123456/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidTarget),
    ("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::AuthorityMismatch),
    ("GET https://a:9200/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::AuthorityMismatch),
    // Host
    ("GET / HTTP/1.1\r\nx: y\r\n\r\n", Violation::MissingHost),
    ("GET http://a/ HTTP/1.1\r\nx: y\r\n\r\n", Violation::MissingHost),
    ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", Violation::DuplicateHost),
    ("GET / HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n", Violation::DuplicateHost),
    ("GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", Violation::DuplicateHost),
    ("GET / HTTP/1.1\r\nhost:\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: a,b\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: a:b\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: :80\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: [::1\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: [::1]x\r\n\r\n", Violation::InvalidHost),
    ("GET / HTTP/1.1\r\nhost: b\u{fc}cher\r\n\r\n", Violation::InvalidHost),
    // Fields
    ("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n folded\r\n\r\n", Violation::ObsFold),
    ("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\tfolded\r\n\r\n", Violation::ObsFold),
    ("GET / HTTP/1.1\r\n host: a\r\n\r\n", Violation::ObsFold),
    ("GET / HTTP/1.1\r\nhost: a\r\n \r\n\r\n", Violation::ObsFold),
    ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \r\n chunked\r\n\r\n", Violation::UnsupportedEncoding),
    ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length : 5\r\n\r\nhello", Violation::SpaceBeforeColon),
    ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding\t: chunked\r\n\r\n", Violation::SpaceBeforeColon),
    ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", Violation::InvalidFieldName),
    ("GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n", Violation::InvalidFieldName),
    ("GET / HTTP/1.1\r\nhost: a\r\n\"x\": y\r\n\r\n", Violation::InvalidFieldName),
    // Lengths
    (
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
         5c\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n0\r\n\r\n",
        Violation::LengthAndEncoding,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
        Violation::LengthAndEncoding,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        Violation::DuplicateLength,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nContent-Length: 5\r\n\r\nhello",
        Violation::DuplicateLength,
    ),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x5\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5 0\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\nhello", Violation::InvalidLength),
    ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9223372036854775808\r\n\r\n", Violation::InvalidLength),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551621\r\n\r\nhello",
        Violation::InvalidLength,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        Violation::UnsupportedEncoding,
    ),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n",
        Violation::UnsupportedEncoding,
    ),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n", Violation::UnsupportedEncoding),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n", Violation::UnsupportedEncoding),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n", Violation::UnsupportedEncoding),
    ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n", Violation::UnsupportedEncoding),
    (
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        Violation::UnsupportedEncoding,
    ),
    (
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        Violation::EncodingInHttp10,
    ),
];

/// Chunked bodies that are refused.
const BODIES: &[(&str, Violation)] = &[
    ("x\r\n", Violation::InvalidChunkSize),
    ("\r\n", Violation::InvalidChunkSize),
    (" 5\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    ("+5\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    ("-5\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    ("0x5\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    ("5 \r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    ("5_0\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkSize),
    (";ext\r\n\r\n", Violation::InvalidChunkSize),
    ("ffffffffffffffff\r\n", Violation::ChunkSizeOverflow),
    ("8000000000000000\r\n", Violation::ChunkSizeOverflow),
    ("10000000000000005\r\nhello\r\n0\r\n\r\n", Violation::ChunkSizeOverflow),
    ("00000000000000005\r\nhello\r\n0\r\n\r\n", Violation::ChunkSizeOverflow),
    ("5\nhello\r\n0\r\n\r\n", Violation::BareLf),
    ("5;ext\nhello\r\n0\r\n\r\n", Violation::BareLf),
    ("5\rhello\r\n0\r\n\r\n", Violation::BareCr),
    ("5;a\rb\r\nhello\r\n0\r\n\r\n", Violation::BareCr),
    ("5;a\0\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkExtension),
    ("5;a=\u{e9}\r\nhello\r\n0\r\n\r\n", Violation::InvalidChunkExtension),
    ("5\r\nhello\n0\r\n\r\n", Violation::InvalidChunkEnd),
    ("5\r\nhello!\r\n0\r\n\r\n", Violation::InvalidChunkEnd),
    ("5\r\nhello0\r\n\r\n", Violation::InvalidChunkEnd),
    ("5\r\nhello\r0\r\n\r\n", Violation::InvalidChunkEnd),
    ("0\r\nx: y\n\r\n", Violation::BareLf),
    ("0\r\n\n", Violation::BareLf),
    ("0\r\nx: a\rb\r\n\r\n", Violation::BareCr),
    ("0\r\nx: y\r\n z\r\n\r\n", Violation::ObsFold),
    ("0\r\nx : y\r\n\r\n", Violation::SpaceBeforeColon),
    ("0\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n", Violation::InvalidFieldName),
    ("0\r\nx: \0\r\n\r\n", Violation::ControlCharacter),
    ("0\r\nContent-Length: 5\r\n\r\n", Violation::ForbiddenTrailer),
    ("0\r\ntransfer-encoding: chunked\r\n\r\n", Violation::ForbiddenTrailer),
    ("0\r\nhost: b\r\n\r\n", Violation::ForbiddenTrailer),
    ("0\r\nx: y\r\nAuthorization: Bearer x\r\n\r\n", Violation::ForbiddenTrailer),
];

/// A request that hides behind every attack.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

fn chunked(body: &str) -> String {
    format!("POST /victim HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}")
}

/// Attacks that are about size, too long to write out.
fn sizes() -> Vec<(String, Violation)> {
    let limits = Limits::default();
    let head = |fields: String| format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    vec![
        (head(format!("x: {}\r\n", "y".repeat(limits.head_bytes))), Violation::HeadTooLarge),
        (format!("GET /{}", "y".repeat(limits.head_bytes)), Violation::HeadTooLarge),
        (head("x: y\r\n".repeat(limits.fields)), Violation::TooManyFields),
    ]
}

fn oversized_bodies() -> Vec<(String, Violation)> {
    let limits = Limits::default();
    let extension = |length: usize| format!("1;{}\r\nx\r\n", "e".repeat(length - 1));
    let longest = extension(limits.chunk_extension_bytes);
    let several = limits.chunk_extensions_total / limits.chunk_extension_bytes;
    vec![
        (extension(limits.chunk_extension_bytes + 1), Violation::ChunkExtensionTooLong),
        (longest.repeat(several + 1), Violation::ChunkExtensionTooLong),
        (format!("1{}", " ".repeat(limits.chunk_extension_bytes + 1)), Violation::ChunkExtensionTooLong),
        (format!("0\r\nx: {}", "y".repeat(limits.trailer_bytes)), Violation::TrailersTooLarge),
        (format!("0\r\n{}", "x: y\r\n".repeat(limits.trailer_bytes / 5)), Violation::TrailersTooLarge),
    ]
}

fn heads() -> impl Iterator<Item = (String, Violation)> {
    HEADS.iter().map(|(attack, violation)| ((*attack).to_owned(), *violation)).chain(sizes())
}

fn bodies() -> impl Iterator<Item = (String, Violation)> {
    BODIES.iter().map(|(attack, violation)| ((*attack).to_owned(), *violation)).chain(oversized_bodies())
}

#[test]
fn a_bad_head_is_refused_and_nothing_follows_it() {
    for (attack, violation) in heads() {
        let passed = pass(format!("{attack}{SMUGGLED}").as_bytes());
        assert_eq!((passed.end, passed.requests.len()), (End::Refused(violation), 0), "{attack:?}");

        let before = "GET /before HTTP/1.1\r\nhost: a\r\n\r\n";
        let passed = pass(format!("{before}{attack}").as_bytes());
        assert_eq!(passed.end, End::Refused(violation), "after a good request: {attack:?}");
        assert_eq!(passed.requests.len(), 1, "{attack:?}");
        assert_eq!(passed.requests[0].target, "/before", "{attack:?}");
    }
}

#[test]
fn a_bad_body_breaks_off_and_nothing_follows_it() {
    for (attack, violation) in bodies() {
        let passed = pass((chunked(&attack) + SMUGGLED).as_bytes());
        assert_eq!((passed.end, passed.requests.len()), (End::Broken(violation), 1), "{attack:?}");
        assert!(!passed.requests[0].whole, "{attack:?}");
    }
}

#[test]
fn every_violation_is_attacked() {
    let mut attacked: HashSet<_> = heads().chain(bodies()).map(|(_, violation)| violation).collect();
    // Tested where the clock is.
    attacked.insert(Violation::HeadTimeout);
    let missing: Vec<_> = Violation::ALL.iter().filter(|violation| !attacked.contains(violation)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn labels_are_distinct_and_lead_back() {
    for violation in Violation::ALL {
        assert_eq!(Violation::from_reason(violation.reason()), Some(*violation));
        assert_eq!(Violation::from_path(&format!("/{}", violation.reason())), Some(*violation));
        assert!((400..600).contains(&violation.status()) && violation.section().starts_with("RFC "));
    }
    assert_eq!(Violation::from_path("bare_lf"), None);
    assert_eq!(Violation::from_path("/"), None);
}

#[test]
fn the_http2_preface_is_refused() {
    let passed = pass(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(passed.end, End::Refused(Violation::Http2Preface));
}

#[tokio::test]
async fn a_bad_head_is_answered_and_the_smuggled_request_never_seen() {
    for (attack, violation) in heads() {
        let bytes = format!("{attack}{SMUGGLED}");
        for exchange in [
            over_memory(bytes.as_bytes(), Limits::default()).await,
            over_tcp(bytes.as_bytes(), Limits::default()).await,
        ] {
            let status = format!("HTTP/1.1 {} ", violation.status());
            assert!(exchange.response.starts_with(&status), "{attack:?}: {}", exchange.response);
            assert!(exchange.response.contains("connection: close\r\n"), "{attack:?}: {}", exchange.response);
            assert!(exchange.response.ends_with(violation.reason()), "{attack:?}: {}", exchange.response);
            assert_eq!(exchange.seen, [], "{attack:?}");
        }
    }
}

#[tokio::test]
async fn a_bad_body_is_seen_to_break_off_and_the_smuggled_request_never() {
    for (attack, _) in bodies() {
        let bytes = chunked(&attack) + SMUGGLED;
        for exchange in [
            over_memory(bytes.as_bytes(), Limits::default()).await,
            over_tcp(bytes.as_bytes(), Limits::default()).await,
        ] {
            assert!(!exchange.response.contains("200 OK"), "{attack:?}: {}", exchange.response);
            assert_eq!(exchange.seen.len(), 1, "{attack:?}");
            assert_eq!(
                (exchange.seen[0].target.as_str(), &exchange.seen[0].body),
                ("/victim", &None),
                "{attack:?}"
            );
        }
    }
}
