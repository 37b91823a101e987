//! The corpus of bodies and how a case is judged.

use rest::{BodyLimits, Need, Origin, Resource, inquire};

pub(crate) const CORPUS: [(&str, &str); 7] = [
    ("bulk.txt", include_str!("bulk.txt")),
    ("json.txt", include_str!("json.txt")),
    ("named.txt", include_str!("named.txt")),
    ("plugins.txt", include_str!("plugins.txt")),
    ("query.txt", include_str!("query.txt")),
    ("searches.txt", include_str!("searches.txt")),
    ("text.txt", include_str!("text.txt")),
];

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) about: String,
    pub(crate) request: String,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: String,
}

pub(crate) fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut lines = text.lines();
    let mut cases = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let about = line.strip_prefix("=== ").unwrap_or_else(|| panic!("{file}: {line:?} begins no case"));
        let request = lines.next().expect("a request line").to_owned();
        let mut body: Vec<&str> = Vec::new();
        let expected = loop {
            match lines.next() {
                Some(line) if line.starts_with("->") => break line[2..].trim().to_owned(),
                Some(line) => body.push(line),
                None => panic!("{file}: {about}: no expectation"),
            }
        };
        if body.last() == Some(&"⟨end⟩") {
            body.pop();
        } else if request.ends_with("ndjson") {
            body.push("");
        }
        cases.push(Case { about: about.into(), request, body: unescape(&body.join("\n")), expected });
    }
    cases
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('⟨') {
        let (digits, after) = escaped.split_once('⟩').expect("a closing bracket");
        bytes.extend_from_slice(plain.as_bytes());
        bytes.extend(digits.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal digits")));
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What comes of a case when its body comes in pieces of these lengths.
pub(crate) fn judge(case: &Case, pieces: &[usize]) -> String {
    let words: Vec<&str> = case.request.split(' ').collect();
    let [method, target, media] = words[..] else { panic!("{:?} is no request", case.request) };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let inquiry = match inquire(method, path, query, Some(media).filter(|media| *media != "-")) {
        Ok(inquiry) => inquiry,
        Err(refusal) => return refusal.reason().into(),
    };
    let mut needs = inquiry.needs.to_vec();
    if let Some(plan) = inquiry.body {
        let mut reader = plan.reader(BodyLimits { text: 600, line: 600, keys: 20, ..BodyLimits::default() });
        let mut rest = &case.body[..];
        for piece in pieces {
            let (piece, after) = rest.split_at(*piece);
            rest = after;
            if let Err(refusal) = reader.feed(piece, &mut needs) {
                return refusal.reason().into();
            }
        }
        if let Err(refusal) = reader.finish(&mut needs) {
            return refusal.reason().into();
        }
    }
    needs.iter().map(show).collect::<Vec<_>>().join(" ")
}

pub(crate) fn show(need: &Need) -> String {
    if need.on == Resource::Greeting {
        return "greeting".into();
    }
    let origin = match need.origin {
        Origin::Path | Origin::InBody | Origin::InQueryText => String::new(),
        origin => {
            let label = serde_json::to_value(origin).expect("an origin has a label");
            format!("[{}]", label.as_str().expect("a text"))
        }
    };
    format!("{}:{}{origin}", need.action, need.on)
}
