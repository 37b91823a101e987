//! How many operations the table knows, by where what they touch is named; a part of docs/operations-by-action.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::operations::{ACTIONS, Row, rows};
use super::read;

/// Kinds of places, in the order of the table. The second is what a row of them is called.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Path, "indices in the path"),
    (Kind::All, "every index, since none is named or the answer tells of all"),
    (Kind::BodyRead, "what the body names, read exactly"),
    (Kind::BodyEverything, "every index, since the body can name any and is not read on purpose"),
    (Kind::QueryText, "what the query text names, read exactly"),
    (Kind::Handle, "every index, since a handle can stand for any"),
    (Kind::Cluster, "the cluster"),
    (Kind::Plugin, "a plugin's own objects, but the security plugin's"),
    (Kind::Security, "the security plugin"),
    (Kind::Greeting, "nothing; any right will do"),
];

/// Surfaces of which no route is in the table, by the beginning of their paths.
const REFUSED: [(&str, &str); 4] = [
    ("/_plugins/_alerting", "alerting; OpenSearch's API specification does not list its routes"),
    ("/_plugins/_anomaly_detection", "anomaly detection; the same"),
    ("/_plugins/_reports", "reports; the same"),
    ("/_plugins/_async_query", "asynchronous queries of the SQL plugin; they run elsewhere"),
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Path,
    All,
    BodyRead,
    BodyEverything,
    QueryText,
    Handle,
    Cluster,
    Plugin,
    Security,
    Greeting,
}

impl Kind {
    fn of(place: &str, body_is_read: bool) -> Self {
        match place.split_once(':').unwrap_or((place, "")) {
            ("path", _) => Self::Path,
            ("all", _) => Self::All,
            ("body", _) if body_is_read => Self::BodyRead,
            ("querylang", _) if body_is_read => Self::QueryText,
            ("body" | "querylang", _) => Self::BodyEverything,
            ("handle", _) => Self::Handle,
            ("cluster", _) => Self::Cluster,
            ("plugin", "security") => Self::Security,
            ("plugin", _) => Self::Plugin,
            ("greeting", _) => Self::Greeting,
            (other, _) => panic!("{other:?} is not a place that is counted"),
        }
    }
}

/// Names of the operations whose bodies are read.
fn bodies(table: &str) -> BTreeSet<&str> {
    let lines = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(|line| line.split('\t').next()).collect()
}

/// The section of the page.
pub(super) fn section(table: &str, bodies_table: &str, unread_table: &str) -> String {
    let rows = rows(table);
    let bodies = bodies(bodies_table);
    let mut section = format!(
        "\n## In numbers\n\nRoutes: {}. Operations, of which one can have several routes: {}. A cell counts routes. A route that needs \
         several things counts in each of their cells, so these add up to more than the last line.\n\n| Named by |",
        rows.len(),
        names(rows.iter()).len(),
    );
    for action in ACTIONS {
        let _ = write!(section, " `{action}` |");
    }
    let _ = writeln!(section, " routes | operations |\n| --- |{}", " ---: |".repeat(ACTIONS.len() + 2));
    for (kind, called) in KINDS {
        let of_kind = |row: &&Row<'_>, action: Option<&str>| {
            row.demands.iter().any(|(place, demanded)| {
                Kind::of(place, bodies.contains(row.name)) == kind
                    && action.is_none_or(|action| action == *demanded)
            })
        };
        line(&mut section, called, &rows, of_kind);
    }
    line(&mut section, "any of these", &rows, |row, action| {
        action.is_none_or(|action| row.demands.iter().any(|(_, demanded)| action == *demanded))
    });
    let in_body =
        |row: &&Row<'_>| row.demands.iter().any(|(place, _)| matches!(*place, "body" | "querylang"));
    let named_in_body = names(rows.iter().filter(in_body));
    let beside = bodies.difference(&named_in_body).count();
    let unread: Vec<(&str, &str)> = unread_table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let reasoned: BTreeSet<&str> = unread.iter().map(|(name, _)| *name).collect();
    let unknown =
        named_in_body.iter().filter(|name| !bodies.contains(*name) && !reasoned.contains(*name)).count();
    let _ = writeln!(
        section,
        "\nBodies are read on clusters with `read_bodies`: of {} operations in all. For {beside} of them the request line says what is touched, \
         and the body is read for what it can name beside. Without `read_bodies` the lines above that say \"read exactly\" need every index.",
        bodies.len(),
    );
    let _ = writeln!(
        section,
        "\n## Bodies that are not read\n\nOf the {} operations that are named in their bodies, {} are read, {} need every index on purpose, and {unknown} are undecided. \
         The reasons, from `crates/rest/data/unread.tsv`:\n\n| Operation | Needs its action on every index, because |\n| --- | --- |",
        named_in_body.len(),
        named_in_body.intersection(&bodies).count(),
        reasoned.len(),
    );
    for (name, reason) in unread {
        let _ = writeln!(section, "| `{name}` | {reason} |");
    }
    section.push_str(&refused());
    section
}

