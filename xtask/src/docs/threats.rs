//! The threat model and the list of faults name tests that exist.

use std::path::Path;

use super::{code_spans, read, root, table};

#[test]
fn every_test_that_is_named_as_a_proof_is_there() {
    let (threats, faults) = (read("docs/threat-model.md"), read("docs/faults.md"));
    let rows = [table(&threats, "threats"), table(&faults, "faults")].concat();
    let sources = sources(&root().join("crates")) + &sources(&root().join("xtask"));
    let named: Vec<&str> = rows.iter().flat_map(|cells| code_spans(cells[2])).collect();
    assert!(rows.iter().all(|cells| !code_spans(cells[2]).is_empty()), "a threat or a fault without a test");
    let missing: Vec<&&str> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "tests that are not there: {missing:#?}");
}

/// The text of every source file below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}
