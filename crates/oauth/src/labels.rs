//! A JSON object of strings, each member once.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::OAuthError;

struct Labels(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if labels.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Labels(labels))
    }
}

/// Reads the parameter `metadata`.
pub(crate) fn read(text: &str) -> Result<BTreeMap<String, String>, OAuthError> {
    match serde_json::from_str::<Labels>(text) {
        Ok(Labels(labels)) => Ok(labels),
        Err(_) => {
            Err(OAuthError::request("metadata must be a JSON object whose members are strings, each once"))
        }
    }
}
