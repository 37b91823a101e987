//! The choice between the identities.

use std::{io, path::PathBuf, sync::Arc};

use access::BackendUserConflict;
use http::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use transport::TlsError;

use crate::{
    ApiTokenError, ApiTokens, AttributeError, BackendUsers, Caller, Credential, KeyError, ProxyHeaders,
    SignedJwt, engine_user_name,
};

/// As whom the proxy speaks to one cluster's engine.
#[derive(Debug)]
pub enum EngineIdentity {
    /// A short-lived JWT signed by the proxy, for the engine's `jwt` domain.
    SignedJwt(SignedJwt),
    /// Tokens of the engine's own, and what stands in for them.
    ApiToken(ApiTokenIdentity),
    /// Engine users made beforehand, by basic authentication.
    BackendUser(BackendUsers),
    /// The engine's `proxy` or `extended-proxy` domain.
    ProxyHeaders(ProxyHeaders),
    /// The caller's own token.
    Forward,
}

/// The identity `api_token` with its fallback.
#[derive(Debug)]
pub struct ApiTokenIdentity {
    tokens: Arc<ApiTokens>,
    fallback: Option<Box<EngineIdentity>>,
}

impl EngineIdentity {
    /// Reads keys and checks names. Fails at start, not at the first request.
    pub fn for_cluster(cluster: &config::model::Cluster) -> Result<Self, IdentityError> {
        let config::model::Identity::ApiToken(settings) = &cluster.identity else {
            return Self::from_config(&cluster.identity);
        };
        let fallback = settings.fallback.as_ref().map(|fallback| Self::from_config(&fallback.identity()));
        Ok(Self::ApiToken(ApiTokenIdentity {
            tokens: Arc::new(ApiTokens::from_config(cluster, settings)?),
            fallback: fallback.transpose()?.map(Box::new),
        }))
    }

    /// As [`for_cluster`](Self::for_cluster), for identities that need no more of the cluster. `api_token` calls its nodes and is none.
    pub fn from_config(identity: &config::model::Identity) -> Result<Self, IdentityError> {
        use config::model::Identity;
        Ok(match identity {
            Identity::SignedJwt(settings) => Self::SignedJwt(SignedJwt::from_config(settings)?),
            Identity::BackendUser(settings) => Self::BackendUser(BackendUsers::from_config(settings)?),
            Identity::ProxyHeaders(settings) => Self::ProxyHeaders(ProxyHeaders::from_config(settings)?),
            Identity::Forward(_) => Self::Forward,
            Identity::ApiToken(_) => return Err(IdentityError::NeedsCluster),
        })
    }

    /// The credential for one request. Does no I/O; a signature is made only when no fresh token is cached. Of `api_token`, the token
    /// at hand.
    pub fn credential(&self, caller: &Caller<'_>) -> Result<Credential, IdentityError> {
        let credential = match self {
            Self::SignedJwt(identity) => identity.credential(caller),
            Self::BackendUser(identity) => identity.credential(caller),
            Self::ProxyHeaders(identity) => identity.credential(caller),
            Self::Forward => forward(caller),
            Self::ApiToken(identity) => {
                identity.tokens.at_hand(caller).ok_or(IdentityError::ApiToken(ApiTokenError::Ended))
            }
        };
        credential.map(|credential| credential.of(self.kind()))
    }

    /// The credential for one request. Waits only where the engine has to make a token first.
    pub async fn obtain(&self, caller: &Caller<'_>) -> Result<Credential, IdentityError> {
        let Self::ApiToken(identity) = self else { return self.credential(caller) };
        // Without memory for the long way in every request's future.
        match Box::pin(identity.tokens.obtain(caller)).await {
            Ok(credential) => Ok(credential.of(self.kind())),
            Err(error) => match &identity.fallback {
                Some(fallback) => {
                    identity.tokens.fell_back(&error);
                    fallback.credential(caller)
                }
                None => Err(error.into()),
            },
        }
    }

    /// The credential of the fallback of `api_token`, for a request that is better off without a token of the engine; `None` with any
    /// other identity, and without a fallback.
    pub fn in_place_of_a_token(&self, caller: &Caller<'_>) -> Option<Result<Credential, IdentityError>> {
        let Self::ApiToken(identity) = self else { return None };
        let fallback = identity.fallback.as_ref()?;
        identity.tokens.fell_back(&ApiTokenError::CannotExpress(String::new()));
        Some(fallback.credential(caller))
    }

    /// The tokens of `api_token`.
    pub fn api_tokens(&self) -> Option<&ApiTokens> {
        match self {
            Self::ApiToken(identity) => Some(&identity.tokens),
            _ => None,
        }
    }

