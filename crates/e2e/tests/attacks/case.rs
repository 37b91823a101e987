//! The format of `attacks/*.txt`, as `attacks/README.md` tells it.

use serde_json::{Map, Value};

/// One attack.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) scopes: Option<String>,
    pub(crate) signature: Signature,
    pub(crate) jose: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) expect: Expect,
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
    /// The engine sees exactly this request, without these headers and with those.
    Forwarded { request: String, absent: Vec<String>, present: Vec<(String, String)> },
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
            "expect" => {
                expected = true;
                case.expect = expect(value);
            }
            "absent" | "present" => {
                let Expect::Forwarded { absent, present, .. } = &mut case.expect else {
                    panic!("{}: {key} belongs below expect: forwarded", case.name)
                };
                match value.split_once(": ") {
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
        return Expect::Forwarded { request: rest.to_owned(), absent: Vec::new(), present: Vec::new() };
    }
    Expect::Refused {
        status: first.parse().unwrap_or_else(|_| panic!("expect: {value}")),
        reason: rest.to_owned(),
    }
}

impl Case {
    /// The bytes to send with this token.
    pub(crate) fn bytes(&self, token: Option<&str>) -> Vec<u8> {
        let (head, body) = self.request.split_once("\n\n").unwrap_or((&self.request, ""));
        let mut body = self.unescape(&body.replace("{token}", token.unwrap_or_default()));
        if head.contains("{ndjson}") {
            body.push(b'\n');
        }
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
