//! The section `tokens`: tokens that the proxy issues itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ClaimCondition, NAME, NAME_FORM, TokenAuthorization};
use crate::value::{Duration, Secret};

/// Tokens that the proxy issues itself. With this section the paths below `/oauth/` are the proxy's own on every host.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Where tokens are kept. Of each, only a hash.
    pub store: TokenStore,
    /// How long a token lives for which nothing else is asked.
    #[serde(default = "default_lifetime")]
    #[schemars(extend("x-min" = "1m", "x-max" = "365d"))]
    pub default_lifetime: Duration,
    /// How long a token may live at most.
    #[serde(default = "max_lifetime")]
    #[schemars(extend("x-min" = "1m", "x-max" = "365d"))]
    pub max_lifetime: Duration,
    /// Who may have which tokens issued. Of the policies that apply to a caller the first that allows all that is asked decides; a
    /// caller to whom none applies gets none. Without any policy, everyone may have tokens of what they hold themselves.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub policies: Vec<TokenPolicy>,
    /// Whom to tell when a token waits for approval, and when it was approved or denied.
    pub notify: Option<TokenNotify>,
    /// Clients of the proxy's own, to which people give tokens: agents and other programs.
    pub authorization: Option<TokenAuthorization>,
}

/// Where notifications go.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenNotify {
    /// Where they are posted, as JSON: `event` (`token.requested`, `token.approved`, `token.denied`), `at`, and `token`, without its
    /// secret. Must be https unless its host is loopback. Tried four times within about a minute; lost if the proxy stops meanwhile.
    pub url: Url,
    /// With it, each request carries the HMAC-SHA256 of its body as `X-Signature-256: sha256=…`.
    pub secret: Option<Secret>,
    /// CA certificates (PEM) for the connection; without it, those of the platform.
    #[schemars(extend("x-file" = "read"))]
    pub ca: Option<PathBuf>,
}

/// Where tokens are kept; exactly one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TokenStore {
    /// A file of this proxy alone.
    Embedded(EmbeddedStore),
    /// An index of a cluster, shared by several proxies.
    #[serde(rename = "opensearch")]
    OpenSearch(OpenSearchStore),
}

/// A store in a file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedStore {
    /// The file; made with mode 0600. One proxy at a time can have it open.
    #[schemars(extend("x-file" = "write"))]
    pub path: PathBuf,
}

/// A store in an index. Its documents are encrypted.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSearchStore {
    /// The cluster that has the index.
    #[schemars(length(min = 1))]
    pub cluster: String,
    /// The index; made when it is not there.
    #[serde(default = "index")]
    #[schemars(length(min = 2, max = 63), extend("pattern" = INDEX, "x-form" = INDEX_FORM))]
    pub index: String,
    /// What documents are encrypted with: 32 bytes or more, the same for every proxy. `openssl rand -base64 48` makes one.
    pub secret: Secret,
    /// Further secrets with which documents are read, but not written. To change the secret: add the new one here for every proxy,
    /// then exchange the two, and remove the old one after an hour, when all is encrypted with the new one.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub other_secrets: Vec<Secret>,
    /// How long managed tokens are accepted while the proxy cannot learn what others revoked. Beyond, none is.
    #[serde(default = "max_stale")]
    #[schemars(extend("x-min" = "3s", "x-max" = "10m"))]
    pub max_stale: Duration,
    /// The user of `identity.backend_user.users` as whom the index is read and written. Needed with that identity, and only there; the
    /// other identities have a name of the proxy's own.
    #[schemars(length(min = 1))]
    pub user: Option<String>,
}

/// Who may have which tokens issued.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPolicy {
    /// A short name, unique here; kept with each token issued under it.
    #[schemars(length(max = 63), extend("pattern" = NAME, "x-form" = NAME_FORM))]
    pub name: String,
    /// To whom it applies; without it, to everyone.
    pub when: Option<TokenCondition>,
    /// What may be granted at most, as scopes of the form `[cluster/]action:resource`. Never more than the caller holds.
    #[schemars(length(min = 1))]
    pub scopes: Vec<String>,
    /// How long these tokens may live; without it, `tokens.max_lifetime`.
    #[schemars(extend("x-min" = "1m", "x-max" = "365d"))]
    pub max_lifetime: Option<Duration>,
    /// What must be said about a token before it is issued: `name`, `description`, or an entry of its metadata.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub require: Vec<String>,
    /// Whether somebody else must agree before a token works.
    #[serde(default)]
    pub approval: TokenApproval,
    /// Whether a token may be for somebody else than who asks. It holds what who asks holds, and its requests count as theirs; whom it
    /// is for sees it and can end it.
    #[serde(default)]
    pub for_others: bool,
}

/// What the presented token must be like; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenCondition {
    /// A scope string of the token, as under `mappings`.
    #[schemars(length(min = 1))]
    pub scope: Option<String>,
    /// A group of the token; `*` stands for any characters.
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    /// A claim of the token.
    pub claim: Option<ClaimCondition>,
    /// Only tokens of this provider.
    pub provider: Option<String>,
}

/// Whether somebody else must agree before a token works.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenApproval {
    /// No.
    #[default]
    None,
    /// Somebody with the scope `admin:tokens`, other than whoever asked.
    Required,
}

/// What the name of the index can be.
const INDEX: &str = "^[a-z0-9.][a-z0-9._-]+$";
const INDEX_FORM: &str = "small letters, digits, `.`, `_` and `-`";

fn index() -> String {
    ".oauth-tokens".to_owned()
}

fn max_stale() -> Duration {
    Duration::from_secs(10)
}

fn default_lifetime() -> Duration {
    Duration::from_secs(60 * 60)
}

fn max_lifetime() -> Duration {
    Duration::from_secs(30 * 24 * 60 * 60)
}
