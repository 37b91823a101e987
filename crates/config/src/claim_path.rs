//! Claim paths as they are written in the file.

use std::{borrow::Cow, str::FromStr};

/// Names joined by dots; a name that itself holds a dot in double quotes: `realm_access.roles`,
/// `"https://example.com/groups"`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClaimPath(Vec<String>);

/// Why a text is not a claim path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ClaimPathError {
    #[error("a name in it is empty")]
    EmptyName,
    #[error("a double quote is not closed, or does not enclose a whole name")]
    Quote,
    #[error("it begins with a slash")]
    Pointer,
}

impl ClaimPath {
    /// The same path in the form that `access` reads, where a path with special names is a JSON Pointer (RFC 6901).
    pub(crate) fn for_access(&self) -> Cow<'_, str> {
        let plain = |name: &String| !name.contains('.');
        match self.0.as_slice() {
            names if names.iter().all(plain) => Cow::Owned(names.join(".")),
            names => names
                .iter()
                .fold(String::new(), |pointer, name| {
                    pointer + "/" + &name.replace('~', "~0").replace('/', "~1")
                })
                .into(),
        }
    }
}

impl FromStr for ClaimPath {
    type Err = ClaimPathError;

    fn from_str(text: &str) -> Result<Self, ClaimPathError> {
        if text.starts_with('/') {
            return Err(ClaimPathError::Pointer);
        }
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or(ClaimPathError::Quote)?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if name.is_empty() {
                return Err(ClaimPathError::EmptyName);
            }
            if name.contains('"') {
                return Err(ClaimPathError::Quote);
            }
            names.push(name.to_owned());
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => return Ok(Self(names)),
                None => return Err(ClaimPathError::Quote),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_reach_the_claims_they_name() {
        for (text, claims, expected) in [
            ("org", r#"{"org": "a"}"#, "a"),
            ("realm_access.role", r#"{"realm_access": {"role": "a"}}"#, "a"),
            (r#""https://example.com/team""#, r#"{"https://example.com/team": "a"}"#, "a"),
            (r#"x."a.b~c".d"#, r#"{"x": {"a.b~c": {"d": "a"}}}"#, "a"),
        ] {
            let path: ClaimPath = text.parse().unwrap();
            let path: access::ClaimPath = path.for_access().parse().unwrap();
            let claims: serde_json::Map<_, _> = serde_json::from_str(claims).unwrap();
            assert_eq!(path.texts(&claims), [expected], "{text}");
        }
    }

    #[test]
    fn mistakes() {
        for (text, error) in [
            ("", ClaimPathError::EmptyName),
            ("a.", ClaimPathError::EmptyName),
            (".a", ClaimPathError::EmptyName),
            ("a..b", ClaimPathError::EmptyName),
            (r#""""#, ClaimPathError::EmptyName),
            (r#""a"#, ClaimPathError::Quote),
            (r#""a"b"#, ClaimPathError::Quote),
            (r#"a"b""#, ClaimPathError::Quote),
            ("/a/b", ClaimPathError::Pointer),
        ] {
            assert_eq!(text.parse::<ClaimPath>(), Err(error), "{text}");
        }
    }
}
