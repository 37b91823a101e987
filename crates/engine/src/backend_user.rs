//! Identity `backend_user`: engine users made beforehand, by basic authentication.

use std::{collections::BTreeMap, fmt, sync::Arc};

use http::HeaderValue;

use crate::{Caller, Credential, IdentityError};

/// The engine users of a cluster with their ready-made `Authorization` values.
///
/// The engine sees the backend user, not the caller: its audit log and its document-level security know one user for
/// everybody who is mapped to it. Only the proxy's audit record connects the two.
pub struct BackendUsers(BTreeMap<Arc<str>, HeaderValue>);

impl BackendUsers {
    /// Prepares the users of a configuration.
    pub fn from_config(settings: &config::model::BackendUsers) -> Result<Self, IdentityError> {
        let mut users = BTreeMap::new();
        for (name, password) in &settings.users {
            if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
                return Err(IdentityError::UserName(name.clone()));
            }
            users.insert(Arc::from(name.as_str()), transport::basic_auth(name, password.expose()));
        }
        Ok(Self(users))
    }

    /// The user named by the mapping of the very scopes that allow this request.
    pub fn credential(&self, caller: &Caller<'_>) -> Result<Credential, IdentityError> {
        let user = caller.permit.backend_user()?.ok_or(IdentityError::NoBackendUser)?;
        self.of(user)
    }

    /// The credential of one user, by name.
    pub(crate) fn of(&self, name: &str) -> Result<Credential, IdentityError> {
        let (name, value) =
            self.0.get_key_value(name).ok_or_else(|| IdentityError::UnknownBackendUser(name.to_owned()))?;
        Ok(Credential::authorization(Arc::clone(name), Arc::new([]), value.clone()))
    }

    /// The names of the users, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }
}

impl fmt::Debug for BackendUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BackendUsers").field(&self.0.keys()).finish()
    }
}
