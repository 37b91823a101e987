//! docs/operations-by-action.md is made from the table of operations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{read, root};

const PAGE: &str = "docs/operations-by-action.md";
const ACTIONS: [&str; 5] = ["read", "write", "manage", "monitor", "admin"];

#[test]
fn the_page_of_operations_is_the_table() {
    let expected = page(&read("crates/rest/data/operations.tsv"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(root().join(PAGE), &expected).unwrap();
    }
    let found = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    assert!(found == expected, "{PAGE} is out of date; UPDATE_EXPECTED=1 writes it anew");
}

fn page(table: &str) -> String {
    // Action, what it is done to: the operations.
    let mut groups: BTreeMap<(usize, String), BTreeSet<&str>> = BTreeMap::new();
    let mut routes = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (name, action, places) = (columns[2], columns[3], columns[4]);
        routes += 1;
        for place in places.split('+') {
            let (place, action) = place.split_once('@').unwrap_or((place, action));
            let action = ACTIONS.iter().position(|known| *known == action).expect("a known action");
            groups.entry((action, described(place))).or_default().insert(name);
        }
    }
    let mut page = format!(
        "# Operations by action\n\n\
         What the {routes} routes of the table need, by the names of the OpenSearch API specification. An operation that \
         stands in several places needs all of them. Made from `crates/rest/data/operations.tsv`.\n\n\
         How to read the second column: [scopes.md](scopes.md#what-a-request-needs).\n"
    );
    for (at, action) in ACTIONS.iter().enumerate() {
        let _ = write!(page, "\n## `{action}`\n\n| On | Operations |\n| --- | --- |\n");
        for ((_, place), names) in groups.iter().filter(|((group, _), _)| *group == at) {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(page, "| {place} | {} |", names.join(", "));
        }
    }
    page
}

/// What a place of the table means.
fn described(place: &str) -> String {
    match place.split_once(':').unwrap_or((place, "")) {
        ("path", _) => "the indices in the path".to_owned(),
        ("all", _) => "every index".to_owned(),
        ("body", _) => "what the body names".to_owned(),
        ("handle", _) => "what the handle stands for".to_owned(),
        ("querylang", _) => "what the query text names".to_owned(),
        ("cluster", _) => "`cluster`".to_owned(),
        ("plugin", name) => format!("`plugin/{name}`"),
        ("greeting", _) => "nothing; any right will do".to_owned(),
        (other, _) => other.to_owned(),
    }
}
