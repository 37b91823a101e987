use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// Where a claim stands in a token: `realm_access.roles`, or, for names with dots, a JSON Pointer (RFC 6901)
/// such as `/https:~1~1example.com~1roles`.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimPath {
    text: Box<str>,
    names: Box<[Box<str>]>,
}

/// Why a text is not a claim path.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum ClaimPathError {
    /// A name between two dots, or the whole path, is empty.
    #[error("the claim path {0:?} has an empty name: write it as in realm_access.roles")]
    Empty(Box<str>),
    /// `~` is only an escape in a JSON Pointer.
    #[error("the claim path {0:?} is not a JSON Pointer: write ~0 for '~' and ~1 for '/'")]
    Pointer(Box<str>),
}

impl ClaimPath {
    /// The path's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names to follow, outermost first; at least one.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The texts that the claim holds: a string, number or boolean as one text, an array of these as many.
    /// Objects and null have no text.
    pub fn texts<'c>(&self, claims: &'c Map<String, Value>) -> Vec<Cow<'c, str>> {
        let mut names = self.names.iter();
        let first = names.next().and_then(|name| claims.get(&**name));
        match names.try_fold(first, |value, name| value.map(|value| value.get(&**name))).flatten() {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        let names = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|name| unescape(name).ok_or_else(|| ClaimPathError::Pointer(text.into())))
                .collect::<Result<Box<[_]>, _>>()?,
            None => text.split('.').map(Into::into).collect(),
        };
        if names.iter().any(|name| name.is_empty()) {
            return Err(ClaimPathError::Empty(text.into()));
        }
        Ok(Self { text: text.into(), names })
    }
}

fn unescape(name: &str) -> Option<Box<str>> {
    let mut parts = name.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push(match part.bytes().next()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        out.push_str(&part[1..]);
    }
    Some(out.into())
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = ClaimPathError;

    fn try_from(text: String) -> Result<Self, ClaimPathError> {
        text.parse()
    }
}

impl From<ClaimPath> for String {
    fn from(path: ClaimPath) -> Self {
        path.text.into()
    }
}