fn line(
    section: &mut String,
    called: &str,
    rows: &[Row<'_>],
    counts: impl Fn(&&Row<'_>, Option<&str>) -> bool,
) {
    let _ = write!(section, "| {called} |");
    for action in ACTIONS {
        let _ = match rows.iter().filter(|row| counts(row, Some(action))).count() {
            0 => write!(section, " |"),
            count => write!(section, " {count} |"),
        };
    }
    let counted = || rows.iter().filter(|row| counts(row, None));
    let _ = writeln!(section, " {} | {} |", counted().count(), names(counted()).len());
}

fn names<'r, 't: 'r>(rows: impl Iterator<Item = &'r Row<'t>>) -> BTreeSet<&'t str> {
    rows.map(|row| row.name).collect()
}

fn refused() -> String {
    let mut section = "\n## Refused on purpose\n\nWhat is not in the table is refused (`unknown_operation`), whatever the token holds. \
         Among that are these, with all of their routes, also under `/_opendistro`:\n\n| Paths below | What it is |\n| --- | --- |\n"
        .to_owned();
    for (path, what) in REFUSED {
        let _ = writeln!(section, "| `{path}` | {what} |");
    }
    section
}

#[test]
fn what_is_refused_on_purpose_has_no_route() {
    let table = read("crates/rest/data/operations.tsv");
    for (path, _) in REFUSED {
        let older = path.replace("/_plugins/", "/_opendistro/");
        let known = rows(&table).into_iter().find(|row| {
            [path, &older].iter().any(|refused| {
                row.path.strip_prefix(refused).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        });
        assert!(known.is_none(), "{path} is said to be refused, and the table has {known:?}");
    }
}

#[test]
fn a_route_counts_once_for_each_thing_it_needs() {
    let table = "method\tpath\tname\taction\tplace\tremark\n\
                 POST\t/{index}/_bulk\tbulk\twrite\tpath:index+body\t\n\
                 PUT\t/{index}/_bulk\tbulk\twrite\tpath:index+body\t\n\
                 POST\t/_x\tx\tmanage\tbody+all@read\t\n";
    let bodies = "operation\tformat\tshape\tunnamed\nbulk\tbulk\taction_line\trefused\n";
    let section = section(table, bodies, "operation\treason\nx\tit says so\n");
    for line in [
        "| indices in the path | | 2 | | | | 2 | 1 |",
        "| every index, since none is named or the answer tells of all | 1 | | | | | 1 | 1 |",
        "| what the body names, read exactly | | 2 | | | | 2 | 1 |",
        "| every index, since the body can name any and is not read on purpose | | | 1 | | | 1 | 1 |",
        "| any of these | 1 | 2 | 1 | | | 3 | 2 |",
        "Of the 2 operations that are named in their bodies, 1 are read, 1 need every index on purpose, and 0 are undecided.",
        "| `x` | it says so |",
    ] {
        assert!(section.contains(line), "{line} in {section}");
    }
}
