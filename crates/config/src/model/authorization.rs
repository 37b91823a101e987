//! The section `tokens.authorization`: clients of the proxy's own, and the login of the people whom they ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::{Duration, Secret};

/// Clients that get a token for a person who agrees: in the browser, or by a code from a device.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAuthorization {
    /// How people log in before they are asked.
    pub login: TokenLogin,
    /// The clients.
    #[schemars(length(min = 1))]
    pub clients: Vec<TokenClient>,
}

/// The proxy as a client of a provider. Register it there with the redirect URI `<public_url>/oauth/callback`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenLogin {
    /// The provider; needed where there are several. It must be one whose tokens are verified by their signature.
    pub provider: Option<String>,
    /// The proxy's client id there.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// The proxy's secret there.
    pub client_secret: Secret,
    /// What the provider is asked for; `openid` must be among it. The access token that it gives for this must be one that is
    /// accepted here, and what it holds, by itself or through `mappings`, is what a person can give on.
    #[serde(default = "openid")]
    #[schemars(length(min = 1), inner(length(min = 1)), extend("default" = serde_json::json!(["openid"])))]
    pub scopes: Vec<String>,
}

/// A client of the proxy's own.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenClient {
    /// Its id, unique here. Choose one that no client of a provider has: the audit trail and the engine see it in the place of those.
    #[schemars(length(max = 128), extend("pattern" = CLIENT_ID, "x-form" = CLIENT_ID_FORM))]
    pub client_id: String,
    /// What it is called where people are asked.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Its secret; without it, it is a public client, which PKCE alone protects. PKCE is needed either way.
    pub client_secret: Option<Secret>,
    /// How it can ask.
    #[serde(default = "by_browser")]
    #[schemars(length(min = 1), extend("default" = serde_json::json!(["authorization_code"])))]
    pub grants: Vec<TokenClientGrant>,
    /// Where codes may be sent, exactly as the client writes it: https, or `http://127.0.0.1`, `http://[::1]` or `http://localhost`, on
    /// any port then. Needed for the grant `authorization_code`.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// What it can get at most, as scopes of the form `[cluster/]action:resource`. Never more than the person holds.
    #[schemars(length(min = 1))]
    pub scopes: Vec<String>,
    /// How long its tokens may live; without it, as policies and `tokens.max_lifetime` say.
    #[schemars(extend("x-min" = "1m", "x-max" = "365d"))]
    pub max_lifetime: Option<Duration>,
}

/// How a client can ask a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenClientGrant {
    /// In the person's browser (RFC 6749 section 4.1, with PKCE).
    AuthorizationCode,
    /// By a code that the person enters in a browser elsewhere (RFC 8628).
    DeviceCode,
}

/// What a client id can be.
const CLIENT_ID: &str = "^[A-Za-z0-9._~:/-]+$";
const CLIENT_ID_FORM: &str = "letters, digits, `.`, `_`, `~`, `:`, `/` and `-`";

fn openid() -> Vec<String> {
    vec!["openid".to_owned()]
}

fn by_browser() -> Vec<TokenClientGrant> {
    vec![TokenClientGrant::AuthorizationCode]
}
