//! Whatever comes as a body: the reader answers, the pieces do not matter, what a plain parser refuses is refused,
//! and what a plain extractor finds is found.

use std::fmt::Write as _;

use proptest::prelude::*;
use rest::{BodyLimits, inquire};
use serde_json::{Value, json};

use crate::corpus::{CORPUS, cases, show};

const PATHS: [&str; 16] = [
    "/_bulk",
    "/logs/_bulk",
    "/_msearch",
    "/logs/_msearch/template",
    "/logs/_search",
    "/logs/_search/template",
    "/_mget",
    "/_reindex",
    "/_aliases",
    "/logs/_alias/x",
    "/_plugins/_sql",
    "/_plugins/_ppl",
    "/logs/_mapping",
    "/_template/t",
    "/_snapshot/r/s/_restore",
    "/_plugins/_ml/models/_register",
];

/// The needs in order, or the reason of a refusal, for a body in pieces that end at these places.
fn judge(path: &str, body: &[u8], cuts: &[usize]) -> Result<Vec<String>, &'static str> {
    let inquiry = inquire("POST", path, None, Some("application/json")).expect("a known request");
    let mut reader = inquiry.body.expect("a body to read").reader(BodyLimits::default());
    let mut needs = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([body.len()]) {
        let to = cut.clamp(from, body.len());
        reader.feed(&body[from..to], &mut needs).map_err(|refusal| refusal.reason())?;
        from = to;
    }
    reader.finish(&mut needs).map_err(|refusal| refusal.reason())?;
    Ok(needs.iter().map(show).collect())
}

/// Bodies near the real ones: those of the corpus with a few bytes changed.
fn near_misses() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<Vec<u8>> =
        CORPUS.iter().flat_map(|(file, text)| cases(file, text)).map(|case| case.body).collect();
    let change =
        (any::<prop::sample::Index>(), prop::sample::select(&b"{}[]\":,\\'\n\r /#0e-u*\x00\xff"[..]), 0..4);
    (prop::sample::select(bodies), prop::collection::vec(change, 0..4)).prop_map(|(mut body, changes)| {
        for (at, byte, kind) in changes {
            if body.is_empty() {
                continue;
            }
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        body
    })
}

fn paths() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&PATHS[..])
}

