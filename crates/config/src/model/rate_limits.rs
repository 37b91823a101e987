//! The section `rate_limits`: how many requests whoever is known may make.

use std::collections::BTreeMap;

use rest::Action;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{NAME, NAME_FORM};
use crate::value::{ActionForm, Duration};

/// How many requests the proxy lets through. Who asks is known by then: nothing that can be claimed without a token counts.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// How many proxies share the requests evenly. Each counts by itself and lets its share through.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: u32,
    /// What may be asked how often. Of the rules that apply to a request each must allow it; one that any refuses counts nowhere.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!([])))]
    pub rules: Vec<RateLimit>,
    /// How many tokens of one source address may be refused. Beyond, requests from there with a token that is not known already get
    /// 429 instead of having it verified. Not behind a load balancer that hides the addresses of clients.
    pub failed_authentications: Option<FailedAuthentications>,
}

/// One rule: a budget for each of those that `per` tells apart.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// A short name, unique here: clients are told it, and it labels metrics.
    #[schemars(length(max = 63), extend("pattern" = NAME, "x-form" = NAME_FORM))]
    pub name: String,
    /// What has a budget of its own; with several, each combination. Empty: one for everybody together. A rule per `user` does not
    /// apply to tokens that a client got for itself.
    pub per: Vec<RatePartition>,
    /// Only requests of these actions, as `requests_total` counts them; without it, all.
    #[schemars(with = "Option<Vec<ActionForm>>", length(min = 1))]
    pub actions: Option<Vec<Action>>,
    /// Only on these clusters; without it, on all.
    #[schemars(length(min = 1))]
    pub clusters: Option<Vec<String>>,
    /// Only requests of these clients; without it, of all.
    #[schemars(length(min = 1))]
    pub clients: Option<Vec<String>>,
    /// How many requests the budget gains in the time `every`, evenly.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: u32,
    /// See `requests`.
    #[schemars(extend("x-min" = "1s", "x-max" = "1d"))]
    pub every: Duration,
    /// How many requests may come at once after a pause; without it, as many as `requests`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
    /// What requests of an operation count for, such as `bulk: 10`; all others count for 1. Operations are named as in audit records.
    #[serde(default)]
    #[schemars(extend("default" = serde_json::json!({})))]
    pub weights: BTreeMap<String, u32>,
}

/// What a rule tells apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RatePartition {
    /// The token. Who may have many tokens has many budgets.
    Token,
    /// The client, with its provider.
    Client,
    /// The person, with their provider.
    User,
    /// The cluster.
    Cluster,
    /// The action.
    Action,
}

/// How many tokens may be refused.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailedAuthentications {
    /// How many the budget of an address gains in the time `every`, evenly. Addresses of one IPv6 network (/64) count together.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub failures: u32,
    /// See `failures`.
    #[schemars(extend("x-min" = "1s", "x-max" = "1d"))]
    pub every: Duration,
    /// How many may fail at once after a pause; without it, as many as `failures`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: Option<u32>,
}

impl RateLimit {
    /// How many requests may come at once.
    pub fn burst(&self) -> u32 {
        self.burst.unwrap_or(self.requests)
    }
}

impl FailedAuthentications {
    /// How many may fail at once.
    pub fn burst(&self) -> u32 {
        self.burst.unwrap_or(self.failures)
    }
}

fn one() -> u32 {
    1
}
