//! Paths to claims.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

/// Where a claim is: member names separated by dots, such as `realm_access.roles`. A name that holds a dot is quoted:
/// `"https://example.com/groups"`, `resource_access."my.client".roles`. Arrays on the way are looked through.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath(Vec<Box<str>>);

/// The text is no path to a claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is no path to a claim: {reason}")]
pub struct ClaimPathError {
    path: String,
    reason: &'static str,
}

impl ClaimPath {
    /// The path of one member at the top, whatever characters its name holds.
    pub fn member(name: &str) -> Self {
        Self(vec![name.into()])
    }

    /// All values at this path, in document order. A value that is an array is given as its elements.
    pub fn select<'a>(&self, claims: &'a Map<String, Value>) -> Vec<&'a Value> {
        let mut found = Vec::new();
        if let Some((first, rest)) = self.0.split_first()
            && let Some(value) = claims.get(&**first)
        {
            descend(value, rest, &mut found);
        }
        found
    }

    /// The first non-empty string at this path.
    pub fn text<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a str> {
        self.select(claims).into_iter().find_map(|value| value.as_str().filter(|text| !text.is_empty()))
    }

    /// Whether this is the path of the top-level member `name`.
    pub(crate) fn is_member(&self, name: &str) -> bool {
        matches!(&*self.0, [only] if &**only == name)
    }
}

fn descend<'a>(value: &'a Value, path: &[Box<str>], found: &mut Vec<&'a Value>) {
    match (value, path.split_first()) {
        (Value::Array(elements), _) => elements.iter().for_each(|element| descend(element, path, found)),
        (_, None) => found.push(value),
        (Value::Object(members), Some((first, rest))) => {
            if let Some(value) = members.get(&**first) {
                descend(value, rest, found);
            }
        }
        _ => {}
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        let error = |reason| ClaimPathError { path: text.to_owned(), reason };
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
                quoted.split_once('"').ok_or_else(|| error("a quotation mark is not closed"))?
            } else {
                rest.split_at(rest.find('.').unwrap_or(rest.len()))
            };
            if name.is_empty() {
                return Err(error("a name is empty"));
            }
            if name.contains('"') {
                return Err(error("quotation marks must enclose a whole name"));
            }
            names.push(name.into());
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => return Ok(Self(names)),
                None => return Err(error("a dot must follow a quoted name")),
            }
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            let quote = if name.contains('.') { "\"" } else { "" };
            write!(f, "{dot}{quote}{name}{quote}")?;
        }
        Ok(())
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_select_through_objects_and_arrays() {
        let claims = json!({
            "groups": ["a", "b"],
            "realm_access": { "roles": ["r"] },
            "resource_access": { "my.client": { "roles": ["x", ["y"]] } },
            "orgs": [{ "name": "o1" }, { "name": "o2" }, { "other": 1 }, "text"],
            "https://example.com/groups": "g",
            "empty": [],
        });
        let claims = claims.as_object().unwrap();
        for (path, expected) in [
            ("groups", vec!["a", "b"]),
            ("realm_access.roles", vec!["r"]),
            ("resource_access.\"my.client\".roles", vec!["x", "y"]),
            ("orgs.name", vec!["o1", "o2"]),
            ("\"https://example.com/groups\"", vec!["g"]),
            ("groups.a", vec![]),
            ("missing", vec![]),
            ("empty", vec![]),
            ("resource_access.my.client.roles", vec![]),
        ] {
            let path: ClaimPath = path.parse().unwrap();
            let found: Vec<_> = path.select(claims).into_iter().filter_map(Value::as_str).collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn broken_paths_are_refused() {
        for path in ["", ".", "a.", ".a", "a..b", "\"a", "\"\"", "\"a\"b", "a\"b\"", "a.\"b\"c"] {
            assert!(path.parse::<ClaimPath>().is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn text_of_a_path_parses_to_the_same_path(text in "[a-z.\"/: ]{0,20}") {
            if let Ok(path) = text.parse::<ClaimPath>() {
                prop_assert_eq!(path.to_string().parse::<ClaimPath>(), Ok(path));
            }
        }
    }
}
