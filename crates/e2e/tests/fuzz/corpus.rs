//! What the inputs are made of: the attacks and bodies that the other tests run.

use std::path::Path;

const BODIES: [&str; 7] = [
    include_str!("../../../rest/tests/bodies/bulk.txt"),
    include_str!("../../../rest/tests/bodies/json.txt"),
    include_str!("../../../rest/tests/bodies/named.txt"),
    include_str!("../../../rest/tests/bodies/plugins.txt"),
    include_str!("../../../rest/tests/bodies/query.txt"),
    include_str!("../../../rest/tests/bodies/searches.txt"),
    include_str!("../../../rest/tests/bodies/text.txt"),
];

pub(crate) fn request_lines() -> Vec<Vec<u8>> {
    let lines = include_str!("../../../rest/tests/attacks.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').take(2).collect::<Vec<_>>().join(" ").into_bytes())
        .collect()
}

fn plain_bodies() -> impl Iterator<Item = &'static str> {
    let blocks = BODIES.iter().flat_map(|text| text.split("\n=== "));
    blocks.filter_map(|block| block.split_once("application/json\n")?.1.split("\n->").next())
}

pub(crate) fn bodies() -> Vec<Vec<u8>> {
    let numbered = plain_bodies().zip((0..19_u8).cycle());
    numbered.map(|(body, operation)| [&[operation, 7], body.as_bytes()].concat()).collect()
}

/// Request lines without a body, and bodies behind theirs.
pub(crate) fn dashboards_requests() -> Vec<Vec<u8>> {
    let rows = include_str!("../../../dashboards/tests/requests.tsv").lines();
    let lines = rows.filter(|row| !row.starts_with('#')).map(|row| {
        let columns: Vec<&str> = row.split('\t').take(3).collect();
        columns.join(" ")
    });
    let blocks = include_str!("../../../dashboards/tests/bodies.txt").split("\n=== ").skip(1);
    let bodies = blocks.filter_map(|block| {
        let request = block.split_once('\n')?.1.split("\n->").next()?;
        Some(request.replace("\\r", "\r"))
    });
    let numbered = lines.chain(bodies).zip((0..=u8::MAX).cycle());
    numbered.map(|(request, cut)| [&[cut], request.as_bytes()].concat()).collect()
}

pub(crate) fn query_texts() -> Vec<Vec<u8>> {
    let texts = [
        "SELECT a, b FROM logs WHERE c = 'x' ORDER BY d",
        "SELECT * FROM `logs-*` AS l JOIN other o ON l.a = o.b",
        "SELECT extract(year FROM t) FROM (SELECT * FROM logs) x UNION SELECT 1 FROM secret -- no",
        "DESCRIBE TABLES LIKE secret /* no */",
        "source=logs | where a = 1 | lookup other b | fields c",
        "search source = `logs`, other | join on x.y = z [ source = secret ]",
    ];
    let both = |text: &&str| [0_u8, 1].map(|language| [&[language], text.as_bytes()].concat());
    texts.iter().flat_map(both).collect()
}

pub(crate) fn streams() -> Vec<Vec<u8>> {
    let head = "POST /a HTTP/1.1\r\nhost: a\r\n";
    let streams = [
        "GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b?c=d HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
            .to_owned(),
        format!("{head}content-length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nhost: a\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nx-trailer: y\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n"),
        format!("{head}x-a: 1\r\n folded\r\n\r\n"),
        "GET http://a/c HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        "GET /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "\r\nGET /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0".to_owned(),
        format!("{} /bare_lf HTTP/1.1\r\nhost: a\r\n\r\n", wire::REFUSED_METHOD),
    ];
    let numbered = streams.iter().zip((5..).step_by(11));
    numbered.map(|(stream, cut): (_, u8)| [&[cut], stream.as_bytes()].concat()).collect()
}

pub(crate) fn tokens() -> Vec<Vec<u8>> {
    let claims = r#"{"iss":"https://a.invalid","aud":["fuzz"],"sub":"s","exp":4102444800,"scope":"read:*"}"#;
    let headers = [
        r#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","kid":"k"}"#,
        r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","jwk":{"kty":"EC"},"jku":"https://a.invalid"}"#,
        r#"{"alg":"RS256","\u0061lg":"none"}"#,
    ];
    let values = ["Bearer abc.def.ghi", "bearer eyJhbGciOiJub25lIn0.e30.", "Basic YTpi", "Bearer a=="];
    let pairs = headers.iter().map(|header| format!("{header}\n{claims}"));
    pairs.chain(values.map(str::to_owned)).map(String::into_bytes).collect()
}

/// The files of `fuzz/seeds` for a target, in the order of their names.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}
