//! The section `tokens`: tokens that the proxy issues itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClaimCondition, NAME, NAME_FORM};
use crate::value::Duration;

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
}

/// Where tokens are kept; exactly one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TokenStore {
    /// A file of this proxy alone.
    Embedded(EmbeddedStore),
}

/// A store in a file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedStore {
    /// The file; made with mode 0600. One proxy at a time can have it open.
    #[schemars(extend("x-file" = "write"))]
    pub path: PathBuf,
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

fn default_lifetime() -> Duration {
    Duration::from_secs(60 * 60)
}

fn max_lifetime() -> Duration {
    Duration::from_secs(30 * 24 * 60 * 60)
}
