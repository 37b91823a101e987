//! `application/x-www-form-urlencoded` bodies with one meaning only.

use std::fmt;

use zeroize::Zeroizing;

use crate::OAuthError;

/// Bytes of a form that are read at most: two tokens and what goes with them.
pub const MAX_FORM: usize = 64 * 1024;
const MAX_FIELDS: usize = 64;
const MAX_NAME: usize = 64;

/// Parameters that RFC 8693 section 2.1 allows to be given more than once.
const MAY_REPEAT: [&str; 2] = ["resource", "audience"];

/// The parameters of a form. Values are overwritten with zeros when dropped, and never shown.
pub struct Form {
    fields: Vec<(Box<str>, Zeroizing<String>)>,
}

impl Form {
    /// Reads a body. Refused are repeated parameters (RFC 6749 section 3.2), broken escapes, text that is not UTF-8,
    /// control characters other than line ends and tabs, and more than a token request can need.
    pub fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        if body.len() > MAX_FORM {
            return Err(OAuthError::request(format!("the form is longer than {MAX_FORM} bytes")));
        }
        let mut fields: Vec<(Box<str>, Zeroizing<String>)> = Vec::new();
        for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|&byte| byte == b'=');
            let (name, value) = match equals {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            let name = decode(name)
                .ok_or_else(|| OAuthError::request("the name of a parameter is not properly form-encoded"))?;
            if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(OAuthError::request("the form has a parameter whose name cannot be one"));
            }
            let Some(value) = decode(value) else {
                return Err(OAuthError::request(format!(
                    "the value of {} is not properly form-encoded: a space is + or %20 (with curl: --data-urlencode)",
                    *name
                )));
            };
            if !MAY_REPEAT.contains(&name.as_str()) && fields.iter().any(|(known, _)| **known == **name) {
                return Err(OAuthError::request(format!("{} is given more than once", *name)));
            }
            if fields.len() == MAX_FIELDS {
                return Err(OAuthError::request(format!("the form has more than {MAX_FIELDS} parameters")));
            }
            fields.push((name.as_str().into(), value));
        }
        Ok(Self { fields })
    }

    /// The value of a parameter. One without a value counts as left out (RFC 6749 section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        let given = self.fields.iter().find(|(known, value)| **known == *name && !value.is_empty());
        given.map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(known, value)| **known == *name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::request(format!("the parameter {name} is missing")))
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes one name or value; `None` if it could be read in more than one way or is no text.
pub(crate) fn decode(encoded: &[u8]) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    let stray = |character: char| character.is_control() && !matches!(character, '\t' | '\n' | '\r');
    if text.contains(stray) {
        return None;
    }
    Some(Zeroizing::new(text.to_owned()))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
