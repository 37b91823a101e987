use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The claims of a token: a JSON object.
///
/// As a tree they take some ten times the memory of their text, and most tokens are never asked for a claim once they were
/// verified. So [`Self::compact`] keeps the text alone, which is read again by whoever asks first.
#[derive(Clone, Default)]
pub struct Claims {
    text: Option<Box<[u8]>>,
    members: OnceLock<Map<String, Value>>,
}

impl Claims {
    /// Claims of which the text is known: `members` is what was read of it.
    pub fn of_text(text: Vec<u8>, members: Map<String, Value>) -> Self {
        Self { text: Some(text.into()), members: members.into() }
    }

    /// The same claims in little memory.
    #[must_use]
    pub fn compact(self) -> Self {
        match self.text {
            Some(_) => Self { members: OnceLock::new(), ..self },
            None => self,
        }
    }
}

impl Deref for Claims {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        let read = || self.text.as_deref().and_then(|text| serde_json::from_slice(text).ok());
        // The text was read before, so it can be read again.
        self.members.get_or_init(|| read().unwrap_or_default())
    }
}

impl From<Map<String, Value>> for Claims {
    fn from(members: Map<String, Value>) -> Self {
        Self { text: None, members: members.into() }
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Without the claims, which may hold personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}
