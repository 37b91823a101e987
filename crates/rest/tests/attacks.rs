//! The attack corpus, case by case.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use rest::{Need, Origin, Resource, classify};

fn unescape(target: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = target;
    while let Some((plain, escaped)) = rest.split_once("\\x") {
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(u8::from_str_radix(&escaped[..2], 16).expect("two hexadecimal digits"));
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).expect("a request target that is text")
}

fn show(need: &Need) -> String {
    if need.on == Resource::Greeting {
        return "greeting".into();
    }
    let origin = serde_json::to_value(need.origin).expect("an origin has a label");
    let origin = match need.origin {
        Origin::Path => String::new(),
        _ => format!("[{}]", origin.as_str().expect("a text")),
    };
    format!("{}:{}{origin}", need.action, need.on)
}

fn judge(method: &str, target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    match classify(method, path, query) {
        Ok(ask) => ask.needs.iter().map(show).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.reason().into(),
    }
}

#[test]
fn every_case_comes_out_as_written() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (at, line) in include_str!("attacks.tsv").lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        cases += 1;
        let columns: Vec<&str> = line.split('\t').collect();
        let [method, target, expected, source] = columns[..] else {
            panic!("line {}: {} columns instead of 4", at + 1, columns.len());
        };
        let found = judge(method, &unescape(target));
        if found != expected {
            wrong.push(format!("line {}: {method} {target}: {found}, not {expected} ({source})", at + 1));
        }
    }
    assert!(cases > 150, "the corpus is there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
