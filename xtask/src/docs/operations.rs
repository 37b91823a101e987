//! docs/operations-by-action.md is made from the tables of operations and bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{counts, read, root};

const PAGE: &str = "docs/operations-by-action.md";
pub(super) const ACTIONS: [&str; 5] = ["read", "write", "manage", "monitor", "admin"];

/// A route of the table.
#[derive(Debug)]
pub(super) struct Row<'t> {
    pub(super) path: &'t str,
    pub(super) name: &'t str,
    /// Places, each with the action that is done there.
    pub(super) demands: Vec<(&'t str, &'t str)>,
}

/// The rows of operations.tsv.
pub(super) fn rows(table: &str) -> Vec<Row<'_>> {
    let lines = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    let row = |line| {
        let columns: Vec<&str> = str::split(line, '\t').collect();
        let demand = |place| str::split_once(place, '@').unwrap_or((place, columns[3]));
        Row { path: columns[1], name: columns[2], demands: columns[4].split('+').map(demand).collect() }
    };
    lines.map(row).collect()
}

#[test]
fn the_page_of_operations_is_the_table() {
    let mut expected = page(&read("crates/rest/data/operations.tsv"));
    expected += &counts::section(
        &read("crates/rest/data/operations.tsv"),
        &read("crates/rest/data/bodies.tsv"),
        &read("crates/rest/data/unread.tsv"),
    );
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(root().join(PAGE), &expected).unwrap();
    }
    let found = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    assert!(found == expected, "{PAGE} is out of date; UPDATE_EXPECTED=1 writes it anew");
}

fn page(table: &str) -> String {
    // Action, what it is done to: the operations.
    let mut groups: BTreeMap<(usize, String), BTreeSet<&str>> = BTreeMap::new();
    let rows = rows(table);
    let routes = rows.len();
    for row in rows {
        for (place, action) in row.demands {
            let action = ACTIONS.iter().position(|known| *known == action).expect("a known action");
            groups.entry((action, described(place))).or_default().insert(row.name);
        }
    }
    let mut page = format!(
        "# Operations by action\n\n\
         What the {routes} routes of the table need, by the names of the OpenSearch API specification. An operation that \
         stands in several places needs all of them. Made from `crates/rest/data/operations.tsv`. How many there are: \
         [in numbers](#in-numbers). What is not here: [refused on purpose](#refused-on-purpose).\n\n\
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
