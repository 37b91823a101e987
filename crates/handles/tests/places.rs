//! The table of places agrees with the table of operations.

use std::collections::BTreeSet;

use handles::{Caller, Field, Kind, Used, When, places};
use rest::{Operation, Place, operations};

/// Operations that take a handle and are left out on purpose: they are about the handles of everyone.
const OF_EVERYONE: [&str; 3] = ["cat.all_pit_segments", "delete_all_pits", "get_all_pits"];

fn takes_handle(operation: &Operation) -> bool {
    operation.demands.iter().any(|demand| demand.on == Place::Handle)
}

fn named(operation: &str) -> Vec<&'static Operation> {
    operations().iter().filter(|known| known.name == operation).collect()
}

#[test]
fn every_operation_that_takes_a_handle_has_a_place_for_it() {
    for operation in operations().iter().filter(|operation| takes_handle(operation)) {
        let used = places(operation.name).is_some_and(|places| !places.used.is_empty());
        assert_ne!(used, OF_EVERYONE.contains(&operation.name), "{operation}");
    }
}

#[test]
fn every_variable_that_holds_a_handle_is_in_a_path() {
    let rows: BTreeSet<&str> = operations().iter().map(|operation| operation.name).collect();
    let mut seen = 0;
    for places in rows.iter().filter_map(|name| places(name)) {
        seen += 1;
        for used in places.used {
            if let Used::Variable { name, .. } = used {
                let routes = named(places.operation);
                let has = |route: &&Operation| route.variables.iter().any(|variable| variable.name == *name);
                assert!(routes.iter().any(has), "{}: {name}", places.operation);
            }
        }
    }
    let in_file: BTreeSet<&str> = include_str!("../data/places.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(seen, in_file.len(), "an operation of the file is not in the table of operations");
}

#[test]
fn places_are_found_by_operation() {
    assert_eq!(places("index"), None);
    let scroll = places("scroll").unwrap();
    assert_eq!(scroll.used.len(), 3);
    assert!(scroll.used.contains(&Used::Variable { name: "scroll_id", kind: Kind::Scroll, several: false }));
    assert_eq!(scroll.in_body().collect::<Vec<_>>(), [Field { path: &["scroll_id"], kind: Kind::Scroll }]);
    let clear = places("clear_scroll").unwrap();
    assert!(clear.used.contains(&Used::Parameter { name: "scroll_id", kind: Kind::Scroll, several: true }));
    let search = places("search").unwrap();
    assert_eq!(search.in_body().collect::<Vec<_>>(), [Field { path: &["pit", "id"], kind: Kind::Pit }]);
}

#[test]
fn an_answer_tells_a_handle_on_its_condition() {
    for (operation, key, query, given, told) in [
        ("search", "_scroll_id", Some(("scroll", "1m")), false, true),
        ("search", "_scroll_id", Some(("size", "1")), true, false),
        ("search", "pit_id", None, false, false),
        ("search", "pit_id", None, true, true),
        ("create_pit", "pit_id", None, false, true),
        ("sql.query", "cursor", None, false, true),
        ("reindex", "task", Some(("wait_for_completion", "false")), false, true),
        ("reindex", "task", Some(("wait_for_completion", "true")), false, false),
        ("reindex", "task", None, false, false),
    ] {
        let told_by = places(operation).unwrap().told;
        let row = told_by.iter().find(|row| row.field.path == [key]).unwrap();
        let parameter = |name: &str| query.and_then(|(known, value)| (known == name).then_some(value));
        assert_eq!(row.when.is_met(parameter, given), told, "{operation} {key} {query:?} {given}");
    }
    let deleted = places("delete_pit").unwrap().told[0];
    assert_eq!((deleted.field.path, deleted.when), (&["pits", "pit_id"][..], When::Given));
}

#[test]
fn a_body_is_read_where_a_handle_can_stand_in_it() {
    let reads: BTreeSet<String> = operations()
        .iter()
        .filter(|operation| Caller::reads_body(operation))
        .map(|operation| format!("{} {}", operation.name, operation.path))
        .collect();
    let expected = [
        "cat.pit_segments /_cat/pit_segments",
        "clear_scroll /_search/scroll",
        "clear_scroll /_search/scroll/{scroll_id}",
        "delete_pit /_search/point_in_time",
        "scroll /_search/scroll",
        "scroll /_search/scroll/{scroll_id}",
        "search /_search",
        "sql.close /_plugins/_sql/close",
        "sql.explain /_plugins/_sql/_explain",
        "sql.query /_plugins/_sql",
    ];
    assert_eq!(reads.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
