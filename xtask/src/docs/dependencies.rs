//! The crates depend on each other as ARCHITECTURE.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::{code_spans, read, root, table};

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let text = read("ARCHITECTURE.md");
    let stated: BTreeMap<String, BTreeSet<String>> = table(&text, "dependencies")
        .iter()
        .map(|cells| {
            let name = code_spans(cells[0])[0].to_owned();
            (name, code_spans(cells[1]).into_iter().map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(stated, actual(), "left: ARCHITECTURE.md; right: the Cargo.toml files");
}

#[test]
fn what_is_pure_uses_nothing_that_waits_or_connects() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        if !["rest", "access", "claims", "handles"].contains(&package["name"].as_str().unwrap()) {
            continue;
        }
        for dependency in normal(package) {
            let name = dependency["name"].as_str().unwrap();
            let impure = ["tokio", "hyper", "http-body", "futures", "async-trait", "rustls", "socket2"];
            assert!(!impure.iter().any(|bad| name.starts_with(bad)), "{} uses {name}", package["name"]);
        }
    }
}

/// Of each crate, the crates of the project that it uses outside of its tests.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let names: BTreeSet<String> = packages.iter().map(text).collect();
    packages
        .iter()
        .map(|package| {
            let used = normal(package).map(text).filter(|name| names.contains(name)).collect();
            (text(package), used)
        })
        .collect()
}

fn normal(package: &Value) -> impl Iterator<Item = &Value> {
    package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null())
}

fn metadata() -> Value {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}
