//! Identity `proxy_headers`: the engine's `proxy` and `extended-proxy` domains.

use http::{HeaderName, HeaderValue};

use crate::{Attributes, Caller, Credential, IdentityError, engine_user_name, name::encode_into};

/// Headers that can never carry an identity: they steer the connection or another authentication.
const UNUSABLE: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

/// The names of the headers, and the attributes sent in them.
///
/// The engine trusts these headers from every address that its `xff.internalProxies` matches. Whoever can open a
/// connection from such an address is any user: keep the network between proxy and engine closed, and prefer
/// `signed_jwt`.
#[derive(Debug)]
pub struct ProxyHeaders {
    user: HeaderName,
    roles: HeaderName,
    attributes: Attributes,
    prefix: String,
}

impl ProxyHeaders {
    /// Checks the names of a configuration.
    pub fn from_config(settings: &config::model::ProxyHeaders) -> Result<Self, IdentityError> {
        let identity = Self {
            user: header_name(&settings.user_header)?,
            roles: header_name(&settings.roles_header)?,
            attributes: Attributes::new(&settings.attributes, &["username"])?,
            prefix: settings.attribute_prefix.to_ascii_lowercase(),
        };
        if identity.user == identity.roles {
            return Err(IdentityError::HeaderName(settings.roles_header.clone()));
        }
        for name in settings.attributes.keys() {
            let header = header_name(&format!("{}{name}", identity.prefix))?;
            if header == identity.user || header == identity.roles {
                return Err(IdentityError::HeaderName(header.to_string()));
            }
        }
        Ok(identity)
    }

    /// Whether the engine would take this header of a request for part of an identity. `-` and `_` count as the same,
    /// as they do for many servers.
    pub fn trusts(&self, header: &HeaderName) -> bool {
        let fold = |text: &str| text.replace('_', "-");
        let header = fold(header.as_str());
        header == fold(self.user.as_str())
            || header == fold(self.roles.as_str())
            || (!self.prefix.is_empty() && header.starts_with(&fold(&self.prefix)))
    }

    /// User, roles and attributes of the caller. Attribute values are percent-encoded where they are not ASCII.
    /// `x-forwarded-for`, which these domains also need, is the proxy's.
    pub fn credential(&self, caller: &Caller<'_>) -> Result<Credential, IdentityError> {
        let name = engine_user_name(caller.provider, caller.principal());
        let roles = caller.backend_roles();
        // The name is printable ASCII by construction.
        let mut headers = vec![(self.user.clone(), header_value(&name)?)];
        if let Some(bad) = roles.iter().find(|role| !role.bytes().all(|b| b.is_ascii_graphic() && b != b','))
        {
            return Err(IdentityError::Role(bad.to_string()));
        }
        if !roles.is_empty() {
            headers.push((self.roles.clone(), header_value(&roles.join(","))?));
        }
        for (name, text) in self.attributes.read(caller.claims)? {
            let mut encoded = String::with_capacity(text.len());
            encode_into(&mut encoded, &text, |byte| (b' '..=b'~').contains(&byte) && byte != b'%');
            headers.push((header_name(&format!("{}{name}", self.prefix))?, header_value(&encoded)?));
        }
        Ok(Credential::named(name.into(), roles.into(), headers))
    }
}

fn header_value(text: &str) -> Result<HeaderValue, IdentityError> {
    HeaderValue::try_from(text).map_err(|_| IdentityError::HeaderValue)
}

fn header_name(text: &str) -> Result<HeaderName, IdentityError> {
    let name = HeaderName::try_from(text).map_err(|_| IdentityError::HeaderName(text.to_owned()))?;
    if UNUSABLE.contains(&name.as_str()) {
        return Err(IdentityError::HeaderName(text.to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, arcs};

    fn identity(json: &str) -> Result<ProxyHeaders, IdentityError> {
        ProxyHeaders::from_config(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn user_roles_and_attributes() {
        let identity = identity(r#"{"attributes":{"tenant":"org"}}"#).unwrap();
        let mut fixture = Fixture::new(&["read:logs-*", "read:metrics-*"], &["sre"]);
        fixture.claims.insert("org".to_owned(), "Zürich 100%".into());
        let credential = fixture.with(|caller| identity.credential(caller)).unwrap();
        let headers: Vec<_> =
            credential.headers().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(
            headers,
            [
                ("x-proxy-user", "keycloak:alice"),
                ("x-proxy-roles", "read:logs-*,read:metrics-*,sre"),
                ("x-proxy-ext-tenant", "Z%C3%BCrich 100%25"),
            ]
        );
        assert!(credential.headers().all(|(_, value)| value.is_sensitive()));
        assert!(!format!("{credential:?}").contains("rich"));
    }

    #[test]
    fn a_role_never_becomes_two() {
        let identity = identity("{}").unwrap();
        let mut fixture = Fixture::new(&["read:logs-*"], &[]);
        for bad in ["sre,admin", "a b", "a\nb", "é"] {
            fixture.permit.roles = arcs(&[bad]);
            assert!(
                matches!(fixture.with(|caller| identity.credential(caller)), Err(IdentityError::Role(_))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn names_of_headers() {
        for (json, usable) in [
            (r#"{"user_header":"x-u","roles_header":"x-r"}"#, true),
            (r#"{"user_header":"Authorization"}"#, false),
            (r#"{"user_header":"a b"}"#, false),
            (r#"{"user_header":"X-Proxy-Roles"}"#, false),
            (r#"{"attribute_prefix":"x-proxy-","attributes":{"user":"u"}}"#, false),
            (r#"{"attribute_prefix":"x y","attributes":{"user":"u"}}"#, false),
        ] {
            assert_eq!(identity(json).is_ok(), usable, "{json}");
        }
    }

    #[test]
    fn headers_that_the_engine_would_trust() {
        let identity = identity("{}").unwrap();
        for (name, trusted) in [
            ("x-proxy-user", true),
            ("X_Proxy_User", true),
            ("x-proxy_roles", true),
            ("x-proxy-ext-tenant", true),
            ("x_proxy_ext_tenant", true),
            ("x-proxy-other", false),
            ("accept", false),
        ] {
            assert_eq!(identity.trusts(&HeaderName::try_from(name).unwrap()), trusted, "{name}");
        }
    }
}
