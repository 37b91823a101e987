//! The format of `attacks/*.txt`, as `attacks/README.md` tells it.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Map, Value};

use crate::http2::Request;

/// One attack.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) scopes: Option<String>,
    pub(crate) signature: Signature,
    pub(crate) jose: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) expect: Expect,
    /// Over HTTP/2.
    pub(crate) http2: bool,
    /// Empty frames that a head over HTTP/2 goes on with.
    continuations: usize,
    /// Spaces behind the body.
    pad: usize,
    /// How often the body is compressed, one member behind the other; 0 for a body as it is.
    members: usize,
    request: String,
}

/// Who signs the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Provider,
    Foreign,
    Kept,
    Hmac,
    Missing,
}

/// What must come of it.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// This status and reason; the engine sees nothing.
    Refused { status: u16, reason: String },
    /// The engine sees exactly this request, without these headers and with those. What else the bytes hold is answered
    /// so after it.
    Forwarded { request: String, absent: Vec<String>, present: Vec<(String, String)>, then: Vec<u16> },
    /// Whatever the answer: the engine sees no whole request.
    Broken,
}

/// The cases of one file.
pub(crate) fn parse(text: &str) -> Vec<Case> {
    let mut blocks = text.split("\n=== ");
    blocks.next();
    blocks.map(case).collect()
}

fn case(block: &str) -> Case {
    let (settings, request) =
        block.split_once("\n---\n").unwrap_or_else(|| panic!("no line of --- in {block}"));
    let mut lines = settings.lines();
    let name = lines.next().unwrap_or_default().to_owned();
    let mut case = Case {
        name,
        scopes: None,
        signature: Signature::Provider,
        jose: Map::new(),
        claims: Map::new(),
        expect: Expect::Broken,
        http2: false,
        continuations: 0,
        pad: 0,
        members: 0,
        request: request.trim_end_matches('\n').to_owned(),
    };
    let (mut source, mut expected) = (false, false);
    for line in lines.filter(|line| !line.is_empty()) {
        let (key, value) =
            line.split_once(": ").unwrap_or_else(|| panic!("{}: no setting: {line}", case.name));
        match key {
            "source" => source = true,
            "token" => case.scopes = (value != "none").then(|| value.to_owned()),
            "signature" => case.signature = signature(value),
            "jose" => case.jose = object(value),
            "claims" => case.claims = object(value),
            "http" => {
                assert_eq!(value, "2", "{}: http: 2", case.name);
                case.http2 = true;
            }
            "continuations" => case.continuations = value.parse().unwrap(),
            "pad" => case.pad = value.parse().unwrap(),
            "gzip" => case.members = value.parse().unwrap(),
            "expect" => {
                expected = true;
                case.expect = expect(value);
            }
            "absent" | "present" | "then" => {
                let Expect::Forwarded { absent, present, then, .. } = &mut case.expect else {
                    panic!("{}: {key} belongs below expect: forwarded", case.name)
                };
                match value.split_once(": ") {
                    None if key == "then" => {
                        then.extend(value.split(' ').map(|status| status.parse::<u16>().unwrap()));
                    }
                    Some((name, value)) if key == "present" => {
                        present.push((name.to_owned(), value.to_owned()));
                    }
                    _ if key == "absent" => absent.extend(value.split(' ').map(ToOwned::to_owned)),
                    _ => panic!("{}: present: NAME: VALUE", case.name),
                }
            }
            _ => panic!("{}: unknown setting {key}", case.name),
        }
    }
    assert!(source && expected, "{}: source and expect are needed", case.name);
    case
}

fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn signature(word: &str) -> Signature {
    match word {
        "foreign" => Signature::Foreign,
        "kept" => Signature::Kept,
        "hmac" => Signature::Hmac,
        "missing" => Signature::Missing,
        _ => panic!("unknown signature {word}"),
    }
}

