//! YAML to and from the values of serde.

use std::borrow::Cow;

use saphyr::{LoadableYamlNode as _, Mapping, Scalar, Yaml, YamlEmitter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads one document. The error says what is wrong.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    let value = match documents.as_slice() {
        [] => Value::Object(Map::new()),
        [document] => to_value(document)?,
        _ => return Err("there is more than one document".to_owned()),
    };
    serde_json::from_value(if value.is_null() { Value::Object(Map::new()) } else { value })
        .map_err(|error| error.to_string())
}

/// Writes one document.
pub(super) fn write(value: &impl Serialize) -> Result<String, String> {
    let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
    let mut text = String::new();
    YamlEmitter::new(&mut text).dump(&to_yaml(&value)?).map_err(|error| error.to_string())?;
    // The emitter begins with a marker that a file of one document does without.
    let body = text.strip_prefix("---\n").unwrap_or(&text);
    Ok(format!("{body}\n"))
}

fn to_value(node: &Yaml<'_>) -> Result<Value, String> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(flag)) => Value::Bool(*flag),
        Yaml::Value(Scalar::Integer(number)) => Value::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Value::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        Yaml::Sequence(items) => Value::Array(items.iter().map(to_value).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let Yaml::Value(Scalar::String(key)) = key else {
                    return Err("a key is no text".to_owned());
                };
                object.insert(key.clone().into_owned(), to_value(value)?);
            }
            Value::Object(object)
        }
        Yaml::Representation(..) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => {
            return Err("tags and aliases are not understood here".to_owned());
        }
    })
}

fn to_yaml(value: &Value) -> Result<Yaml<'_>, String> {
    let text = |text| Yaml::Value(Scalar::String(Cow::Borrowed(text)));
    Ok(match value {
        Value::Null => Yaml::Value(Scalar::Null),
        Value::Bool(flag) => Yaml::Value(Scalar::Boolean(*flag)),
        Value::Number(number) => {
            let number = number.as_i64().ok_or_else(|| format!("{number} cannot be written"))?;
            Yaml::Value(Scalar::Integer(number))
        }
        Value::String(string) => text(string),
        Value::Array(items) => Yaml::Sequence(items.iter().map(to_yaml).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let mut mapping = Mapping::new();
            for (key, value) in entries {
                mapping.insert(text(key), to_yaml(value)?);
            }
            Yaml::Mapping(mapping)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for value in [
            json!({}),
            json!({"a": "yes", "b": "1", "c": "null", "d": "read:logs-*", "e": "*", "f": "a: b # c", "g": "- x", "h": ""}),
            json!({"list": ["a", "", "true", "~"], "nested": {"empty": {}, "none": [], "number": 3, "flag": false}}),
            json!({"text": "two\nlines\n", "quote": "\"it's\"", "umlaut": "äöü 🌐"}),
        ] {
            let text = write(&value).unwrap();
            assert_eq!(read::<Value>(&text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn nothing_is_an_empty_mapping() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(read::<Value>(text).unwrap(), json!({}), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for text in ["a: [", "a: 1\n---\nb: 2\n", "1: x\n"] {
            assert!(read::<Value>(text).is_err(), "{text:?}");
        }
    }
}
