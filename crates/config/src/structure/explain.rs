//! From the validator's errors to sentences.

use std::fmt::Write as _;

use jsonschema::{
    ValidationError,
    error::ValidationErrorKind as Kind,
    paths::{Location, LocationSegment},
};
use serde_json::Value;

use super::{
    SCHEMA,
    similar::nearest,
    view::{self, View},
};
use crate::{
    report::Findings,
    tree::{At, Step},
};

/// Reports `errors`; returns where unknown keys are.
pub(super) fn explain(
    document: &Value,
    errors: &[ValidationError<'_>],
    findings: &mut Findings<'_>,
) -> Vec<At> {
    let mut explainer = Explainer { document, findings, unknown: Vec::new() };
    for error in errors {
        explainer.one(error);
    }
    explainer.unknown
}

struct Explainer<'a, 'f> {
    document: &'a Value,
    findings: &'a mut Findings<'f>,
    unknown: Vec<At>,
}

impl Explainer<'_, '_> {
    fn one(&mut self, error: &ValidationError<'_>) {
        let at = to_at(error.instance_path());
        let Some(schema) = View::root(&SCHEMA).find(&at) else {
            return;
        };
        let target = schema.target();
        let value = view::find(self.document, &at).unwrap_or(&Value::Null);
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => self.unknown_keys(&at, target, unexpected),
            Kind::Required { property } => self.missing(&at, target, property.as_str().unwrap_or_default()),
            Kind::AnyOf { context } => {
                // The alternatives are the value itself and null; null is never what was meant.
                for error in context.iter().find(|errors| !is_null_branch(errors)).into_iter().flatten() {
                    self.one(error);
                }
            }
            Kind::OneOfNotValid { context } | Kind::OneOfMultipleValid { context } => {
                self.alternatives(&at, target, value, context);
            }
            Kind::Type { .. } => self.wrong_type(&at, target, value),
            Kind::Enum { options } => {
                let options = options.as_array().into_iter().flatten();
                self.choose(&at, value, &options.filter_map(Value::as_str).collect::<Vec<_>>());
            }
            Kind::MinLength { .. } => self.findings.error(&at, "is empty", give(target)),
            Kind::MinItems { .. } => self.findings.error(&at, "is an empty list", "give at least one value"),
            Kind::MinProperties { .. } => self.findings.error(&at, "is empty", "give at least one key"),
            Kind::MaxLength { limit } => {
                self.findings.error(&at, format!("is longer than {limit} characters"), "shorten it");
            }
            Kind::Minimum { .. } | Kind::Maximum { .. } => {
                let range = match (target.get("minimum"), target.get("maximum")) {
                    (Some(least), Some(most)) => format!("from {least} to {most}"),
                    (Some(least), None) => format!("of {least} or more"),
                    (None, Some(most)) => format!("up to {most}"),
                    (None, None) => String::new(),
                };
                self.findings.error(
                    &at,
                    format!("{value} is out of range"),
                    format!("choose a value {range}"),
                );
            }
            Kind::Pattern { .. } | Kind::Format { .. } => self.malformed(&at, target, value),
            _ => self.findings.error(&at, error.masked().to_string(), give(target)),
        }
    }

    fn unknown_keys(&mut self, at: &At, schema: View<'_>, keys: &[String]) {
        let known: Vec<_> = schema.properties().into_iter().map(|(name, _)| name).collect();
        for key in keys {
            let at = at.key(key);
            let cure = match (nearest(key, known.iter().copied()), elsewhere(key)) {
                (Some(meant), _) => format!("did you mean `{meant}`?"),
                (None, Some(place)) => format!("`{key}` belongs under `{place}`"),
                (None, None) if known.is_empty() => "remove it: nothing can be set here".to_owned(),
                (None, None) => format!("remove it; the keys here are {}", list(&known, "and")),
            };
            self.findings.error_at_key(&at, "unknown key", cure);
            self.unknown.push(at);
        }
    }

    fn missing(&mut self, at: &At, schema: View<'_>, property: &str) {
        let at = at.key(property);
        let meaning = schema
            .step(&Step::Key(property.to_owned()))
            .map(|schema| description(schema))
            .unwrap_or_default();
        self.findings.error_at_key(&at, "is missing", format!("add `{property}`: {meaning}"));
    }

    fn wrong_type(&mut self, at: &At, schema: View<'_>, value: &Value) {
        let expected = form(schema);
        if value.is_null() {
            return self.findings.error(at, "has no value", format!("give {expected}, or remove the key"));
        }
        let cure = match value {
            Value::Bool(_) | Value::Number(_) if schema.is_secret() => format!("give {expected}"),
            Value::Bool(_) | Value::Number(_) if schema.is("string") && schema.text("x-form").is_none() => {
                format!("put it in quotes: \"{value}\"")
            }
            Value::String(text) if schema.is("array") => format!("write a list: [\"{text}\"]"),
            Value::String(text) if schema.is("boolean") => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => "write `true`".to_owned(),
                "no" | "off" | "n" | "false" => "write `false`".to_owned(),
                _ => format!("give {expected}"),
            },
            Value::String(text)
                if (schema.is("integer") || schema.is("number")) && text.parse::<f64>().is_ok() =>
            {
                format!("remove the quotes: {text}")
            }
            _ => format!("give {expected}"),
        };
        self.findings.error(at, format!("expected {expected}, found {}", kind(value)), cure);
    }

    fn malformed(&mut self, at: &At, schema: View<'_>, value: &Value) {
        if schema.is_secret() && value.as_str().is_some_and(|text| text.starts_with("${")) {
            return self.findings.error(
                at,
                "is not a reference that is known",
                "write `${env:NAME}` for an environment variable, or `${file:path}` for a file",
            );
        }
        if schema.is_secret() {
            return self.findings.error(
                at,
                "a secret must not stand in this file",
                "put it in an environment variable or a file and write `${env:NAME}` or `${file:path}` here; \
                 write `literal:` before the value if it really is no secret",
            );
        }
        let shown = match value {
            // A URL may hold a password.
            Value::String(text) if !text.contains('@') => format!("`{text}` is not "),
            _ => "this is not ".to_owned(),
        };
        self.findings.error(at, shown + &form(schema), give(schema));
    }

    fn choose(&mut self, at: &At, value: &Value, options: &[&str]) {
        let message = match value {
            Value::String(text) => format!("`{text}` is not one of the choices"),
            other => format!("expected a word, found {}", kind(other)),
        };
        let cure = match nearest(value.as_str().unwrap_or_default(), options.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`? The choices are {}", list(options, "and")),
            None => format!("choose {}", list(options, "or")),
        };
        self.findings.error(at, message, cure);
    }

    /// Of several alternatives, each with a key or a word of its own, exactly one must be given.
    fn alternatives(
        &mut self,
        at: &At,
        schema: View<'_>,
        value: &Value,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let words: Vec<_> = schema.alternatives().filter_map(|one| one.text("const")).collect();
        if !words.is_empty() {
            return self.choose(at, value, &words);
        }
        let names: Vec<_> = schema.properties().into_iter().map(|(name, _)| name).collect();
        let Some(entries) = value.as_object() else {
            let cure = match value.as_str().and_then(|word| nearest(word, names.iter().copied())) {
                Some(meant) => format!("write `{meant}:` on a line of its own below, with its settings"),
                None => format!("write one of the keys {} below", list(&names, "or")),
            };
            return self.findings.error(at, format!("expected a mapping, found {}", kind(value)), cure);
        };
        let given: Vec<_> =
            names.iter().enumerate().filter(|(_, name)| entries.contains_key(**name)).collect();
        match given.as_slice() {
            [(index, _)] => {
                for error in context.get(*index).into_iter().flatten() {
                    self.one(error);
                }
            }
            [] => {
                let keys: Vec<_> = entries.keys().cloned().collect();
                if keys.is_empty() {
                    let cure = format!("add one of {}", list(&names, "or"));
                    self.findings.error(at, "is empty", cure);
                } else {
                    self.unknown_keys(at, schema, &keys);
                }
            }
            [_, ..] => {
                let given: Vec<_> = given.iter().map(|(_, name)| **name).collect();
                let message = format!("{} are given, but only one can hold", list(&given, "and"));
                self.findings.error(at, message, "keep the one that is meant");
            }
        }
    }
}

/// True for the errors of the alternative that wants null.
fn is_null_branch(errors: &[ValidationError<'_>]) -> bool {
    errors.iter().any(|error| {
        matches!(error.kind(), Kind::Type { .. })
            && SCHEMA.pointer(error.schema_path().as_str()).is_some_and(|wanted| wanted == "null")
    })
}

fn to_at(location: &Location) -> At {
    location
        .iter()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Key(name.into_owned()),
            LocationSegment::Index(index) => Step::Index(index),
        })
        .collect()
}

/// Where a key that is unknown here would be known, if at exactly one place.
fn elsewhere(key: &str) -> Option<String> {
    fn search(schema: View<'_>, at: &str, key: &str, found: &mut Vec<String>) {
        for (name, inner) in schema.target().properties() {
            if name == key {
                found.push(at.to_owned());
            }
            let mut path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            let mut target = inner.target();
            if let Some(items) = target.step(&Step::Index(0)) {
                path.push_str("[]");
                target = items;
            }
            search(target, &path, key, found);
        }
    }
    let mut found = Vec::new();
    search(View::root(&SCHEMA), "", key, &mut found);
    match found.as_slice() {
        [only] if only.is_empty() => None,
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// What a value must look like, for people.
fn form(schema: View<'_>) -> String {
    if let Some(form) = schema.text("x-form") {
        return form.to_owned();
    }
    match schema.text("format") {
        Some("uri") => return "a URL such as `https://host.example:9200`".to_owned(),
        Some("socket-address") => return "an address and a port such as `127.0.0.1:8443`".to_owned(),
        _ => {}
    }
    for (name, form) in [
        ("object", "a mapping (`key: value` lines)"),
        ("array", "a list (`- value` lines)"),
        ("boolean", "`true` or `false`"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("string", "a string"),
    ] {
        if schema.is(name) {
            return form.to_owned();
        }
    }
    "a mapping (`key: value` lines)".to_owned()
}

fn give(schema: View<'_>) -> String {
    format!("give {}", form(schema))
}

/// The first sentence of what the schema says about a value.
fn description(schema: View<'_>) -> String {
    let text = schema.text("description").or_else(|| schema.target().text("description")).unwrap_or_default();
    let text = text.replace('\n', " ");
    text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// `a`, `b` and `c`.
pub(crate) fn list(words: &[&str], last: &str) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if index + 1 == words.len() => &format!(" {last} "),
            _ => ", ",
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}`{word}`");
    }
    text
}
