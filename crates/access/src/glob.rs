use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text in which `*` stands for any run of characters, also none. Everything else is literal.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Glob(Box<str>);

impl Glob {
    /// Every text is a glob.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The glob's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every text that matches begins with; `None` if only the glob's own text does.
    pub(crate) fn prefix(&self) -> Option<&str> {
        self.0.split_once('*').map(|(prefix, _)| prefix)
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let Some((prefix, rest)) = self.0.split_once('*') else {
            return *self.0 == *text;
        };
        let Some(mut text) = text.strip_prefix(prefix) else {
            return false;
        };
        let mut parts = rest.split('*');
        let suffix = parts.next_back().unwrap_or_default();
        for part in parts {
            match text.find(part) {
                Some(at) => text = &text[at + part.len()..],
                None => return false,
            }
        }
        text.ends_with(suffix)
    }
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
