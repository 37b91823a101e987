//! Where the tokens of a login are kept: in the file `token`, or in the system keyring.

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use url::Url;

use super::keyring::{self, Key, Trouble};
use super::sessions::{Kept, Session, Tokens};
use crate::error::{Error, Result};
use crate::output::warn;

/// What `credentials` in `config.yaml` says about new logins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Credentials {
    /// In the keyring if there is one that is unlocked, else in the file.
    #[default]
    Auto,
    /// In the keyring, or not at all.
    Keyring,
    /// In the file.
    File,
}

impl Credentials {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// A place for tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    File,
    Keyring,
}

/// The places for the tokens of one folder.
#[derive(Debug)]
pub(crate) struct Vault {
    pub(super) folder: PathBuf,
    pub(super) credentials: Credentials,
}

/// What an item of the keyring holds. It names for whom the tokens are, so that they go nowhere else, whatever the file
/// `token` says.
#[derive(Deserialize, Serialize)]
struct Item {
    url: Url,
    issuer: String,
    #[serde(flatten)]
    tokens: Tokens,
}

impl Vault {
    /// The place for a new login.
    pub(crate) async fn place(&self) -> Result<Place> {
        if self.credentials == Credentials::File {
            return Ok(Place::File);
        }
        match keyring::probe().await {
            Ok(()) => Ok(Place::Keyring),
            Err(Trouble::Absent) if self.credentials == Credentials::Auto => Ok(Place::File),
            Err(trouble) => self.file_instead(&trouble),
        }
    }

    /// Puts the tokens of a session where they shall be. Where the keyring does not take them, they stay in the file.
    pub(crate) async fn settle(&self, context: &str, session: &mut Session, place: Place) -> Result<()> {
        let Kept::File(tokens) = &session.kept else {
            return Ok(());
        };
        if place == Place::File {
            return Ok(());
        }
        let refreshable = tokens.refresh_token.is_some();
        let item = Item { url: session.url.clone(), issuer: session.issuer.clone(), tokens: tokens.clone() };
        let item = serde_json::to_string(&item).map(Zeroizing::new);
        let item = item.map_err(|error| Error::outside(format!("the login cannot be written: {error}")))?;
        let label = format!("opensearch-auth: {context} ({})", session.url);
        match keyring::write(self.key(context), &label, &item).await {
            Ok(()) => session.kept = Kept::keyring(refreshable),
            Err(trouble) => {
                self.file_instead(&trouble)?;
            }
        }
        Ok(())
    }

    /// The tokens of a session. Login is needed when the keyring has none for it.
    pub(crate) async fn tokens(&self, context: &str, session: &Session) -> Result<Tokens> {
        if let Kept::File(tokens) = &session.kept {
            return Ok(tokens.clone());
        }
        let found = keyring::read(self.key(context)).await.map_err(|trouble| {
            Error::outside(format!("the system keyring, which holds the login of `{context}`, {trouble}"))
                .cure("unlock it, or run `opensearch-auth login` again")
        })?;
        // The message of serde may quote the content.
        found
            .and_then(|found| serde_json::from_slice::<Item>(&found).ok())
            .filter(|item| item.url == session.url && item.issuer == session.issuer)
            .map(|item| item.tokens)
            .ok_or_else(|| {
                Error::login_needed(format!("the system keyring does not hold the login of `{context}`"))
            })
    }

    /// Removes the tokens of a session that the keyring holds; those of the file go with the session.
    pub(crate) async fn forget(&self, context: &str, session: &Session) -> Result<()> {
        match session.kept {
            Kept::File(_) => Ok(()),
            Kept::Keyring { .. } => keyring::remove(self.key(context)).await.map_err(|trouble| {
                Error::outside(format!("the system keyring, which holds the login of `{context}`, {trouble}"))
                    .cure("unlock it and remove its item `opensearch-auth`")
            }),
        }
    }

    fn file_instead(&self, trouble: &Trouble) -> Result<Place> {
        if self.credentials == Credentials::Keyring {
            return Err(Error::outside(format!("the system keyring {trouble}"))
                .cure("unlock it, or set `credentials: file` in ~/.opensearch/config.yaml"));
        }
        warn(&format!("the system keyring {trouble}; the login is kept in ~/.opensearch/token"));
        Ok(Place::File)
    }

    fn key<'k>(&'k self, context: &'k str) -> Key<'k> {
        Key { folder: &self.folder, context }
    }
}
