//! docs/dashboards.md lists the routes and types as the tables have them. `UPDATE_EXPECTED=1` writes them anew.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::fmt::Write as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dashboards.md");

/// Rows of a table without its comments and head.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t').collect())
}

/// What a kind of route needs, in words; `action` is the row's.
fn needs(method: &str, kind: &str, action: &str) -> String {
    match kind {
        "here" => format!("`{action}:dashboards`, or of the workspace"),
        "whole" | "objects" | "legacy" | "by_id" | "typed" => format!("`{action}:dashboards`"),
        "create" | "listed" | "import" => format!("`{action}:dashboards`, or of the workspaces"),
        "find" | "export" => {
            format!("`{action}:dashboards`, or of the workspaces, see [Workspaces](#workspaces)")
        }
        "workspace" => format!("`{action}:dashboards/<workspace>`"),
        "greeting" => "any scope on the cluster".into(),
        "security" => format!("`{action}:plugin/security`"),
        "console" => "what the request in `method` and `path` needs".into(),
        "everything" if method == "POST" => format!("`{action}:*`, and `admin:cluster`"),
        "everything" => format!("`{action}:*`"),
        "sample" => format!("`{action}:dashboards`, and `manage` and `write` on the sample's index"),
        _ => format!("`{action}` on the indices that it names"),
    }
}

fn routes() -> String {
    let mut text = String::from("| Route | Needs | |\n| --- | --- | --- |\n");
    for row in rows(include_str!("../data/routes.tsv")) {
        let [method, path, _, action, kind, remark] = row[..] else { continue };
        let types =
            matches!(kind, "typed" | "by_id" | "create" | "listed" | "import" | "find" | "export" | "legacy");
        let types = if types { " (+ types)" } else { "" };
        let _ = writeln!(text, "| `{method} {path}` | {}{types} | {remark} |", needs(method, kind, action));
    }
    text
}

fn types() -> String {
    let mut text = String::from("| Type | Look at | Save | |\n| --- | --- | --- | --- |\n");
    for row in rows(include_str!("../data/types.tsv")) {
        let [name, read, write, remark] = row[..] else { continue };
        if !remark.is_empty() {
            let _ = writeln!(text, "| `{name}` | `{read}` | `{write}` | {remark} |");
        }
    }
    let plain: Vec<String> = rows(include_str!("../data/types.tsv"))
        .filter(|row| row.last().is_some_and(|remark| remark.is_empty()))
        .filter_map(|row| row.first().map(|name| format!("`{name}`")))
        .collect();
    let _ = writeln!(text, "| {} | `read` | `write` | |", plain.join(", "));
    text.push_str("| any other | `admin` | `admin` | not known here |\n");
    text
}

/// The page with `content` between the markers of `name`.
fn with(page: &str, name: &str, content: &str) -> String {
    let (from, to) = (format!("<!-- {name}: made by a test -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = page.split_once(&from).expect("the first marker");
    let (_, after) = rest.split_once(&to).expect("the second marker");
    format!("{before}{from}{content}{to}{after}")
}

#[test]
fn the_page_lists_what_the_tables_say() {
    let page = std::fs::read_to_string(PAGE).expect("docs/dashboards.md");
    let expected = with(&with(&page, "routes", &routes()), "types", &types());
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(PAGE, &expected).expect("docs/dashboards.md can be written");
    } else {
        assert!(
            page == expected,
            "docs/dashboards.md differs from the tables; UPDATE_EXPECTED=1 writes it anew"
        );
    }
}