    /// As whom the proxy asks for itself, and as whom requests go for which there is no token: this identity, or the fallback.
    pub(crate) fn lasting(&self) -> Result<&Self, IdentityError> {
        match self {
            Self::ApiToken(identity) => identity.fallback.as_deref().ok_or(IdentityError::NoFallback),
            other => Ok(other),
        }
    }

    /// Goes on with the tokens of an identity with the same settings.
    pub fn take_over(&mut self, previous: &Self) {
        if let (Self::ApiToken(new), Self::ApiToken(old)) = (self, previous) {
            new.tokens = Arc::clone(&old.tokens);
        }
    }

    /// Whether the engine would take this header of a client's request for part of an identity, so that it must be
    /// removed. `Authorization` is replaced in any case.
    pub fn trusts(&self, header: &HeaderName) -> bool {
        match self {
            Self::ProxyHeaders(identity) => identity.trusts(header),
            Self::ApiToken(identity) => {
                identity.fallback.as_ref().is_some_and(|fallback| fallback.trusts(header))
            }
            Self::SignedJwt(_) | Self::BackendUser(_) | Self::Forward => false,
        }
    }

    /// The configuration key of this identity, for audit records and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SignedJwt(_) => "signed_jwt",
            Self::BackendUser(_) => "backend_user",
            Self::ProxyHeaders(_) => "proxy_headers",
            Self::Forward => "forward",
            Self::ApiToken(_) => "api_token",
        }
    }
}

fn forward(caller: &Caller<'_>) -> Result<Credential, IdentityError> {
    let token = caller.token.ok_or(IdentityError::NoToken)?;
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| IdentityError::TokenNotAHeader)?;
    // The engine reads the token by its own rules; this name is how the proxy knows the caller.
    let name = engine_user_name(caller.provider, caller.principal());
    Ok(Credential::authorization(name.into(), Arc::new([]), value))
}

