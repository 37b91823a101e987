//! Resolution against a model that looks at every name by itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use catalogue::{Catalogue, Entry, Wildcards};
use proptest::prelude::*;
use serde_json::json;

/// Names over a small alphabet, so that patterns meet them often; each with what it is.
fn things() -> impl Strategy<Value = Vec<(String, u8)>> {
    prop::collection::btree_map("[.]?[ab]{1,3}", 0_u8..6, 0..12).prop_map(|map| map.into_iter().collect())
}

fn catalogue(things: &[(String, u8)]) -> Catalogue {
    let mut listing = json!({"indices": [], "aliases": [], "data_streams": []});
    for (name, kind) in things {
        let (list, thing) = match kind {
            0 => ("aliases", json!({"name": name, "indices": ["behind"]})),
            1 => (
                "data_streams",
                json!({"name": name, "backing_indices": [], "timestamp_field": "@timestamp"}),
            ),
            2 => ("indices", json!({"name": name, "attributes": ["hidden", "open"]})),
            3 => ("indices", json!({"name": name, "attributes": ["closed"]})),
            4 => ("indices", json!({"name": name, "attributes": ["closed", "hidden"]})),
            _ => ("indices", json!({"name": name, "attributes": ["open"]})),
        };
        listing[list].as_array_mut().unwrap().push(thing);
    }
    Catalogue::from_resolve_index(listing.to_string().as_bytes()).unwrap()
}

/// Whether `*` and letters match a name, by trying every split.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).any(|at| matches(&pattern[1..], &name[at..])),
        Some(c) => name.strip_prefix(c).is_some_and(|rest| matches(&pattern[1..], rest)),
    }
}

/// Whether the whole expression means this name.
fn means(expression: &[(bool, String)], name: &str, kind: u8, wildcards: Wildcards) -> bool {
    let mut inside = false;
    let mut wildcard_seen = false;
    for (excluded, pattern) in expression {
        let wild = pattern.contains('*');
        if *excluded && wildcard_seen {
            inside &= !matches(pattern, name);
        } else if wild {
            wildcard_seen = true;
            let hidden = matches!(kind, 2 | 4);
            let closed = matches!(kind, 3 | 4);
            let seen = !hidden || wildcards.hidden || (pattern.starts_with('.') && name.starts_with('.'));
            inside |= matches(pattern, name) && seen && (!closed || wildcards.closed);
        } else {
            inside |= pattern == name;
        }
    }
    inside
}

proptest! {
    #[test]
    fn an_expression_means_what_it_means_name_by_name(
        things in things(),
        expression in prop::collection::vec((any::<bool>(), "[.]?[ab*]{1,3}"), 1..5),
        hidden in any::<bool>(),
        closed in any::<bool>(),
    ) {
        let wildcards = Wildcards { hidden, closed };
        let catalogue = catalogue(&things);
        // An exclusion before any wildcard is refused elsewhere and is a name here.
        let mut wild = false;
        let expression: Vec<_> = expression
            .into_iter()
            .map(|(excluded, pattern)| {
                let excluded = excluded && wild;
                wild |= pattern.contains('*') && !excluded;
                (excluded, pattern)
            })
            .collect();
        let text: Vec<_> =
            expression.iter().map(|(excluded, pattern)| format!("{}{pattern}", if *excluded { "-" } else { "" })).collect();
        let resolved = catalogue.resolve(&text.join(","), wildcards).unwrap();
        let expected: Vec<_> = things
            .iter()
            .filter(|(name, kind)| means(&expression, name, *kind, wildcards))
            .map(|(name, _)| name.as_str())
            .collect();
        prop_assert_eq!(resolved.names, expected);
        for name in resolved.missing {
            prop_assert!(catalogue.get(&name).is_none());
        }
    }
}

proptest! {
    #[test]
    fn the_aliases_in_a_pattern_are_those_that_it_matches(things in things(), pattern in "[.]?[ab*]{1,3}") {
        let catalogue = catalogue(&things);
        let parsed = rest::Pattern::parse(&pattern).unwrap();
        let found: Vec<_> = catalogue.aliases_in(&parsed).map(|(name, _)| name.to_owned()).collect();
        let expected: Vec<_> = things
            .into_iter()
            .filter(|(name, kind)| *kind == 0 && matches(&pattern, name))
            .map(|(name, _)| name)
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert!(catalogue.aliases_in(&parsed).all(|(_, indices)| indices.len() == 1));
    }
}

#[test]
fn what_is_behind_a_name() {
    let catalogue = catalogue(&[("a".to_owned(), 5), ("b".to_owned(), 0), (".a".to_owned(), 2)]);
    assert_eq!(catalogue.behind("a"), ["a"]);
    assert_eq!(catalogue.behind("b"), ["behind"]);
    assert!(catalogue.behind("c").is_empty());
    assert!(matches!(
        catalogue.get(".a"),
        Some(Entry::Index { hidden: true, closed: false, data_stream: None })
    ));
}

#[test]
fn what_is_no_listing_is_told() {
    for text in ["", "[]", "{}", r#"{"error":{"type":"security_exception"},"status":403}"#] {
        let error = Catalogue::from_resolve_index(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("/_resolve/index"), "{error}");
    }
}
