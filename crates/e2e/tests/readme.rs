//! The configuration that README.md proposes is one that the program takes, and the decisions that it tells hold.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::path::Path;

use access::Scope;
use e2e::ProxyFiles;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

#[test]
fn the_first_configuration_is_without_mistakes_and_warnings() {
    let text = readme();
    let (_, after) = text.split_once("<!-- checked: readme-config -->").unwrap();
    let lines = after.lines().skip_while(|line| line.trim() != "```yaml").skip(1);
    let lines = lines.take_while(|line| line.trim() != "```");
    // The block is indented as a part of a list.
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
    let yaml = lines.join("\n");
    let files = ProxyFiles::new();
    files.write("engine-key.pem", &std::fs::read_to_string(files.path("signing.pem")).unwrap());
    files.write("opensearch-ca.pem", &std::fs::read_to_string(files.ca()).unwrap());
    files.write("proxy.yml", &yaml);
    let loaded = config::load(&files.path("proxy.yml"), &|_| None)
        .map_err(|diagnostics| diagnostics.render(false))
        .unwrap();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}

/// Rows of the table of scopes: a scope, requests it allows, requests it does not.
#[test]
fn the_examples_of_scopes_are_decided_as_told() {
    let text = readme();
    let rows = text.lines().skip_while(|line| !line.starts_with("| Scope |")).skip(2);
    let mut tried = 0;
    for row in rows.take_while(|row| row.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let scope: Scope = cells[0].trim().trim_matches('`').parse().unwrap();
        for (cell, expected) in [(cells[1], true), (cells[2], false)] {
            for request in requests(cell) {
                let (method, path) = request.split_once(' ').unwrap();
                let (path, query) =
                    path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
                let ask = rest::classify(method, path, query).unwrap();
                let allowed = ask.needs.iter().all(|need| scope.allows(need));
                assert_eq!(allowed, expected, "{scope}: {request}");
                tried += 1;
            }
        }
    }
    assert!(tried > 15, "only {tried} examples were found");
}

/// The code spans that are requests.
fn requests(cell: &str) -> Vec<&str> {
    let methods = ["GET ", "PUT ", "POST ", "DELETE ", "HEAD "];
    let spans = cell.split('`').skip(1).step_by(2);
    spans.filter(|span| methods.iter().any(|method| span.starts_with(method))).collect()
}
