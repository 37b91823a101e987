//! The identity `api_token`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BackendUsers, Identity, ProxyHeaders, ServerTls, SignedJwt};
use crate::value::{Duration, Secret};

/// Settings of `api_token`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// As whom the proxy makes and ends tokens at the engine; exactly one.
    pub admin: TokenAdmin,
    /// What begins the names of the tokens made here. Proxies of one engine may share it; each names its tokens apart.
    #[serde(default = "prefix")]
    #[schemars(length(max = 64), extend("pattern" = "^[A-Za-z0-9_-]+$", "x-form" = "a prefix of letters, digits, `-` and `_`, such as `oauth-proxy`"))]
    pub name_prefix: String,
    /// Lifetime of a token. One that is in use is replaced when a quarter of it is left. What a proxy that died leaves behind ends after
    /// this time. Not longer than the engine's `api_tokens.max_duration_seconds`.
    #[serde(default = "lifetime")]
    #[schemars(extend("x-min" = "10s", "x-max" = "90d"))]
    pub lifetime: Duration,
    /// How long a token may go unused before it is revoked.
    #[serde(default = "idle")]
    #[schemars(extend("x-min" = "1s", "x-max" = "90d"))]
    pub idle: Duration,
    /// Tokens held at once at most. The engine allows `api_tokens.max_tokens` (100 by default) for everybody together, and counts those
    /// that are revoked or expired until an administrator's certificate deletes them.
    #[serde(default = "max_tokens")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_tokens: usize,
    /// How long a request waits for the engine to make a token.
    #[serde(default = "wait")]
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub wait: Duration,
    /// As whom requests go for which there is no token: the engine has no place left or does not answer, or a scope or role cannot be said
    /// in a token. Without it, they are refused.
    pub fallback: Option<Fallback>,
}

/// An administrator of the engine's API tokens.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TokenAdmin {
    /// A user with a role of `plugins.security.restapi.roles_enabled`. It can make and revoke tokens, but not free their places.
    User(TokenAdminUser),
    /// A certificate of `plugins.security.authcz.admin_dn`. It can free the places of ended tokens, too.
    Certificate(ServerTls),
}

/// A user by basic authentication.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAdminUser {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its password.
    pub password: Secret,
}

/// Another identity; exactly one. The settings are those of the identity of the same name.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Fallback {
    /// A JWT of a few minutes signed by the proxy, for the engine's `jwt` domain.
    SignedJwt(SignedJwt),
    /// Users created in the engine beforehand, by basic authentication.
    BackendUser(BackendUsers),
    /// The engine's `proxy` or `extended-proxy` domain.
    ProxyHeaders(ProxyHeaders),
}

impl Fallback {
    /// The same as an identity of a cluster.
    pub fn identity(&self) -> Identity {
        match self {
            Self::SignedJwt(settings) => Identity::SignedJwt(settings.clone()),
            Self::BackendUser(settings) => Identity::BackendUser(settings.clone()),
            Self::ProxyHeaders(settings) => Identity::ProxyHeaders(settings.clone()),
        }
    }
}

impl Identity {
    /// The administrator's certificate of `api_token`.
    pub fn admin_certificate(&self) -> Option<&ServerTls> {
        match self {
            Self::ApiToken(ApiToken { admin: TokenAdmin::Certificate(files), .. }) => Some(files),
            _ => None,
        }
    }

    /// The users of `backend_user`, be it the identity itself or the fallback of `api_token`.
    pub fn backend_users(&self) -> Option<&BackendUsers> {
        match self {
            Self::BackendUser(users)
            | Self::ApiToken(ApiToken { fallback: Some(Fallback::BackendUser(users)), .. }) => Some(users),
            _ => None,
        }
    }

    /// The settings of `proxy_headers`, be it the identity itself or the fallback of `api_token`.
    pub fn proxy_headers(&self) -> Option<&ProxyHeaders> {
        match self {
            Self::ProxyHeaders(headers)
            | Self::ApiToken(ApiToken { fallback: Some(Fallback::ProxyHeaders(headers)), .. }) => {
                Some(headers)
            }
            _ => None,
        }
    }
}

fn prefix() -> String {
    "oauth-proxy".to_owned()
}

fn lifetime() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

fn idle() -> Duration {
    Duration::from_secs(60 * 60)
}

fn max_tokens() -> usize {
    50
}

fn wait() -> Duration {
    Duration::from_secs(5)
}
