//! The logins: one for each context.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Place;
use crate::secret::Secret;

/// The content of the file `token`, which is JSON.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Sessions {
    /// The logins by the name of their context.
    #[serde(default)]
    pub(crate) sessions: BTreeMap<String, Session>,
}

/// A login.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Session {
    /// The proxy that the token is for. The token goes nowhere else, even if the context is pointed elsewhere.
    pub(crate) url: Url,
    /// The provider's name.
    pub(crate) provider: String,
    /// Its issuer.
    pub(crate) issuer: String,
    /// The client that logged in.
    pub(crate) client_id: String,
    /// Who logged in, for people to read.
    pub(crate) user: String,
    /// Its tokens, or where they are.
    #[serde(flatten)]
    pub(crate) kept: Kept,
    /// The scopes granted.
    pub(crate) scopes: Vec<String>,
    /// When the access token was issued, by this machine's clock.
    pub(crate) issued_at: Timestamp,
    /// When it ends, if the provider said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
}

/// The secrets of a login.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Tokens {
    /// What the proxy is shown.
    pub(crate) access_token: Secret,
    /// What gets the next access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<Secret>,
}

/// Where the secrets of a login are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Kept {
    /// Here.
    File(Tokens),
    /// In the system keyring.
    Keyring { keyring: InKeyring },
}

/// What is known of tokens without opening the keyring.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct InKeyring {
    refreshable: bool,
}

impl Kept {
    pub(super) fn keyring(refreshable: bool) -> Self {
        Self::Keyring { keyring: InKeyring { refreshable } }
    }

    /// Whether there is something that gets the next access token.
    pub(crate) fn is_refreshable(&self) -> bool {
        match self {
            Self::File(tokens) => tokens.refresh_token.is_some(),
            Self::Keyring { keyring } => keyring.refreshable,
        }
    }

    /// The place.
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::File(_) => Place::File,
            Self::Keyring { .. } => Place::Keyring,
        }
    }
}

/// A token that ends sooner than this is replaced: it must outlive the request that it is sent with.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

impl Session {
    /// How long the access token still counts; `None` when the provider did not say.
    pub(crate) fn remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        self.expires_at.map(|end| end.duration_since(now))
    }

    /// Whether the access token has ended.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.remaining(now).is_some_and(|left| left <= SignedDuration::ZERO)
    }

    /// Whether the access token can be used as it is: of its life, a fifth or a minute is left.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        let Some(end) = self.expires_at else {
            return true;
        };
        let life = end.duration_since(self.issued_at);
        end.duration_since(now) > MARGIN.min(life / 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(life: Option<i64>) -> Session {
        let issued_at = Timestamp::UNIX_EPOCH;
        Session {
            url: "https://search.example.com".parse().unwrap(),
            provider: "company".to_owned(),
            issuer: "https://login.example.com".to_owned(),
            client_id: "opensearch-auth".to_owned(),
            user: "developer".to_owned(),
            kept: Kept::File(Tokens {
                access_token: Secret::new("very-secret"),
                refresh_token: Some(Secret::new("more-secret")),
            }),
            scopes: Vec::new(),
            issued_at,
            expires_at: life.map(|life| issued_at + SignedDuration::from_secs(life)),
        }
    }

    #[test]
    fn a_token_is_replaced_before_it_ends() {
        for (life, age, fresh, expired) in [
            (Some(28_800), 0, true, false),
            (Some(28_800), 28_700, true, false),
            (Some(28_800), 28_750, false, false),
            (Some(28_800), 28_800, false, true),
            (Some(10), 7, true, false),
            (Some(10), 8, false, false),
            (None, 1_000_000, true, false),
        ] {
            let session = session(life);
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(age);
            assert_eq!((session.is_fresh(now), session.has_expired(now)), (fresh, expired), "{life:?} {age}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", session(None));
        assert!(
            !shown.contains("secret\"") && !shown.contains("very-secret") && !shown.contains("more-secret"),
            "{shown}"
        );
    }
}
