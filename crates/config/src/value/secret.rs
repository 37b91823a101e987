use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret: never printed, zeroised when dropped.
///
/// In the file it is written as a reference, `${env:NAME}` or `${file:path}`; what a `Secret` holds is always the
/// value that the reference led to, since [`load`](crate::load) replaces references before the model is built.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value. Keep it out of logs, errors and anything that lives longer than the call.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// In time that depends on the lengths only.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Takes the text as the value itself.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretString::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(\$\{env:[A-Za-z_][A-Za-z0-9_]*\}|\$\{file:[^}]+\}|literal:[\s\S]+)$",
            "x-secret": true,
            "x-form": "a reference to a secret, `${env:NAME}` or `${file:path}`",
        })
    }
}

/// A secret of at least 32 bytes, from which keys are derived: shorter ones can be guessed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(transparent)]
pub struct MasterSecret(Secret);

impl MasterSecret {
    /// The value, as [`Secret::expose`] gives it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl JsonSchema for MasterSecret {
    fn schema_name() -> Cow<'static, str> {
        "MasterSecret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Secret::json_schema(generator);
        schema.insert("x-min-bytes".to_owned(), 32.into());
        schema
    }
}
