use std::collections::BTreeMap;

use thiserror::Error;

/// What a token is called and why it exists. Bounded, since lists show it and every replica keeps it in memory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Details {
    name: Option<Box<str>>,
    description: Option<Box<str>>,
    metadata: BTreeMap<Box<str>, Box<str>>,
}

/// What is noted about a token is too much, or cannot be shown. Lengths are in bytes.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DetailsError {
    /// Too long.
    #[error("{what} is longer than {max} bytes: shorten it")]
    TooLong {
        /// What.
        what: Box<str>,
        /// The limit.
        max: usize,
    },
    /// A control character, which would garble lists and logs.
    #[error("{what} holds a control character: remove it")]
    Control {
        /// What.
        what: Box<str>,
    },
    /// Too many.
    #[error("metadata has more than {} entries: leave some out", Details::MAX_METADATA)]
    TooMany,
    /// An entry without a name.
    #[error("metadata has an entry without a name: give it one")]
    EmptyKey,
}

impl Details {
    /// The longest name.
    pub const MAX_NAME: usize = 128;
    /// The longest description, and the longest value of metadata.
    pub const MAX_TEXT: usize = 1024;
    /// The longest name of an entry of metadata.
    pub const MAX_KEY: usize = 64;
    /// The most entries of metadata.
    pub const MAX_METADATA: usize = 32;

    /// Checks them. Empty texts are as if not given.
    pub fn new(
        name: Option<&str>,
        description: Option<&str>,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, DetailsError> {
        let name = name.filter(|name| !name.is_empty());
        let description = description.filter(|description| !description.is_empty());
        for (what, text, max) in
            [("name", name, Self::MAX_NAME), ("description", description, Self::MAX_TEXT)]
        {
            check(what, text.unwrap_or_default(), max)?;
        }
        let mut kept = BTreeMap::new();
        for (key, value) in metadata {
            if key.is_empty() {
                return Err(DetailsError::EmptyKey);
            }
            check("the name of an entry of metadata", &key, Self::MAX_KEY)?;
            check(&format!("metadata.{key}"), &value, Self::MAX_TEXT)?;
            kept.insert(key.into(), value.into());
            if kept.len() > Self::MAX_METADATA {
                return Err(DetailsError::TooMany);
            }
        }
        Ok(Self { name: name.map(Into::into), description: description.map(Into::into), metadata: kept })
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The description.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The metadata.
    pub fn metadata(&self) -> &BTreeMap<Box<str>, Box<str>> {
        &self.metadata
    }
}

/// Whether a reason for a decision can be kept and shown.
pub(crate) fn check(what: &str, text: &str, max: usize) -> Result<(), DetailsError> {
    if text.len() > max {
        return Err(DetailsError::TooLong { what: what.into(), max });
    }
    // Line breaks belong into a description; nothing else that moves a cursor does.
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(DetailsError::Control { what: what.into() });
    }
    Ok(())
}
