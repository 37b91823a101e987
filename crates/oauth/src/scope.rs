//! Lists of scopes as RFC 6749 section 3.3 writes them.

use std::{fmt, str::FromStr};

use crate::{ErrorCode, OAuthError};

const MAX_SCOPES: usize = 200;
const MAX_LENGTH: usize = 8 * 1024;

/// Scopes, each once, in the order given. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScopeSet(Vec<Box<str>>);

impl ScopeSet {
    /// The scopes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|scope| &**scope)
    }
}

impl FromStr for ScopeSet {
    type Err = OAuthError;

    fn from_str(text: &str) -> Result<Self, OAuthError> {
        let refuse = |why: &str| OAuthError::new(ErrorCode::InvalidScope, why);
        if text.len() > MAX_LENGTH {
            return Err(refuse("the list of scopes is too long"));
        }
        let mut scopes: Vec<Box<str>> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            // %x21 / %x23-5B / %x5D-7E
            if !scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
                return Err(refuse("a scope has a character that cannot be part of one"));
            }
            if !scopes.iter().any(|known| **known == *scope) {
                scopes.push(scope.into());
            }
        }
        match scopes.len() {
            0 => Err(refuse("the list of scopes is empty")),
            1..=MAX_SCOPES => Ok(Self(scopes)),
            _ => Err(refuse("the list of scopes is too long")),
        }
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
