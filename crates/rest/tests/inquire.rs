//! Request lines whose body is left to be read.

use std::collections::BTreeSet;

use rest::{Action, Operation, Origin, Place, VariableKind, classify, inquire, operations};

/// A path that only this template should match.
fn sample(operation: &Operation) -> String {
    let segments = operation.path.split('/').enumerate().map(|(at, segment)| {
        // Segments of variables count from 0 behind the first slash.
        let variable = at.checked_sub(1).and_then(|at| operation.variables.iter().find(|v| v.segment == at));
        match variable.map(|variable| variable.kind) {
            Some(VariableKind::Index) => "some-index".to_owned(),
            Some(_) => "Some1".to_owned(),
            None => segment.to_owned(),
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

#[test]
fn every_query_language_is_read_or_needs_everything() {
    for operation in operations() {
        let (method, path) = (operation.method.as_str(), sample(operation));
        let inquiry =
            inquire(method, &path, None, None).unwrap_or_else(|refusal| panic!("{method} {path}: {refusal}"));
        let in_body = |place: Place| matches!(place, Place::Body | Place::QueryLanguage);
        let named_in_body = operation.demands.iter().any(|demand| in_body(demand.on));
        let covered =
            inquiry.needs.iter().any(|need| matches!(need.origin, Origin::Body | Origin::QueryLanguage));
        assert!(!(inquiry.body.is_some() && covered), "{method} {path}: read, and everything, too");
        if named_in_body {
            assert!(inquiry.body.is_some() || covered, "{method} {path}");
        }
        if operation.takes_dsl() {
            assert!(inquiry.body.is_some(), "{method} {path}: its body can look up other indices");
        }
    }
}

#[test]
fn without_a_body_to_read_an_inquiry_is_an_ask() {
    let query = Some("expand_wildcards=all&pipeline=p");
    for operation in operations() {
        let (method, path) = (operation.method.as_str(), sample(operation));
        let inquiry =
            inquire(method, &path, query, None).map(|inquiry| (inquiry.needs, inquiry.body.is_some()));
        let ask = classify(method, &path, query).map(|ask| ask.needs);
        match (inquiry, ask) {
            (Ok((needs, false)), Ok(asked)) => assert_eq!(needs, asked, "{method} {path}"),
            // What the request line needs never depends on whether the body is read.
            (Ok((needs, true)), Ok(asked)) => {
                assert!(needs.iter().all(|need| asked.contains(need)), "{method} {path}");
            }
            (Err(refusal), Err(same)) => assert_eq!(refusal, same),
            other => panic!("{method} {path}: {other:?}"),
        }
    }
}

#[test]
fn a_plan_says_beforehand_which_actions_its_body_can_need() {
    for (method, path, actions) in [
        ("POST", "/_bulk", vec![Action::Read, Action::Write]),
        ("POST", "/_msearch", vec![Action::Read]),
        ("POST", "/logs/_search", vec![Action::Read]),
        ("POST", "/_reindex", vec![Action::Read, Action::Write]),
        ("POST", "/_aliases", vec![Action::Read, Action::Manage]),
        ("GET", "/_cluster/allocation/explain", vec![Action::Monitor]),
        ("POST", "/_plugins/_sql", vec![Action::Read]),
    ] {
        let inquiry = inquire(method, path, None, None).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        let plan = inquiry.body.unwrap_or_else(|| panic!("{path}: nothing to read"));
        assert_eq!(plan.actions().iter().collect::<Vec<_>>(), actions, "{path}");
        let everything: BTreeSet<Action> = plan.everything().iter().map(|need| need.action).collect();
        assert!(actions.iter().all(|action| everything.contains(action)), "{path}");
    }
}

#[test]
fn refusals_of_bodies_say_where_and_how_to_cure_it() {
    use rest::BodyLimits;
    for (path, media, body, status, reason, said) in [
        ("/logs/_search", "application/json", "{\"a\":1,\"a\":2}", 400, "body_not_canonical", "byte 9"),
        ("/logs/_search", "application/cbor", "x", 415, "body_media_type", "send application/json"),
        ("/_bulk", "application/json", "{\"index\":{}}\n", 400, "body_names_no_index", "name one"),
        (
            "/_bulk",
            "application/json",
            "{\"index\":{\"_index\":\"a b\"}}\n",
            400,
            "body_index_expression",
            "\"a b\"",
        ),
        ("/_bulk", "application/json", "{\"x\":{}}\n", 400, "body_line", "line 1"),
    ] {
        let inquiry =
            inquire("POST", path, None, Some(media)).unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        let mut reader = inquiry.body.unwrap_or_else(|| panic!("{path}")).reader(BodyLimits::default());
        let refusal = reader.feed(body.as_bytes(), &mut Vec::new()).expect_err(body);
        assert_eq!((refusal.status(), refusal.reason()), (status, reason), "{body}");
        assert!(refusal.to_string().contains(said), "{refusal}");
    }
}

#[test]
fn what_was_not_understood_is_told() {
    use rest::BodyLimits;
    let inquiry =
        inquire("POST", "/logs/_search", None, Some("application/json")).unwrap_or_else(|e| panic!("{e}"));
    let mut reader = inquiry.body.unwrap_or_else(|| panic!("a body")).reader(BodyLimits::default());
    assert_eq!(reader.not_understood(), None);
    let fed = reader.feed(b"{\"query\":{\"future\":{}}}", &mut Vec::new());
    assert_eq!((fed, reader.not_understood()), (Ok(()), Some("future")));
}