/// Why there is no engine credential, at start or for one request.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The private key cannot be read.
    #[error("cannot read the private key {}: check that the file exists and that this process may read it", path.display())]
    ReadKey {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The private key cannot be used.
    #[error("the private key {} cannot be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
    /// The configured token lifetime is unusable.
    #[error("signed_jwt.lifetime of {0} s is not usable: choose between 10 s and 1 h")]
    Lifetime(u64),
    /// An attribute's configuration or a caller's value is unusable.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// A header name of `proxy_headers` is unusable.
    #[error(
        "proxy_headers: `{0}` is not a header name that can carry an identity; use for example `x-proxy-user`"
    )]
    HeaderName(String),
    /// An engine user name cannot be sent by basic authentication.
    #[error("backend_user: the user name `{0}` is empty or holds `:` or a control character (RFC 7617)")]
    UserName(String),
    /// A backend role cannot be sent in a comma-separated header.
    #[error(
        "the backend role `{0}` holds a comma or a control character and cannot be sent in the roles header"
    )]
    Role(String),
    /// A name or attribute cannot be a header value.
    #[error("the identity cannot be sent in a header")]
    HeaderValue,
    /// The mappings name no engine user for this request.
    #[error(
        "no mapping behind the scopes of this request names a backend user; add `backend_user` to the mapping that grants them"
    )]
    NoBackendUser,
    /// The mappings name different engine users for this request.
    #[error(transparent)]
    ConflictingBackendUsers(#[from] BackendUserConflict),
    /// A mapping names an engine user that the cluster does not have.
    #[error("backend user `{0}` has no password under `backend_user.users` of this cluster")]
    UnknownBackendUser(String),
    /// `forward` without a bearer token.
    #[error(
        "identity `forward` needs the caller's own bearer token, and this request was authenticated otherwise"
    )]
    NoToken,
    /// The caller's token cannot be a header value.
    #[error("the caller's token cannot be sent in a header")]
    TokenNotAHeader,
    /// The engine has no token for this request.
    #[error(transparent)]
    ApiToken(#[from] ApiTokenError),
    /// A certificate towards the engine.
    #[error("TLS towards the engine cannot be set up")]
    Tls(#[source] Box<TlsError>),
    /// `api_token` without the nodes to call.
    #[error("api_token is an identity of a cluster, whose nodes it calls")]
    NeedsCluster,
    /// The proxy itself has no identity.
    #[error("api_token has no name of the proxy's own at the engine: configure a `fallback`")]
    NoFallback,
    /// The signature could not be made.
    #[error("the token for the engine could not be signed")]
    Sign,
}

impl IdentityError {
    /// The HTTP status for a request that fails so: the caller's doing (403) or the proxy's (500).
    pub fn status(&self) -> u16 {
        match self {
            Self::Attribute(AttributeError::Several { .. } | AttributeError::Unsafe { .. })
            | Self::NoBackendUser
            | Self::ConflictingBackendUsers(_)
            | Self::NoToken => 403,
            Self::ApiToken(error) => error.status(),
            _ => 500,
        }
    }

    /// A stable label for audit records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Attribute(AttributeError::Several { .. }) => "attribute_ambiguous",
            Self::Attribute(AttributeError::Unsafe { .. }) => "attribute_unsafe",
            Self::ReadKey { .. }
            | Self::Key { .. }
            | Self::Lifetime(_)
            | Self::HeaderName(_)
            | Self::UserName(_)
            | Self::Tls(_)
            | Self::NeedsCluster
            | Self::NoFallback
            | Self::Attribute(_) => "identity_configuration",
            Self::Role(_) | Self::HeaderValue => "identity_not_sendable",
            Self::NoBackendUser => "no_backend_user",
            Self::ConflictingBackendUsers(_) => "conflicting_backend_users",
            Self::UnknownBackendUser(_) => "unknown_backend_user",
            Self::NoToken | Self::TokenNotAHeader => "no_token_to_forward",
            Self::Sign => "signing_failed",
            Self::ApiToken(error) => error.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::SecretString;

    use super::*;
    use crate::testing::{Fixture, permit};

    fn headers(credential: &Credential) -> BTreeMap<String, String> {
        credential
            .headers()
            .map(|(name, value)| {
                assert!(value.is_sensitive());
                (name.to_string(), value.to_str().unwrap().to_owned())
            })
            .collect()
    }

    #[test]
    fn forward_sends_the_callers_own_token() {
        let identity = EngineIdentity::Forward;
        let mut fixture = Fixture::new(&["read:logs-*"], &[]);
        let error = fixture.with(|caller| identity.credential(caller)).unwrap_err();
        assert_eq!((error.status(), error.reason()), (403, "no_token_to_forward"));
        fixture.token = Some(SecretString::from("abc.def.ghi"));
        let credential = fixture.with(|caller| identity.credential(caller)).unwrap();
        assert_eq!(headers(&credential)["authorization"], "Bearer abc.def.ghi");
        assert_eq!((credential.name(), credential.roles().len()), ("keycloak:alice", 0));
        assert!(!format!("{credential:?}").contains("abc"));
    }

    #[test]
    fn a_backend_user_comes_from_the_mapping_only() {
        let settings = serde_json::from_str(r#"{"users":{"logs_reader":"s3cret","other":"x"}}"#).unwrap();
        let identity = EngineIdentity::from_config(&config::model::Identity::BackendUser(settings)).unwrap();
        let ask = rest::classify("GET", "/logs-app/_search", None).unwrap();
        let mut fixture = Fixture::new(&[], &[]);
        for (user, status, reason) in
            [(None, 403, "no_backend_user"), (Some("admin"), 500, "unknown_backend_user")]
        {
            fixture.permit = permit("read:logs-*", user, &ask);
            let error = fixture.with(|caller| identity.credential(caller)).unwrap_err();
            assert_eq!((error.status(), error.reason()), (status, reason));
        }
        fixture.permit = permit("read:logs-*", Some("logs_reader"), &ask);
        let credential = fixture.with(|caller| identity.credential(caller)).unwrap();
        assert_eq!(headers(&credential)["authorization"], "Basic bG9nc19yZWFkZXI6czNjcmV0");
        assert_eq!((credential.name(), credential.roles().len()), ("logs_reader", 0));
        let shown = format!("{credential:?} {identity:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("bG9nc19"));
    }

    #[test]
    fn users_that_basic_authentication_cannot_carry() {
        for name in ["a:b", "", "a\nb"] {
            let settings = serde_json::from_value(serde_json::json!({ "users": { name: "x" } })).unwrap();
            let identity = EngineIdentity::from_config(&config::model::Identity::BackendUser(settings));
            assert!(matches!(identity, Err(IdentityError::UserName(_))), "{name:?}");
        }
    }

    #[test]
    fn applying_leaves_one_authorization() {
        let mut fixture = Fixture::new(&["read:logs-*"], &[]);
        fixture.token = Some(SecretString::from("new"));
        let credential = fixture.with(|caller| EngineIdentity::Forward.credential(caller)).unwrap();
        let mut headers = http::HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("Bearer old"));
        headers.append("authorization", HeaderValue::from_static("Basic old"));
        credential.apply(&mut headers);
        assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer new"]);
    }

    #[test]
    fn a_missing_key_file_is_named() {
        let settings = serde_json::from_str(r#"{"private_key":"/nowhere/key.pem"}"#).unwrap();
        let error = EngineIdentity::from_config(&config::model::Identity::SignedJwt(settings)).unwrap_err();
        assert!(error.to_string().contains("/nowhere/key.pem"));
    }
}