fn expect(value: &str) -> Expect {
    if value == "broken" {
        return Expect::Broken;
    }
    let (first, rest) = value.split_once(' ').unwrap_or_else(|| panic!("expect: {value}"));
    if first == "forwarded" {
        let request = rest.to_owned();
        return Expect::Forwarded { request, absent: Vec::new(), present: Vec::new(), then: Vec::new() };
    }
    Expect::Refused {
        status: first.parse().unwrap_or_else(|_| panic!("expect: {value}")),
        reason: rest.to_owned(),
    }
}

impl Case {
    /// Puts texts in the place of names.
    pub(crate) fn fill(mut self, texts: &[(&str, String)]) -> Self {
        for (name, text) in texts {
            self.request = self.request.replace(name, text);
        }
        self
    }

    /// The bytes to send with this token.
    pub(crate) fn bytes(&self, token: Option<&str>) -> Vec<u8> {
        if self.http2 {
            return self.frames(token).bytes();
        }
        let (head, body) = self.request.split_once("\n\n").unwrap_or((&self.request, ""));
        let mut body = self.unescape(&body.replace("{token}", token.unwrap_or_default()));
        if head.contains("{ndjson}") {
            body.push(b'\n');
        }
        let body = self.finished(body);
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\n")).unwrap_or_default();
        let head = head
            .replace("{auth}", &format!("Host: localhost\n{authorization}Connection: close"))
            .replace("{json}", "Content-Type: application/json\nContent-Length: {length}")
            .replace("{ndjson}", "Content-Type: application/x-ndjson\nContent-Length: {length}")
            .replace("{length}", &body.len().to_string())
            .replace("{token}", token.unwrap_or_default());
        let mut bytes = Vec::new();
        for line in head.split('\n') {
            bytes.extend(self.unescape(line));
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// The body with what `pad` and `gzip` make of it.
    fn finished(&self, mut body: Vec<u8>) -> Vec<u8> {
        body.resize(body.len() + self.pad, b' ');
        if self.members == 0 {
            return body;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&body).unwrap();
        encoder.finish().unwrap().repeat(self.members)
    }

    /// The request over HTTP/2 with this token.
    fn frames(&self, token: Option<&str>) -> Request {
        let token = token.unwrap_or_default();
        let (head, rest) = self.request.split_once("\n\n").unwrap_or((&self.request, ""));
        let (body, trailers) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let head = head
            .replace("{auth}", ":scheme: https\n:authority: localhost\nauthorization: Bearer {token}")
            .replace("{json}", "content-type: application/json")
            .replace("{token}", token);
        let fields = |text: &str| text.lines().map(|line| self.field(line)).collect::<Vec<_>>();
        Request {
            fields: fields(&head),
            body: self.finished(self.unescape(body)),
            trailers: fields(trailers),
            continuations: self.continuations,
        }
    }

    /// `name: value`; the name of a pseudo-header begins with a colon itself.
    fn field(&self, line: &str) -> (Vec<u8>, Vec<u8>) {
        let (name, value) =
            line.split_once(": ").unwrap_or_else(|| panic!("{}: no field: {line}", self.name));
        (self.unescape(name), self.unescape(value))
    }

    fn unescape(&self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            bytes.extend(before.as_bytes());
            let (byte, length) = match after.as_bytes() {
                [b'r', ..] => (b'\r', 1),
                [b'n', ..] => (b'\n', 1),
                [b't', ..] => (b'\t', 1),
                [b'\\', ..] => (b'\\', 1),
                [b'x', ..] => {
                    let digits = after.get(1..3).unwrap_or_default();
                    let byte = u8::from_str_radix(digits, 16);
                    (byte.unwrap_or_else(|_| panic!("{}: \\x{digits}", self.name)), 3)
                }
                _ => panic!("{}: unknown escape before {after}", self.name),
            };
            bytes.push(byte);
            rest = &after[length..];
        }
        bytes.extend(rest.as_bytes());
        bytes
    }
}
