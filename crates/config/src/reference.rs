//! The reference documentation, made from the schema.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    structure::{SCHEMA, view::View},
    tree::Step,
};

const INTRODUCTION: &str = include_str!("reference/introduction.md");

/// The reference of all keys, in Markdown: each with its form, its default and its meaning.
pub fn reference() -> String {
    let mut writer = Writer { text: INTRODUCTION.to_owned(), sections: BTreeMap::new() };
    writer.section("", View::root(&SCHEMA));
    writer.text
}

struct Writer {
    text: String,
    /// Where each definition is already explained.
    sections: BTreeMap<*const Value, String>,
}

impl Writer {
    /// Explains a mapping at `path`, then what is in it.
    fn section(&mut self, path: &str, schema: View<'_>) {
        let target = schema.target();
        if !path.is_empty() {
            self.sections.insert(target.identity(), path.to_owned());
            let meaning = paragraph(target.text("description").unwrap_or_default());
            self.text.extend(["\n## `", path, "`\n\n", &meaning, "\n"]);
        }
        let mut properties = target.properties();
        if properties.is_empty() {
            return;
        }
        let required = |name: &str| {
            target
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|required| required == name))
        };
        properties.sort_by_key(|(name, _)| !required(name));
        let one_of = target.alternatives().next().is_some();
        self.text.push_str("\n| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
        let mut inner = Vec::new();
        for (name, property) in properties {
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let (path, holder) = descend(path, property);
            let is_section = holder.target().is("object") && !holder.target().properties().is_empty()
                || holder.target().alternatives().any(|one| one.get("properties").is_some());
            let known = self.sections.get(&holder.target().identity()).cloned();
            let value = match (&known, is_section) {
                (Some(known), _) => format!("as [`{known}`]({})", anchor(known)),
                (None, true) => format!("[`{path}`]({})", anchor(&path)),
                (None, false) => form(property),
            };
            let default = match property.get("default") {
                _ if one_of => "exactly one of these keys".to_owned(),
                _ if required(name) => "required".to_owned(),
                Some(default) if !default.is_null() => format!("`{}`", plain(default)),
                _ if is_section && !property.allows_null() => "optional".to_owned(),
                _ => "none".to_owned(),
            };
            let meaning = meaning(target, name, property);
            let meaning = meaning.replace('|', "\\|");
            self.text.extend(["| `", name, "` | ", &value, " | ", &default, " | ", &meaning, " |\n"]);
            if is_section && known.is_none() {
                inner.push((path, holder));
            }
        }
        for (path, schema) in inner {
            self.section(&path, schema);
        }
    }
}

/// From a list or a map to what it holds: `providers` to `providers[]`.
fn descend(path: String, schema: View<'_>) -> (String, View<'_>) {
    match schema.step(&Step::Index(0)) {
        Some(items) => (format!("{path}[]"), items),
        None => (path, schema),
    }
}

fn meaning(parent: View<'_>, name: &str, property: View<'_>) -> String {
    let mut text = if property.text("description").is_some() {
        paragraph(description(property, property.target()))
    } else {
        // A key of a `oneOf` is explained by its alternative.
        let own = parent.alternatives().find(|one| one.properties().iter().any(|(key, _)| *key == name));
        paragraph(own.and_then(|one| one.text("description")).unwrap_or_default())
    };
    let target = property.target();
    let choices = target.alternatives().filter_map(|one| {
        Some(format!("`{}`: {}", one.text("const")?, one.text("description").unwrap_or_default()))
    });
    for choice in choices {
        text.push(' ');
        text.push_str(&choice);
    }
    text
}

fn description<'s>(schema: View<'s>, target: View<'s>) -> &'s str {
    schema.text("description").or_else(|| target.text("description")).unwrap_or_default()
}

fn paragraph(text: &str) -> String {
    text.replace('\n', " ")
}

/// The form of a value, with its bounds.
fn form(schema: View<'_>) -> String {
    let target = schema.target();
    if let Some(items) = target.get("items").and_then(|_| schema.step(&Step::Index(0))) {
        return format!("list: {}", form(items));
    }
    if target.is("object") {
        return match schema.step(&Step::Key("…".to_owned())) {
            Some(values) => format!("map: {}", form(values)),
            None => "`{}`".to_owned(),
        };
    }
    let words: Vec<_> = match target.get("enum").and_then(Value::as_array) {
        Some(words) => words.iter().filter_map(Value::as_str).collect(),
        None => target.alternatives().filter_map(|one| one.text("const")).collect(),
    };
    if !words.is_empty() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    let kind = match (target.text("x-file"), target.text("format")) {
        _ if target.is_secret() => "secret",
        (Some("write"), _) => "path of a file to write",
        (Some("folder"), _) => "path of a folder",
        (Some(_), _) => "path of a file",
        (_, Some("uri")) => "URL",
        (_, Some("claim-path")) => "claim path",
        (_, Some("socket-address")) => "address and port",
        _ if target.text("x-min").is_some() && target.is("integer") => "size",
        _ if target.text("x-min").is_some() => "duration",
        _ if target.is("boolean") => "`true` or `false`",
        _ if target.is("integer") => "whole number",
        _ if target.is("number") => "number",
        _ if target.text("pattern").is_some() => "name",
        _ => "text",
    };
    let bound = |standard: &str, own: &str| {
        target.text(own).map(str::to_owned).or_else(|| Some(plain(target.get(standard)?)))
    };
    match (bound("minimum", "x-min").filter(|_| !target.is_secret()), bound("maximum", "x-max")) {
        (Some(least), Some(most)) => format!("{kind}, {} to {most}", target.text("x-min").unwrap_or(&least)),
        (Some(least), None) => format!("{kind}, {least} or more"),
        _ => kind.to_owned(),
    }
}

/// As YAML has it in one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The anchor that Markdown renderers make of a heading.
fn anchor(path: &str) -> String {
    let kept = path.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    format!("#{}", kept.collect::<String>())
}
