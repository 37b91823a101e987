//! Requests whose bytes two readers could read differently, over raw sockets, through TLS, to the whole proxy. What the
//! framing guard does in detail is tested where it lives; here it must be in force, answered and audited.

use e2e::{RawConnection, StandIns, raw};

/// A request with the token, in which `{…}` marks what the case is about.
fn request(token: &str, head: &str, body: &str) -> String {
    head.replace("{auth}", &format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n")) + "\r\n" + body
}

/// What a lenient reader would take for a second request.
const SMUGGLED: &str = "0\r\n\r\nGET /secret/_search HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What it is, the head, the body, and the reason of the refusal where the guard gives one.
const AMBIGUOUS: &[(&str, &str, &str, &str)] = &[
    (
        "content length and transfer encoding",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        SMUGGLED,
        "length_and_encoding",
    ),
    (
        "transfer encoding first",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        SMUGGLED,
        "length_and_encoding",
    ),
    (
        "two lengths",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Content-Length: 4\r\nContent-Length: 5\r\n",
        "{}  ",
        "duplicate_length",
    ),
    (
        "the same length twice",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Content-Length: 2\r\nContent-Length: 2\r\n",
        "{}",
        "duplicate_length",
    ),
    (
        "a signed length",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Content-Length: +2\r\n",
        "{}",
        "invalid_length",
    ),
    (
        "identity after chunked",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Transfer-Encoding: chunked, identity\r\n",
        SMUGGLED,
        "unsupported_encoding",
    ),
    (
        "an obscured chunked",
        "POST /logs-a/_search HTTP/1.1\r\n{auth}Transfer-Encoding: xchunked\r\n",
        SMUGGLED,
        "unsupported_encoding",
    ),
    (
        "chunked in HTTP/1.0",
        "POST /logs-a/_search HTTP/1.0\r\n{auth}Transfer-Encoding: chunked\r\n",
        SMUGGLED,
        "encoding_in_http_1_0",
    ),
    ("a folded header", "GET /logs-a/_search HTTP/1.1\r\n{auth}X-A: 1\r\n folded\r\n", "", "obs_fold"),
    (
        "a space before the colon",
        "GET /logs-a/_search HTTP/1.1\r\n{auth}Transfer-Encoding : chunked\r\n",
        "",
        "space_before_colon",
    ),
    ("a bare line feed", "GET /logs-a/_search HTTP/1.1\r\n{auth}X-A: 1\nX-B: 2\r\n", "", "bare_lf"),
    ("a bare carriage return", "GET /logs-a/_search HTTP/1.1\r\n{auth}X-A: 1\rX-B: 2\r\n", "", "bare_cr"),
    ("a control character", "GET /logs-a/_search HTTP/1.1\r\n{auth}X-A: a\0b\r\n", "", "control_character"),
    ("a fragment", "GET /logs-a/_search#/secret/_search HTTP/1.1\r\n{auth}", "", "fragment_in_target"),
    (
        "a fragment in the query",
        "GET /logs-a/_search?q=1#&index=secret HTTP/1.1\r\n{auth}",
        "",
        "fragment_in_target",
    ),
    ("no host", "GET /logs-a/_search HTTP/1.1\r\n", "", "missing_host"),
    ("two hosts", "GET /logs-a/_search HTTP/1.1\r\n{auth}Host: other\r\n", "", "duplicate_host"),
    ("another authority", "GET https://other/logs-a/_search HTTP/1.1\r\n{auth}", "", "authority_mismatch"),
    ("a tunnel", "CONNECT localhost:9200 HTTP/1.1\r\n{auth}", "", "connect"),
    ("an asterisk", "OPTIONS * HTTP/1.1\r\n{auth}", "", "asterisk_form"),
    ("the guard's own method", "WIRE-REFUSED /bare_lf HTTP/1.1\r\n{auth}", "", "reserved_method"),
    ("an HTTP/2 preface", "PRI * HTTP/2.0\r\n", "", ""),
];

#[tokio::test]
async fn ambiguous_requests_are_refused_answered_and_audited() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-* write:logs-*");
    let client = world.anonymous();
    for (what, head, body, reason) in AMBIGUOUS {
        let answer = raw(&client, request(&token, head, body).as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('4') || status.starts_with('5'), "{what}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{what}: one answer, then the connection ends: {answer}"
        );
        let record = world.proxy.last_audit().await;
        assert_eq!(record["status"].to_string(), status, "{what}");
        if !reason.is_empty() {
            assert_eq!(record["reason"], *reason, "{what}: {answer}");
        }
    }
    assert!(world.engine.seen().is_empty(), "the engine saw none of them");
}

#[tokio::test]
async fn a_body_that_breaks_its_framing_breaks_the_request_to_the_engine() {
    let world = StandIns::start().await;
    let token = world.provider.token("write:logs-*");
    let client = world.anonymous();
    for (what, body) in [
        ("a chunk longer than its size", "2\r\n{}GET / HTTP/1.1\r\n\r\n"),
        ("a size that is none", "zz\r\n{}\r\n0\r\n\r\n"),
        ("a signed size", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a size beyond all bounds", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("a trailer that authenticates", "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
    ] {
        let head = "POST /logs-a/_doc HTTP/1.1\r\n{auth}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        raw(&client, request(&token, head, body).as_bytes()).await;
        assert!(world.engine.seen().iter().all(|seen| !seen.whole), "{what}: the engine got a whole request");
    }
}

#[tokio::test]
async fn pipelined_requests_are_each_judged_and_answered_in_order() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-*");
    let mut connection = RawConnection::open(&world.anonymous()).await;
    let one = request(&token, "GET /logs-a/_search HTTP/1.1\r\n{auth}", "");
    let two = request(&token, "GET /secret/_search HTTP/1.1\r\n{auth}", "");
    let three = request(&token, "GET /logs-b/_search HTTP/1.1\r\n{auth}Connection: close\r\n", "");
    connection.send(format!("{one}{two}{three}").as_bytes()).await;
    let answers = connection.read_to_end().await;
    let statuses: Vec<&str> = answers
        .match_indices("HTTP/1.1 ")
        .map(|(at, mark)| &answers[at + mark.len()..at + mark.len() + 3])
        .collect();
    assert_eq!(statuses, ["200", "403", "200"], "{answers}");
    let targets: Vec<String> = world.engine.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/logs-a/_search", "/logs-b/_search"]);
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_refused() {
    let world =
        StandIns::start_with("limits: {max_header_size: 4KiB, max_token_size: 2KiB, max_headers: 20}\n")
            .await;
    let client = world.anonymous();
    let long =
        format!("GET /logs-a/_search HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(8192));
    let answer = raw(&client, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = "X-A: 1\r\n".repeat(30);
    let answer =
        raw(&client, format!("GET /logs-a/_search HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes())
            .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_cut() {
    let world = StandIns::start_with("limits: {header_timeout: 1s}\n").await;
    let mut connection = RawConnection::open(&world.anonymous()).await;
    connection.send(b"GET /logs-a/_search HTTP/1.1\r\nHost: loc").await;
    let answer = connection.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(world.proxy.last_audit().await["reason"], "head_timeout");
}