/// A query, and the indices that it looks up, written down without the reader's tables.
fn queries() -> impl Strategy<Value = (Value, Vec<String>)> {
    let name = || {
        prop::sample::select(&["a", "secret", "index", "terms", "logs-*", "r:x"][..]).prop_map(String::from)
    };
    let field = || prop::sample::select(&["f", "index", "terms", "query", "_index", "like", "filter"][..]);
    let leaf = prop_oneof![
        field().prop_map(|field| (json!({"match": {field: {"query": "secret"}}}), vec![])),
        field().prop_map(|field| (json!({"terms": {field: ["secret", 1]}}), vec![])),
        (field(), name()).prop_map(|(field, name)| {
            (json!({"terms": {field: {"index": name, "id": "1", "path": "p"}}}), vec![name])
        }),
        (name(), name()).prop_map(|(like, unlike)| {
            (json!({"more_like_this": {"like": [{"_index": like, "_id": "1"}, "t"], "unlike": {"_index": unlike}}}),
             vec![like, unlike])
        }),
        name().prop_map(|name| (json!({"percolate": {"field": "q", "index": name, "id": "1"}}), vec![name])),
        (field(), name()).prop_map(|(field, name)| {
            (json!({"geo_shape": {field: {"indexed_shape": {"id": "1", "index": name}}}}), vec![name])
        }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..4);
        let clause = prop::sample::select(&["must", "should", "filter", "must_not"][..]);
        prop_oneof![
            (clause, many.clone()).prop_map(|(clause, many)| {
                let (queries, names): (Vec<_>, Vec<_>) = many.into_iter().unzip();
                (json!({"bool": {clause: queries}}), names.concat())
            }),
            inner.clone().prop_map(|(query, names)| {
                (json!({"nested": {"path": "p", "query": query, "score_mode": "avg"}}), names)
            }),
            (inner.clone(), inner.clone()).prop_map(|((one, names), (other, more))| {
                let functions = json!([{"filter": other, "weight": 2}]);
                (json!({"function_score": {"query": one, "functions": functions}}), [names, more].concat())
            }),
            inner.prop_map(|(query, names)| {
                let wrapped = data_encoding::BASE64.encode(query.to_string().as_bytes());
                if names.len() > 2 { (query, names) } else { (json!({"wrapper": {"query": wrapped}}), names) }
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_do_not_matter(path in paths(), body in near_misses(), mut cuts in prop::collection::vec(0_usize..400, 0..6)) {
        cuts.sort_unstable();
        prop_assert_eq!(judge(path, &body, &[]), judge(path, &body, &cuts));
    }

    #[test]
    fn any_bytes_are_answered(path in paths(), body in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = judge(path, &body, &[]);
    }

    /// What a plain parser of JSON refuses is refused.
    #[test]
    fn no_more_is_read_than_json(path in prop::sample::select(&PATHS[4..]), body in near_misses()) {
        if !body.is_empty() && serde_json::from_slice::<Value>(&body).is_err() {
            prop_assert!(judge(path, &body, &[]).is_err(), "{:?}", String::from_utf8_lossy(&body));
        }
    }

    /// What a plain parser reads as an object without doubled keys, numbers beyond doubles or great depth is read.
    #[test]
    fn no_less_is_read_than_json(value in json_values()) {
        let body = json!({"script_fields": value});
        let found = judge("/logs/_search", body.to_string().as_bytes(), &[]);
        prop_assert_eq!(found, Ok(vec![]));
        let pretty = serde_json::to_string_pretty(&body).expect("a text");
        prop_assert_eq!(judge("/logs/_search", pretty.as_bytes(), &[]), Ok(vec![]));
    }

    #[test]
    fn lookups_are_found_wherever_they_stand((query, names) in queries()) {
        let search = json!({"size": 1, "query": query});
        let found = judge("/logs/_search", search.to_string().as_bytes(), &[]).expect("a readable search");
        let mut expected: Vec<String> = names.iter().map(|name| format!("read:{name}")).collect();
        let mut found: Vec<String> = found;
        for list in [&mut expected, &mut found] {
            list.sort_unstable();
            list.dedup();
        }
        prop_assert_eq!(found, expected);
    }

    /// Settings are flattened, so where an object begins and where a dot stands says nothing.
    #[test]
    fn settings_mean_the_same_however_they_nest(
        index in any::<bool>(),
        (setting, needs) in prop::sample::select(&[
            ("default_pipeline", "manage:*[body]"),
            ("search.default_pipeline", "manage:*[body]"),
            ("search.slowlog.threshold.query.warn", ""),
            ("ingestion_source.param.topic", "manage:*[body]"),
            ("plugins.index_state_management.policy_id", "manage:*[body]"),
            ("plugins.index_state_management.rollover_alias", "manage:x"),
            ("analysis.filter.default_pipeline.type", ""),
            ("number_of_shards", ""),
            ("future.default_pipeline", "manage:*[query_not_understood]"),
        ][..]),
        nests in prop::collection::vec(any::<bool>(), 6),
        wrapped in any::<bool>(),
    ) {
        let setting = if index { format!("index.{setting}") } else { setting.to_owned() };
        let mut value = json!("x");
        let mut key = String::new();
        for (part, nest) in setting.rsplit('.').zip(nests) {
            key = if key.is_empty() { part.to_owned() } else { format!("{part}.{key}") };
            if nest {
                value = json!({ std::mem::take(&mut key): value });
            }
        }
        let settings = if key.is_empty() { value } else { json!({ key: value }) };
        let body = if wrapped { json!({"settings": settings}) } else { settings };
        let inquiry = inquire("PUT", "/logs/_settings", None, Some("application/json")).expect("a known request");
        let mut reader = inquiry.body.expect("a body to read").reader(BodyLimits::default());
        let mut found = Vec::new();
        reader.feed(body.to_string().as_bytes(), &mut found).expect("readable");
        reader.finish(&mut found).expect("whole");
        // The index of the path, which comes with each change of settings.
        let beside = found.iter().map(show).filter(|need| need != "manage:logs");
        prop_assert_eq!(beside.collect::<Vec<_>>().join(" "), needs, "{}", body);
    }

    /// Spelling every character of keys and names as an escape changes nothing.
    #[test]
    fn escapes_hide_nothing((query, _) in queries()) {
        let plain = json!({"query": query}).to_string();
        let found = judge("/logs/_search", plain.as_bytes(), &[]);
        prop_assert_eq!(found, judge("/logs/_search", escaped(&plain).as_bytes(), &[]));
    }

    /// A head that resembles the one before is not read anew; byte by byte each one is.
    #[test]
    fn heads_that_resemble_each_other_are_told_apart(
        path in prop::sample::select(&["/_bulk", "/logs/_bulk", "/_msearch"][..]),
        lines in prop::collection::vec((
            prop::sample::select(&["index", "create", "delete"][..]),
            prop::sample::select(&["a", "b", "a*"][..]),
            prop::sample::select(&[
                "1", "2", "", "longer", "x\",\"_index\":\"secret", "\\", "\\u0041", "é", "\u{1}", "\"", "2\"}}", " ", "_id",
                "x\"}},{\"index\":{\"_id\":\"x",
            ][..]),
            0..5_u8,
        ), 0..12),
    ) {
        let mut body = String::new();
        for (action, name, id, form) in &lines {
            let head = match form {
                0 | 1 => format!("{{\"{action}\":{{\"_index\":\"{name}\",\"_id\":\"{id}\"}}}}"),
                2 => format!("{{\"{action}\":{{\"_id\":\"{id}\",\"_index\":\"{name}\"}}}}"),
                3 => format!("{{\"index\":\"{name}\",\"preference\":\"{id}\"}}"),
                _ => format!("{{\"{action}\":{{\"routing\":\"{id}\",\"_id\":\"1\",\"_index\":\"{name}\"}}}}"),
            };
            body.push_str(&head);
            body.push('\n');
            if path == "/_msearch" {
                let _ = writeln!(body, "{{\"query\":{{\"terms\":{{\"f\":{{\"index\":\"{name}\"}}}}}}}}");
            } else if *action != "delete" {
                body.push_str("{}\n");
            }
        }
        let single: Vec<usize> = (0..body.len()).collect();
        prop_assert_eq!(judge(path, body.as_bytes(), &[]), judge(path, body.as_bytes(), &single));
    }

    /// More heads than are remembered are told apart, too. One that comes in two pieces is read anew.
    #[test]
    fn heads_of_many_indices_are_told_apart(names in 1..400_usize, step in 1..400_usize, lines in 0..350_usize) {
        let mut body = String::new();
        let mut cuts = Vec::new();
        for at in 0..lines {
            let name = at * step % names;
            let head = match name % 5 {
                0 => format!("{{\"delete\":{{\"_index\":\"n{name}\",\"_id\":\"{at}\"}}}}\n"),
                1 => format!("{{\"index\":{{\"_id\":\"{at}\",\"_index\":\"n{name}\"}}}}\n{{}}\n"),
                2 => format!("{{\"update\":{{\"_index\":\"n{name}\"}}}}\n{{}}\n"),
                3 => format!("{{\"create\":{{\"_index\":\"n{name}\",\"_id\":\"{at}\",\"routing\":\"{name}\"}}}}\n{{}}\n"),
                _ => format!("{{\"index\":{{\"_index\":\"n{name}\",\"_id\":\"\\u0041{at}\"}}}}\n{{}}\n"),
            };
            cuts.push(body.len() + 1);
            body.push_str(&head);
        }
        prop_assert_eq!(judge("/_bulk", body.as_bytes(), &[]), judge("/_bulk", body.as_bytes(), &cuts));
    }

    /// The lines of a bulk say the same one by one.
    #[test]
    fn a_bulk_is_the_sum_of_its_lines(lines in prop::collection::vec(("index|create|delete|update", "[a-c]{1,2}"), 0..30)) {
        let mut body = String::new();
        let mut expected = Vec::new();
        for (action, name) in &lines {
            let _ = writeln!(body, "{{\"{action}\":{{\"_index\":\"{name}\"}}}}");
            if action != "delete" {
                body.push_str("{\"delete\":{\"_index\":\"no\"}}\n");
            }
            expected.push(format!("write:{name}"));
            if action == "update" {
                expected.push(format!("read:{name}"));
            }
        }
        let mut found = judge("/_bulk", body.as_bytes(), &[]).expect("a readable bulk");
        for list in [&mut expected, &mut found] {
            list.sort_unstable();
            list.dedup();
        }
        prop_assert_eq!(found, expected);
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every letter of every text as `\uXXXX`.
fn escaped(json: &str) -> String {
    let mut out = String::new();
    let mut in_text = false;
    for character in json.chars() {
        if character == '"' {
            in_text = !in_text;
        }
        if in_text && character.is_ascii_alphanumeric() {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

#[test]
fn memory_does_not_grow_with_the_body() {
    let inquiry = inquire("POST", "/_bulk", None, Some("application/x-ndjson")).expect("a bulk");
    let mut reader = inquiry.body.expect("a body to read").reader(BodyLimits::default());
    let mut needs = Vec::new();
    let document = vec![b'x'; 64 * 1024];
    for at in 0..2000 {
        let line = format!("{{\"index\":{{\"_index\":\"logs-{}\",\"_id\":\"{at}\"}}}}\n", at % 4);
        reader.feed(line.as_bytes(), &mut needs).expect("an action");
        reader.feed(&document, &mut needs).expect("a document");
        reader.feed(b"\n", &mut needs).expect("its end");
    }
    reader.finish(&mut needs).expect("a whole bulk");
    assert_eq!(needs.len(), 4, "each index is told once");
}

#[test]
fn a_refused_body_stays_refused() {
    let inquiry = inquire("POST", "/_bulk", None, Some("application/x-ndjson")).unwrap();
    let mut reader = inquiry.body.unwrap().reader(BodyLimits::default());
    let mut needs = Vec::new();
    let refusal = reader.feed(b"{\"drop\":{\"_index\":\"logs\"}}\n", &mut needs).unwrap_err();
    for piece in [&b""[..], b"{\"delete\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n"] {
        assert_eq!(reader.feed(piece, &mut needs), Err(refusal.clone()));
    }
    assert_eq!(reader.finish(&mut needs), Err(refusal));
    assert_eq!(needs, []);
}

#[test]
fn hidden_indices_of_more_clusters_than_are_kept_are_not_let_through() {
    let clusters: Vec<String> = (0..500).map(|number| format!("\"c{number}:*\"")).collect();
    let head = format!("{{\"index\":[{}],\"expand_wildcards\":\"all\"}}\n{{}}\n", clusters.join(","));
    let inquiry = inquire("POST", "/_msearch", None, Some("application/x-ndjson")).unwrap();
    let mut reader = inquiry.body.unwrap().reader(BodyLimits::default());
    let mut needs = Vec::new();
    reader.feed(head.as_bytes(), &mut needs).unwrap();
    reader.finish(&mut needs).unwrap();
    let shown: Vec<String> = needs.iter().map(show).collect();
    assert!(shown.contains(&"read:c0:.*".to_owned()), "{shown:?}");
    assert!(shown.ends_with(&["read:.*".to_owned(), "read:*:.*".to_owned()]), "{shown:?}");
    assert!(shown.len() < 500 + 100, "{}", shown.len());
}
