//! OpenSearch Dashboards behind the proxy.

use std::path::PathBuf;

use claims::ClaimPath;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Duration, ServerTls, defaults};
use crate::value::ClaimPathForm;

/// The OpenSearch Dashboards of a cluster. Requests for it need scopes such as `read:dashboards`, and reach it under the
/// cluster's `identity`, which the engine judges again.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboards {
    /// The URLs of its servers, without a path.
    #[schemars(length(min = 1))]
    pub nodes: Vec<Url>,
    /// Permit plain http to servers that are not on loopback. The proxy's credential for the engine, and all data, then
    /// travel in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// CA certificates (PEM) of the servers; without it, those of the platform.
    #[schemars(extend("x-file" = "read"))]
    pub ca: Option<PathBuf>,
    /// The proxy's own certificate towards the servers.
    pub client_certificate: Option<ServerTls>,
    /// Host names by which clients address Dashboards. Empty: those of the cluster.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Dashboards' own `server.basePath`, for example `/dashboards`, by which clients address it. It is kept when a request
    /// is forwarded, so `server.rewriteBasePath` must be `true` there.
    pub base_path: Option<String>,
    /// A path prefix by which clients address Dashboards, removed before forwarding: for a Dashboards with
    /// `server.rewriteBasePath: false`. Either this or `base_path`. With neither, and without `hosts`, the paths of the
    /// cluster that begin with a segment of Dashboards' own (`/api`, `/internal`, `/app`, `/w`, …) are for Dashboards, and
    /// indices of these names are not served.
    pub path_prefix: Option<String>,
    /// Which tenant of Dashboards a request is for. Without it Dashboards chooses by its own settings. The tenant that a client
    /// names is dropped, except where this lets it choose.
    pub tenant: Option<Tenant>,
    /// Health checks of the servers.
    #[serde(default)]
    pub health: DashboardsHealth,
    /// How long connecting to a server may take before the next is tried.
    #[serde(default = "defaults::connect_timeout")]
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub connect_timeout: Duration,
    /// How long Dashboards may take until its response begins; none by default, since searches may be long.
    #[schemars(extend("x-min" = "1s", "x-max" = "1d"))]
    pub response_timeout: Option<Duration>,
    /// Idle connections kept for each server.
    #[serde(default = "defaults::max_idle")]
    #[schemars(range(max = 100_000))]
    pub max_idle_connections: usize,
    /// How long an idle connection is kept.
    #[serde(default = "defaults::idle_timeout")]
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub idle_timeout: Duration,
}

/// Which tenant a request is for; exactly one. Dashboards hears of it in the header `securitytenant`, in which `global`
/// and `private` mean those two.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Tenant {
    /// Always the same.
    Fixed(FixedTenant),
    /// The one that the client names in the header `securitytenant`, out of a list.
    Choice(TenantChoice),
    /// The one that a claim of the caller's token names.
    Claim(TenantClaim),
    /// The one of the mapping that grants the scope by which a request is allowed.
    Mapping(TenantMapping),
}

/// Settings of `fixed`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedTenant {
    /// The tenant's name.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// Settings of `choice`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChoice {
    /// The tenants that a client may name; the first stands for a request that names none. Others are refused.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub allowed: Vec<String>,
}

/// Settings of `claim`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantClaim {
    /// Claim path, as under `claims`. A token without one value there is refused.
    #[schemars(with = "ClaimPathForm")]
    pub path: ClaimPath,
}

/// Settings of `mapping`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TenantMapping {
    /// The tenant of requests for which no mapping names one. Without it they are refused.
    #[schemars(length(min = 1))]
    pub otherwise: Option<String>,
}

/// Health checks of Dashboards' servers.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardsHealth {
    /// What is asked of a server, after its `base_path`. Any answer below 500 counts as healthy, so the default needs no
    /// credentials.
    pub path: String,
    /// Time between checks of one server.
    #[schemars(extend("x-min" = "100ms", "x-max" = "10m"))]
    pub interval: Duration,
    /// How long a check may take.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1m"))]
    pub timeout: Duration,
    /// Failures in a row after which a server is passed over.
    #[schemars(range(min = 1, max = 100))]
    pub failures: u32,
}

impl Dashboards {
    /// The prefix of its paths as clients see them, whether kept or removed; empty when there is none.
    pub fn prefix(&self) -> &str {
        self.base_path.as_deref().or(self.path_prefix.as_deref()).unwrap_or_default()
    }

    /// Whether it has a host or a prefix of its own, and does not share the paths of the cluster.
    pub fn has_own_place(&self) -> bool {
        !self.hosts.is_empty() || !self.prefix().is_empty()
    }
}

impl Default for DashboardsHealth {
    fn default() -> Self {
        Self {
            path: "/api/status".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            failures: 2,
        }
    }
}
