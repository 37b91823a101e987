//! As whom the proxy asks the engine for itself.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::SystemTime,
};

use access::Permit;
use claims::Claims;

use crate::{Caller, Credential, EngineIdentity, IdentityError};

/// Stands where callers have their provider. The name of a provider begins with a letter or digit, so no token yields a user
/// of this one.
const PROVIDER: &str = "_proxy";
const CATALOGUE: &str = "catalogue";

/// The backend role of whoever lists the names of a cluster, and the name of that user where the proxy chooses it. It is no
/// scope, since `_proxy` is no action.
pub(crate) const CATALOGUE_ROLE: &str = "_proxy:catalogue";

const TOKENS: &str = "tokens";

/// Likewise, of whoever reads and writes the index of managed tokens.
pub(crate) const TOKENS_ROLE: &str = "_proxy:tokens";

impl EngineIdentity {
    /// The credential for listing what names there are on the cluster: of `user` with the identity `backend_user`, of a user
    /// `_proxy:catalogue` with one backend role of the same name otherwise.
    ///
    /// # Errors
    ///
    /// With the identity `forward`, which speaks for callers only; without a usable `user` for `backend_user`.
    pub fn for_catalogue(&self, user: Option<&str>, now: SystemTime) -> Result<Credential, IdentityError> {
        self.own(CATALOGUE, CATALOGUE_ROLE, user, now)
    }

    /// The credential for the index of managed tokens: as [`Self::for_catalogue`], with `_proxy:tokens`.
    ///
    /// # Errors
    ///
    /// As for [`Self::for_catalogue`].
    pub fn for_tokens(&self, user: Option<&str>, now: SystemTime) -> Result<Credential, IdentityError> {
        self.own(TOKENS, TOKENS_ROLE, user, now)
    }

    fn own(
        &self,
        name: &str,
        role: &str,
        user: Option<&str>,
        now: SystemTime,
    ) -> Result<Credential, IdentityError> {
        let lasting = self.lasting()?;
        if let Self::BackendUser(users) = lasting {
            return users.of(user.ok_or(IdentityError::NoBackendUser)?);
        }
        let mut permit = Permit::default();
        permit.roles.push(Arc::from(role));
        lasting.credential(&Caller {
            provider: PROVIDER,
            user_id: Some(name),
            client_id: None,
            subject: name,
            permit: &permit,
            claims: &Claims::default(),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            token: None,
            now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attributes, KeyKind, SignedJwt, SigningKey, generate_key};

    fn identity(json: &serde_json::Value) -> EngineIdentity {
        let settings = serde_json::from_value(json.clone()).unwrap();
        EngineIdentity::from_config(&settings).unwrap()
    }

    fn signed() -> EngineIdentity {
        let key = SigningKey::from_pem(&generate_key(KeyKind::P256).unwrap()).unwrap();
        EngineIdentity::SignedJwt(SignedJwt::new(key, "i", "a", 300, Attributes::default()).unwrap())
    }

    #[test]
    fn the_proxys_own_name_and_role_are_no_callers() {
        let headers =
            identity(&serde_json::json!({ "proxy_headers": { "attributes": { "tenant": "org" } } }));
        for identity in [signed(), headers] {
            let credential = identity.for_catalogue(None, SystemTime::now()).unwrap();
            assert_eq!(credential.name(), CATALOGUE_ROLE);
            assert_eq!(credential.roles().iter().map(AsRef::as_ref).collect::<Vec<&str>>(), [CATALOGUE_ROLE]);
        }
        for identity in [signed(), identity(&serde_json::json!({ "proxy_headers": {} }))] {
            let credential = identity.for_tokens(None, SystemTime::now()).unwrap();
            assert_eq!(credential.name(), TOKENS_ROLE);
            assert_eq!(credential.roles().iter().map(AsRef::as_ref).collect::<Vec<&str>>(), [TOKENS_ROLE]);
        }
        for role in [CATALOGUE_ROLE, TOKENS_ROLE] {
            assert!(role.parse::<access::Scope>().is_err());
        }
    }

    #[test]
    fn a_backend_user_is_the_one_named_and_forward_has_nobody() {
        let users =
            identity(&serde_json::json!({ "backend_user": { "users": { "lister": "x", "other": "y" } } }));
        let now = SystemTime::now();
        let credential = users.for_catalogue(Some("lister"), now).unwrap();
        assert_eq!((credential.name(), credential.roles().len()), ("lister", 0));
        assert!(matches!(users.for_catalogue(None, now), Err(IdentityError::NoBackendUser)));
        assert!(matches!(users.for_catalogue(Some("x"), now), Err(IdentityError::UnknownBackendUser(_))));
        assert!(matches!(EngineIdentity::Forward.for_catalogue(None, now), Err(IdentityError::NoToken)));
    }
}
