use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A set of names: literal characters and `*`, which stands for any run of characters, also none.
///
/// The parts between wildcards are kept as written; `**` is the same set as `*` and is stored as `*`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern(Cow<'static, str>);

/// Why a text is not a pattern of index, alias or data stream names.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PatternError {
    /// Nothing to match.
    #[error("a pattern cannot be empty: write a name or *")]
    Empty,
    /// A character that no index name can hold.
    #[error("{0:?} cannot be part of an index name: remove it (only * is a wildcard)")]
    Character(char),
    /// Index names cannot begin so.
    #[error("an index name cannot begin with {0:?}: write the name as it is in the cluster, or * for all")]
    Start(char),
    /// `.` and `..` are not names.
    #[error("{0:?} is not an index name")]
    Dots(Box<str>),
}

impl Pattern {
    /// Reads a pattern. The rules for characters are the engine's for index and alias names; upper case is
    /// allowed, since aliases may have it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let first = text.chars().next().ok_or(PatternError::Empty)?;
        if matches!(first, '_' | '-' | '+') {
            return Err(PatternError::Start(first));
        }
        if text == "." || text == ".." {
            return Err(PatternError::Dots(text.into()));
        }
        if let Some(wrong) = text.chars().find(|&c| is_forbidden(c)) {
            return Err(PatternError::Character(wrong));
        }
        Ok(Self::from_valid(text))
    }

    fn from_valid(text: &str) -> Self {
        if text == "*" {
            return Self::everything();
        }
        if !text.contains("**") {
            return Self(Cow::Owned(text.to_owned()));
        }
        let mut collapsed = String::with_capacity(text.len());
        for c in text.chars() {
            if c != '*' || !collapsed.ends_with('*') {
                collapsed.push(c);
            }
        }
        Self(Cow::Owned(collapsed))
    }

    /// `*`: every name.
    pub const fn everything() -> Self {
        Self(Cow::Borrowed("*"))
    }

    /// `.*`: every name that begins with a dot.
    pub const fn hidden() -> Self {
        Self(Cow::Borrowed(".*"))
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can match more than one name.
    pub fn is_wildcard(&self) -> bool {
        self.0.contains('*')
    }

    /// Whether every name that `other` matches is matched by `self`: exact inclusion of the two languages.
    ///
    /// A wildcard of `other` can become a character that `self` does not contain, so only a wildcard of `self`
    /// can take it. Reading `other` as a plain string and its `*` as such a character decides the question.
    pub fn contains(&self, other: &Self) -> bool {
        glob(self.0.as_bytes(), other.0.as_bytes())
    }

    /// Whether `self` matches this one name.
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }

    /// Whether some name is matched by both: exact.
    ///
    /// When both have wildcards, a common name exists exactly if the texts before the first and after the last
    /// wildcards agree as far as the shorter goes: all middle parts of both can follow one another in between.
    pub fn may_intersect(&self, other: &Self) -> bool {
        match (Affixes::of(&self.0), Affixes::of(&other.0)) {
            (None, _) => other.matches(&self.0),
            (_, None) => self.matches(&other.0),
            (Some(a), Some(b)) => {
                let prefixes = a.prefix.starts_with(b.prefix) || b.prefix.starts_with(a.prefix);
                let suffixes = a.suffix.ends_with(b.suffix) || b.suffix.ends_with(a.suffix);
                prefixes && suffixes
            }
        }
    }
}

/// Characters that the engine refuses in names of indices, aliases and data streams.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\\' | '/' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':') || c.is_control()
}

struct Affixes<'p> {
    prefix: &'p str,
    suffix: &'p str,
}

impl<'p> Affixes<'p> {
    /// The texts around the first and last wildcard; `None` without a wildcard.
    fn of(pattern: &'p str) -> Option<Self> {
        let (prefix, _) = pattern.split_once('*')?;
        let (_, suffix) = pattern.rsplit_once('*')?;
        Some(Self { prefix, suffix })
    }
}

/// Matches with backtracking to the last wildcard only, which is enough when `*` is the only wildcard.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, taken)) => {
                    p = star + 1;
                    t = taken + 1;
                    retry = Some((star, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
