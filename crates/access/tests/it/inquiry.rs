use access::{Permit, Rights, Watch};
use proptest::prelude::*;
use rest::{BodyLimits, Inquiry, Narrowable, Need, inquire};

use crate::subject::{Token, mapper, mapping, native, scope_is, texts};

const NDJSON: Option<&str> = Some("application/x-ndjson");
const BULK: &str =
    "{\"index\":{\"_index\":\"logs-a\"}}\n{}\n{\"update\":{\"_index\":\"logs-b\",\"_id\":\"1\"}}\n{}\n";

fn inquiry(method: &str, path: &str) -> Inquiry {
    inquire(method, path, None, NDJSON).unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"))
}

fn read(inquiry: &Inquiry, body: &str) -> Vec<Need> {
    let mut found = Vec::new();
    let mut reader = inquiry.body.as_ref().expect("a body to read").reader(BodyLimits::default());
    reader.feed(body.as_bytes(), &mut found).expect("a readable body");
    reader.finish(&mut found).expect("a whole body");
    found
}

/// The permits before and after reading, or what the denial says.
fn judge(rights: &Rights, inquiry: &Inquiry, body: &str) -> Result<(Permit, Permit), String> {
    let (permit, watch) = rights.decide_inquiry(inquiry).map_err(|denial| denial.would_allow.to_string())?;
    let Some(mut watch) = watch else { return Ok((permit.clone(), permit)) };
    for need in read(inquiry, body) {
        watch.judge(rights, &need).map_err(|denial| denial.would_allow.to_string())?;
        assert!(rights.allows(&need).is_ok());
    }
    Ok((permit, Watch::permit(&watch).clone()))
}

#[test]
fn the_body_is_judged_need_by_need() {
    let reindex = "{\"source\":{\"index\":\"logs-a\"},\"dest\":{\"index\":\"copy\"}}";
    let remote = "{\"source\":{\"index\":\"logs-a\",\"remote\":{}},\"dest\":{\"index\":\"copy\"}}";
    let lookup = "{\"query\":{\"terms\":{\"f\":{\"index\":\"secret\",\"id\":\"1\",\"path\":\"p\"}}}}";
    let unknown = "{\"query\":{\"future\":{}}}";
    for (scopes, method, path, body, expected) in [
        ("write:logs-* read:logs-*", "POST", "/_bulk", BULK, "write:logs-* read:logs-*"),
        ("write:logs-*", "POST", "/_bulk", BULK, "needs read:logs-b"),
        ("write:logs-a read:*", "POST", "/_bulk", BULK, "needs write:logs-b"),
        ("admin:logs-*", "POST", "/_bulk", BULK, "admin:logs-*"),
        ("write:* read:*", "POST", "/_bulk", "anything", "read:* write:*"),
        ("monitor:*", "POST", "/_bulk", BULK, "needs read:*"),
        ("", "POST", "/_bulk", BULK, "needs read:*"),
        ("read:logs-* write:copy", "POST", "/_reindex", reindex, "read:logs-* write:copy"),
        ("read:logs-* write:copy", "POST", "/_reindex", remote, "needs admin:cluster"),
        (
            "read:logs-* write:copy admin:cluster",
            "POST",
            "/_reindex",
            remote,
            "read:logs-* write:copy admin:cluster",
        ),
        ("read:* write:*", "POST", "/_reindex", remote, "needs admin:cluster"),
        ("read:* write:* admin:cluster", "POST", "/_reindex", remote, "read:* write:* admin:cluster"),
        ("read:logs", "GET", "/logs/_search", lookup, "needs read:secret"),
        ("read:logs read:s*", "GET", "/logs/_search", lookup, "read:logs read:s*"),
        ("read:logs", "GET", "/logs/_search", unknown, "needs read:*"),
        ("read:*", "GET", "/logs/_search", unknown, "read:*"),
        ("read:plugin/ml", "GET", "/_plugins/_ml/models/_search", "{}", "read:plugin/ml"),
        ("read:plugin/ml", "GET", "/_plugins/_ml/models/_search", lookup, "needs read:secret"),
        ("write:logs", "GET", "/logs/_search", "{}", "needs read:logs"),
    ] {
        let found = match judge(&native(scopes), &inquiry(method, path), body) {
            Ok((_, used)) => texts(&used.scopes).join(" "),
            Err(would_allow) => format!("needs {would_allow}"),
        };
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.split(' ').map(Into::into).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&found), sorted(expected), "{method} {path} with {scopes}");
    }
}

