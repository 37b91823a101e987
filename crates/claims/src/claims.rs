use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The claims of a token: a JSON object.
///
/// As a tree they take some ten times the memory of their text, and most tokens are never asked for a claim once they were
/// verified. So the text is kept where there is one, and read by whoever asks first.
#[derive(Clone, Default)]
pub struct Claims {
    text: Option<Box<[u8]>>,
    members: OnceLock<Map<String, Value>>,
}

impl Claims {
    /// Claims that were read already, and found to be a JSON object; there are none in any other text.
    pub fn of_text(text: &[u8]) -> Self {
        Self { text: Some(text.into()), members: OnceLock::new() }
    }
}

impl Deref for Claims {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        let read = || self.text.as_deref().and_then(|text| serde_json::from_slice(text).ok());
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
