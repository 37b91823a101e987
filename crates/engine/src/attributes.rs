//! Claims of the caller's token that the engine may use in document-level security.

use std::{borrow::Cow, collections::BTreeMap};

use claims::{ClaimPath, Claims};

/// Why a claim cannot become an attribute.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttributeError {
    /// The name is taken by a claim that the proxy sets itself.
    #[error("attribute `{0}` cannot be configured: the proxy sets this claim itself; choose another name")]
    Reserved(String),
    /// The name cannot be referred to in the engine, or is no part of a header name.
    #[error(
        "attribute name `{0}` is not usable: use lower-case letters, digits, `_` and `-`, beginning with a letter"
    )]
    Name(String),
    /// The claim has several values, and an attribute holds one.
    #[error(
        "the claim at `{path}` has {count} values, but attribute `{name}` holds one; \
         have the provider issue a claim with a single value"
    )]
    Several {
        /// The attribute.
        name: String,
        /// Its claim path.
        path: String,
        /// How many values there are.
        count: usize,
    },
    /// The value could change the meaning of the query or pattern into which the engine puts it.
    #[error(
        "the value at claim `{path}` cannot be attribute `{name}`: it is empty or holds one of \
         \" \\ * ? < > $ {{ }} , | or a control character, which could change the meaning of a document-level query or of an index pattern"
    )]
    Unsafe {
        /// The attribute.
        name: String,
        /// Its claim path.
        path: String,
    },
}

/// The attributes configured for a cluster: name in the engine and claim path.
///
/// The engine puts attribute values into queries and index patterns as plain text. Hence:
///
/// - A value with a quote, a backslash, a wildcard, a `$` or the like is refused (`403`), not escaped: there is no
///   escape that is right in both a JSON query and an index pattern. So is an empty value, with which a pattern such as
///   `${attr.jwt.tenant}*` would become `*`.
/// - A claim with several values is refused: choosing one would be a guess.
/// - A claim that the token does not have is left out. The engine then cannot resolve `${attr.jwt.<name>}` and refuses
///   (shown on engine 3.4: a document-level query ends in an error, an index pattern matches nothing), while callers
///   whose roles do not need the attribute are not disturbed. An empty string in its place would be an answer: a
///   `must_not` on the attribute would match every document.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<(String, ClaimPath)>);

impl Attributes {
    /// Checks the names of a configuration: attribute name to claim path.
    pub fn new(configured: &BTreeMap<String, ClaimPath>, reserved: &[&str]) -> Result<Self, AttributeError> {
        let mut attributes = Vec::with_capacity(configured.len());
        for (name, path) in configured {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
            if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.bytes().all(plain) {
                return Err(AttributeError::Name(name.clone()));
            }
            if reserved.contains(&name.as_str()) {
                return Err(AttributeError::Reserved(name.clone()));
            }
            attributes.push((name.clone(), path.clone()));
        }
        Ok(Self(attributes))
    }

    /// The attributes of one caller, by name.
    pub fn read<'a>(&'a self, claims: &'a Claims) -> Result<Vec<(&'a str, Cow<'a, str>)>, AttributeError> {
        let mut found = Vec::with_capacity(self.0.len());
        for (name, path) in &self.0 {
            let mut values = path.texts(claims);
            values.dedup();
            let error = || (name.clone(), path.to_string());
            match (values.pop(), values.len()) {
                (None, _) => {}
                (Some(value), 0) if is_safe(&value) => found.push((name.as_str(), value)),
                (Some(_), 0) => {
                    let (name, path) = error();
                    return Err(AttributeError::Unsafe { name, path });
                }
                (Some(_), others) => {
                    let (name, path) = error();
                    return Err(AttributeError::Several { name, path, count: others + 1 });
                }
            }
        }
        Ok(found)
    }
}

fn is_safe(value: &str) -> bool {
    // A pattern between two slashes is a regular expression to the security plugin.
    let is_regex = value.len() > 1 && value.starts_with('/') && value.ends_with('/');
    !value.is_empty()
        && value.trim() == value
        && !is_regex
        && !value.contains(|c: char| c.is_control() || "\"\\*?<>${},|".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, path: &str) -> BTreeMap<String, ClaimPath> {
        BTreeMap::from([(name.to_owned(), path.parse().unwrap())])
    }

    fn of(claims: &serde_json::Value) -> Claims {
        claims.as_object().unwrap().clone().into()
    }

    #[test]
    fn values() {
        let attributes = Attributes::new(&one("tenant", "org.id"), &[]).unwrap();
        let read = |values: &[&str]| {
            let claims = of(&serde_json::json!({ "org": { "id": values } }));
            let found = attributes.read(&claims)?;
            Ok(found.into_iter().map(|(_, value)| value.into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(read(&[]).unwrap(), Vec::<String>::new());
        for safe in ["acme", "Ünïcode", "/sre/team", "a.b-c_d", "a@b.example", "New York", "12:30"] {
            assert_eq!(read(&[safe]).unwrap(), [safe]);
        }
        assert_eq!(read(&["acme", "acme"]).unwrap(), ["acme"]);
        for bad in [
            "",
            " ",
            " acme",
            "*",
            "a*",
            "a?",
            "a\"b",
            "a\\b",
            "${user.name}",
            "a,b",
            "a|b",
            "/.*/",
            "<now>",
            "a\nb",
        ] {
            assert!(matches!(read(&[bad]), Err(AttributeError::Unsafe { .. })), "{bad:?}");
        }
        assert!(matches!(read(&["a", "b"]), Err(AttributeError::Several { count: 2, .. })));
    }

    #[test]
    fn a_refused_value_is_not_repeated_in_the_message() {
        let attributes = Attributes::new(&one("tenant", "t"), &[]).unwrap();
        let claims = of(&serde_json::json!({ "t": "hunter2*" }));
        let error = attributes.read(&claims).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn names() {
        for (name, expected) in [
            ("tenant", true),
            ("cost-center_2", true),
            ("Tenant", false),
            ("2tenant", false),
            ("a.b", false),
            ("", false),
            ("a b", false),
            ("sub", false),
        ] {
            assert_eq!(Attributes::new(&one(name, "x"), &["sub"]).is_ok(), expected, "{name}");
        }
    }
}