#[test]
fn before_the_body_is_read_the_permit_has_all_that_it_could_use() {
    let rights = native("write:logs-* write:other read:x manage:y monitor:cluster admin:z");
    let (before, used) = judge(&rights, &inquiry("POST", "/_bulk"), "{\"delete\":{\"_index\":\"logs-a\"}}\n")
        .expect("allowed");
    let mut before = texts(&before.scopes);
    before.sort_unstable();
    assert_eq!(before, ["admin:z", "read:x", "write:logs-*", "write:other"]);
    assert_eq!(texts(&used.scopes), ["write:logs-*"]);
    assert_eq!(rights.permit_for_body(&inquiry("POST", "/_bulk")).expect("allowed").scopes.len(), 4);
}

#[test]
fn the_permit_after_reading_has_only_one_backend_user_where_that_before_has_two() {
    let mappings = vec![
        mapping(scope_is("a"), "write:a", "role_a", Some("user_a")),
        mapping(scope_is("b"), "write:b", "role_b", Some("user_b")),
    ];
    let rights = mapper(mappings).rights(&Token::with_scopes("a b"));
    let (before, used) =
        judge(&rights, &inquiry("POST", "/_bulk"), "{\"index\":{\"_index\":\"b\"}}\n{}\n").expect("allowed");
    assert!(before.backend_user().is_err());
    assert_eq!(used.backend_user().expect("one user").map(|user| &**user), Some("user_b"));
    assert_eq!((texts(&before.roles).len(), texts(&used.roles)), (2, vec!["role_b"]));
}

#[test]
fn a_body_in_which_nothing_matters_is_decided_at_once() {
    let inquiry = inquiry("PUT", "/logs/_doc/1");
    assert!(inquiry.body.is_none());
    let (permit, watch) = native("write:logs").decide_inquiry(&inquiry).expect("allowed");
    assert_eq!((texts(&permit.scopes), watch.is_none()), (vec!["write:logs"], true));
    assert!(native("read:logs").decide_inquiry(&inquiry).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// One more scope never turns what is allowed into what is denied, and the permit before reading holds all
    /// scopes that reading turns out to use.
    #[test]
    fn more_scopes_allow_more(
        held in prop::collection::vec("(read|write|admin):(a|b|a\\*|\\*)", 0..4),
        more in "(read|write|admin|manage):(a|b|\\*)",
        lines in prop::collection::vec("\\{\"(delete|delete)\":\\{\"_index\":\"(a|b|ab)\"\\}\\}\n", 1..4),
    ) {
        let body = lines.concat();
        let inquiry = inquiry("POST", "/_bulk");
        let before = judge(&native(&held.join(" ")), &inquiry, &body);
        let after = judge(&native(&format!("{} {more}", held.join(" "))), &inquiry, &body);
        prop_assert!(before.is_err() || after.is_ok());
        if let Ok((permit, used)) = after {
            prop_assert!(used.scopes.iter().all(|scope| permit.scopes.contains(scope)));
        }
    }
}

#[test]
fn a_request_is_narrowed_by_the_targets_of_its_action_and_is_then_allowed() {
    for (scopes, method, path, expected) in [
        ("read:logs-* write:app-*", "GET", "/_search", Some("/logs-*/_search")),
        ("admin:logs-* read:metrics-*", "GET", "/_search", Some("/logs-*,metrics-*/_search")),
        ("monitor:logs-* read:app-*", "GET", "/_cat/indices", Some("/_cat/indices/logs-*")),
        ("monitor:logs-*", "GET", "/_cluster/health", Some("/_cluster/health/logs-*")),
        ("monitor:logs-*", "GET", "/_search", None),
        ("read:cluster", "GET", "/_search", None),
        ("manage:logs-*", "POST", "/_refresh", None),
        ("write:logs-*", "POST", "/_bulk", None),
        ("write:logs-* read:logs-*", "POST", "/*/_delete_by_query", None),
        ("manage:logs-*", "DELETE", "/*", None),
        ("read:logs-* write:logs-*", "POST", "/_msearch", None),
    ] {
        let rights = native(scopes);
        let asked = inquiry(method, path);
        let request = Narrowable::new(asked.operation, path, None);
        let narrowed =
            request.and_then(|request| request.narrow(&rights.targets(request.action()).collect::<Vec<_>>()));
        let narrowed = narrowed.map(|narrowed| narrowed.path);
        assert_eq!(narrowed.as_deref(), expected, "{scopes}: {method} {path}");
        if let Some(path) = narrowed {
            assert!(rights.decide_inquiry(&asked).is_err(), "{scopes}: it was wider than what is held");
            assert!(rights.decide_inquiry(&inquiry(method, &path)).is_ok(), "{scopes}: {path}");
        }
    }
}
