//! The entries of the security configuration, in the form of the engine's REST API.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

/// A named set of permissions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ActionGroup {
    /// Permissions.
    pub allowed_actions: Vec<String>,
    /// `index` or `cluster`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// For people.
    pub description: String,
}

/// An engine role.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Role {
    /// For people.
    pub description: String,
    /// Permissions and action groups on the cluster.
    pub cluster_permissions: Vec<String>,
    /// Permissions and action groups on indices.
    pub index_permissions: Vec<IndexPermission>,
    /// Permissions on tenants of Dashboards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenant_permissions: Vec<TenantPermission>,
}

/// What a role may do with some indices.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct IndexPermission {
    /// Index patterns; `*` is the only wildcard written here.
    pub index_patterns: Vec<String>,
    /// Permissions and action groups.
    pub allowed_actions: Vec<String>,
}

/// What a role may do with some tenants of Dashboards.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TenantPermission {
    /// Tenant patterns.
    pub tenant_patterns: Vec<String>,
    /// `kibana_all_read` or `kibana_all_write`.
    pub allowed_actions: Vec<String>,
}

/// Who has a role.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct RoleMapping {
    /// Backend roles, any of which gives the role.
    pub backend_roles: BTreeSet<String>,
    /// For people.
    pub description: String,
}

/// A user of the engine's internal database, for identity `backend_user`. The password stands in the proxy's
/// configuration and is not repeated here.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct InternalUser {
    /// The scopes that reach the engine as this user, through which it has its roles.
    pub backend_roles: BTreeSet<String>,
    /// For people.
    pub description: String,
}

/// An authentication domain of the engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Domain {
    /// Its name under `authc`.
    pub name: String,
    /// `jwt` or `extended-proxy`.
    pub authenticator: &'static str,
    /// The settings of the authenticator.
    pub settings: BTreeMap<&'static str, Value>,
    /// Whether it needs `xff`: the addresses of the proxy as a regular expression.
    pub trusted_proxies: Option<String>,
}

impl Domain {
    /// The domain as the engine's configuration has it. Two domains of one order shadow each other in the engine, and those
    /// before must not challenge; so the order is given from outside, lower than all others.
    pub fn value(&self, order: i64) -> Value {
        json!({
            "description": "Requests that the OAuth proxy has authenticated and authorised",
            "http_enabled": true,
            "transport_enabled": false,
            "order": order,
            "http_authenticator": {
                "type": self.authenticator,
                "challenge": false,
                "config": self.settings,
            },
            "authentication_backend": { "type": "noop", "config": {} },
        })
    }

    /// The `xff` settings that a `proxy` domain needs.
    pub fn xff(&self) -> Option<Value> {
        self.trusted_proxies.as_ref().map(|addresses| {
            json!({
                "enabled": true,
                "internalProxies": addresses,
                "remoteIpHeader": "x-forwarded-for",
            })
        })
    }
}
