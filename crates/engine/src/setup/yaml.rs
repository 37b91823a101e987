//! JSON values as YAML that people like to read: block style, quotes only where needed, literal blocks for key files.

use std::fmt::Write;

use serde_json::Value;

/// `value` in block style; ends with a line break.
pub(super) fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                out.push_str(&pad);
                scalar(out, key);
                out.push(':');
                after_colon(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                if is_leaf(item) {
                    out.push_str(&pad);
                    out.push_str("- ");
                    leaf(out, item, indent);
                } else {
                    let mut inner = String::new();
                    block(&mut inner, item, indent + 2);
                    out.push_str(&pad);
                    out.push_str("- ");
                    out.push_str(&inner[indent + 2..]);
                }
            }
        }
        _ => {
            out.push_str(&pad);
            leaf(out, value, indent);
        }
    }
}

fn after_colon(out: &mut String, value: &Value, indent: usize) {
    if is_leaf(value) {
        out.push(' ');
        leaf(out, value, indent);
    } else {
        out.push('\n');
        block(out, value, indent + 2);
    }
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn leaf(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if is_literal(text) => {
            out.push_str("|\n");
            for line in text.lines() {
                out.push_str(&" ".repeat(indent + 2));
                out.push_str(line);
                out.push('\n');
            }
            return;
        }
        Value::String(text) => scalar(out, text),
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{value}");
        }
    }
    out.push('\n');
}

/// Several plain lines, each ended.
fn is_literal(text: &str) -> bool {
    text.len() > 1
        && text.ends_with('\n')
        && !text.ends_with("\n\n")
        && text.lines().all(|line| !line.is_empty() && !line.starts_with(' ') && line.chars().all(is_visible))
}

fn is_visible(c: char) -> bool {
    c.is_ascii_graphic() || c == ' '
}

fn scalar(out: &mut String, text: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    // Words that some YAML version reads as no string.
    let is_word = !matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    if is_word && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain) {
        out.push_str(text);
    } else {
        // A JSON string is a double-quoted YAML scalar (YAML 1.2 section 1.3).
        out.push_str(&Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr::{LoadableYamlNode, Yaml};
    use serde_json::json;

    use super::*;

    fn read_back(yaml: &Yaml<'_>) -> Value {
        if let Some(map) = yaml.as_mapping() {
            return map.iter().map(|(k, v)| (k.as_str().unwrap().to_owned(), read_back(v))).collect();
        }
        if let Some(items) = yaml.as_sequence() {
            return items.iter().map(read_back).collect();
        }
        if let Some(text) = yaml.as_str() {
            return text.into();
        }
        if let Some(flag) = yaml.as_bool() {
            return flag.into();
        }
        yaml.as_integer().map_or(Value::Null, Into::into)
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~\n]{0,12}".prop_map(Value::from),
            prop_oneof![Just("yes"), Just("null"), Just("~"), Just("-"), Just("1e3"), Just("read:logs-*")]
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z:* ]{1,8}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_yaml_parser_reads_the_same_value(value in value()) {
            let text = to_yaml(&value);
            let documents = Yaml::load_from_str(&text).unwrap();
            prop_assert_eq!(read_back(&documents[0]), value, "{}", text);
        }
    }

    #[test]
    fn style() {
        let value = json!({
            "config": { "key": "-----BEGIN X-----\nabc\n-----END X-----\n", "order": -1 },
            "list": ["read:logs-*", { "a": [], "b": "no" }],
        });
        assert_eq!(
            to_yaml(&value),
            concat!(
                "config:\n  key: |\n    -----BEGIN X-----\n    abc\n    -----END X-----\n  order: -1\n",
                "list:\n  - \"read:logs-*\"\n  - a: []\n    b: \"no\"\n",
            )
        );
    }
}
