use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Digest, NoRandomness};

const LENGTH: usize = 20;
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz234567";

/// The public name of a managed token: `tok_` and twenty characters of base 32. Not a secret, and of no use as one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(Arc<str>);

/// The public name of a revocation of provider tokens: `rev_` and twenty characters of base 32.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RevocationId(Arc<str>);

/// The public name of a consent: `con_` and twenty characters of base 32.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConsentId(Arc<str>);

/// The name of an authorization under way: `aut_` and twenty characters of base 32.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuthorizationId(Arc<str>);

/// The text is not an id.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not an id: write {0} and the {LENGTH} small letters and digits after it, as a list shows it")]
pub struct IdError(&'static str);

macro_rules! id {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let rest = text.strip_prefix($prefix).filter(|rest| rest.len() == LENGTH);
                match rest {
                    Some(rest) if rest.bytes().all(|byte| ALPHABET.as_bytes().contains(&byte)) => {
                        Ok(Self(text.into()))
                    }
                    _ => Err(IdError($prefix)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

id!(TokenId, "tok_");
id!(RevocationId, "rev_");
id!(ConsentId, "con_");
id!(AuthorizationId, "aut_");

macro_rules! random {
    ($name:ident, $prefix:literal) => {
        impl $name {
            /// A new one; 100 random bits.
            pub fn generate() -> Result<Self, NoRandomness> {
                let mut bytes = [0; LENGTH];
                rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
                Ok(Self(text($prefix, &bytes)))
            }
        }
    };
}

random!(TokenId, "tok_");
random!(RevocationId, "rev_");
random!(ConsentId, "con_");

impl AuthorizationId {
    /// That of the code with this digest; 100 bits of it.
    pub fn of(digest: &Digest) -> Self {
        Self(text("aut_", &digest.as_bytes()[..LENGTH]))
    }
}

/// Five bits of each byte.
fn text(prefix: &str, bytes: &[u8]) -> Arc<str> {
    let letters = bytes.iter().map(|byte| char::from(ALPHABET.as_bytes()[usize::from(byte % 32)]));
    prefix.chars().chain(letters).collect::<String>().into()
}
