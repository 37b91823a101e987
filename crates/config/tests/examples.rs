//! Every configuration under `examples/` is one that loads, given the files and variables it refers to.
#![expect(clippy::expect_used, reason = "a test ends at the first thing that is not as it should be")]

#[path = "support/plenty.rs"]
mod support;

use std::path::{Path, PathBuf};

use support::Plenty;

fn configurations(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            found.extend(configurations(&path));
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            found.push(path);
        }
    }
    found
}

/// Examples have YAML of other programs beside them (compose files, the engine's own settings).
fn is_ours(text: &str) -> bool {
    ["listen:", "providers:", "clusters:"].iter().all(|key| text.lines().any(|line| line.starts_with(key)))
}

#[test]
fn every_example_loads_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut checked = 0;
    for path in configurations(&folder) {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        if !is_ours(&text) {
            continue;
        }
        checked += 1;
        let schema =
            text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let schema =
            schema.unwrap_or_else(|| panic!("{}: the first line must name the schema", path.display()));
        let schema = path.parent().expect("a file has a folder").join(schema);
        assert!(schema.is_file(), "{}: the schema is not at {}", path.display(), schema.display());
        match config::parse(&text, &path, &Plenty) {
            Ok(loaded) => {
                assert!(loaded.warnings.is_empty(), "{}\n{}", path.display(), loaded.warnings.render(false));
            }
            Err(diagnostics) => panic!("{}\n{}", path.display(), diagnostics.render(false)),
        }
    }
    assert!(checked > 0, "there is no configuration under {}", folder.display());
}
