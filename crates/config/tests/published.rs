//! The published schema and reference equal what the model gives.
#![expect(clippy::expect_used, reason = "a test ends at the first thing that is not as it should be")]

#[path = "support/expected.rs"]
mod expected;

use std::path::Path;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn schema() {
    let mut text = serde_json::to_string_pretty(&config::schema()).expect("a schema is JSON");
    text.push('\n');
    expected::assert_equals(&root().join("schema/config.schema.json"), &text);
}

#[test]
fn reference() {
    expected::assert_equals(&root().join("docs/configuration.md"), &config::reference());
}

/// What the file may leave out has a default that the schema tells, or its absence is explained.
#[test]
fn every_default_is_documented() {
    let schema = config::schema();
    let mut undocumented = Vec::new();
    for (name, definition) in std::iter::once(("Config", &schema)).chain(
        schema["$defs"]
            .as_object()
            .expect("definitions")
            .iter()
            .map(|(name, schema)| (name.as_str(), schema)),
    ) {
        let required = definition["required"].as_array().cloned().unwrap_or_default();
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(
                property["description"].as_str().is_some_and(|text| !text.is_empty()),
                "{name}.{key} has no description"
            );
            let optional = property["type"].as_array().is_some_and(|types| types.contains(&"null".into()))
                || property["anyOf"].is_array();
            // A section of its own has a default for each of its keys.
            let section = property["$ref"].is_string();
            let told = property.get("default").is_some_and(|default| *default != Value::Null);
            if !required.contains(&key.as_str().into()) && !optional && !section && !told {
                undocumented.push(format!("{name}.{key}"));
            }
        }
    }
    assert!(undocumented.is_empty(), "no default is told for {undocumented:?}");
}
