use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::{ClaimPathError, parse};

/// Where a claim is: member names separated by dots, such as `realm_access.roles`. A name that holds a dot or a slash
/// is quoted: `"https://example.com/groups"`, `resource_access."my.client".roles`. Arrays on the way are looked
/// through.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClaimPath(Box<[Box<str>]>);

/// A JSON value, in whatever form it is kept.
pub trait Tree: Sized {
    /// The elements, if it is an array.
    fn elements(&self) -> Option<&[Self]>;
    /// The member of this name, if it is an object that has one.
    fn member(&self, name: &str) -> Option<&Self>;
    /// The text, if it is a string.
    fn text(&self) -> Option<&str>;
}

impl Tree for Value {
    fn elements(&self) -> Option<&[Self]> {
        self.as_array().map(Vec::as_slice)
    }

    fn member(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    fn text(&self) -> Option<&str> {
        self.as_str()
    }
}

impl ClaimPath {
    /// The path of one member at the top, whatever characters its name holds.
    pub fn member(name: &str) -> Self {
        Self([name.into()].into())
    }

    /// All values at this path, in document order. A value that is an array is given as its elements.
    pub fn select<'c>(&self, claims: &'c Map<String, Value>) -> Vec<&'c Value> {
        let mut found = Vec::new();
        let _: Option<()> = self.look_up(
            |name| claims.get(name),
            |value| {
                found.push(value);
                None
            },
        );
        found
    }

    /// What `look` makes of the first of these values of which it makes anything, in any form of JSON. `top` gives the members of
    /// the object at the top.
    pub fn look_up<'c, N: Tree + 'c, T>(
        &self,
        top: impl FnOnce(&str) -> Option<&'c N>,
        mut look: impl FnMut(&'c N) -> Option<T>,
    ) -> Option<T> {
        let (first, rest) = self.0.split_first()?;
        descend(top(first)?, rest, &mut look)
    }

    /// The texts of all values at this path, in document order; see [`scalar_text`].
    pub fn texts<'c>(&self, claims: &'c Map<String, Value>) -> Vec<Cow<'c, str>> {
        self.select(claims).into_iter().filter_map(scalar_text).collect()
    }

    /// The first non-empty string at this path. Numbers and booleans do not count: what is wanted is a name.
    pub fn first_string<'c, N: Tree + 'c>(&self, top: impl FnOnce(&str) -> Option<&'c N>) -> Option<&'c str> {
        self.look_up(top, |value| value.text().filter(|text| !text.is_empty()))
    }

    /// Whether this is the path of the top-level member `name`.
    pub fn is_member(&self, name: &str) -> bool {
        matches!(&*self.0, [only] if &**only == name)
    }
}

/// The text of a string, a number or a boolean, the latter two as JSON writes them. Null, arrays and objects have none.
pub fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn descend<'c, N: Tree + 'c, T>(
    value: &'c N,
    path: &[Box<str>],
    look: &mut impl FnMut(&'c N) -> Option<T>,
) -> Option<T> {
    match (value.elements(), path.split_first()) {
        (Some(elements), _) => elements.iter().find_map(|element| descend(element, path, look)),
        (None, None) => look(value),
        (None, Some((first, rest))) => descend(value.member(first)?, rest, look),
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        parse::names(text).map(|names| Self(names.into()))
    }
}

/// As it is parsed: names are quoted where they must be.
impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            if name.contains(parse::MUST_BE_QUOTED) {
                write!(f, "\"{}\"", name.replace('"', "\"\""))?;
            } else {
                f.write_str(name)?;
            }
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
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format!("`{text}` is not a claim path: {error}")))
    }
}
