//! The set-up as calls of the engine's security API.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{ORDER, Setup, api_tokens};

/// A call of the security API that an administrator can make.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestCall {
    /// `PATCH`: entries that are not named stay as they are.
    pub method: &'static str,
    /// Path of the engine.
    pub path: &'static str,
    /// A JSON Patch (RFC 6902).
    pub body: Value,
}

/// The kinds of entries, with their paths, in the order in which they can be made: what is referred to comes first.
pub(super) const ACTION_GROUPS: &str = "/_plugins/_security/api/actiongroups";
pub(super) const ROLES: &str = "/_plugins/_security/api/roles";
pub(super) const INTERNAL_USERS: &str = "/_plugins/_security/api/internalusers";
pub(super) const ROLES_MAPPING: &str = "/_plugins/_security/api/rolesmapping";
pub(super) const CONFIG: &str = "/_plugins/_security/api/securityconfig";

impl Setup {
    /// The calls that make the set-up on an engine that has nothing of it. Passwords are placeholders.
    ///
    /// The last one changes the authentication domains, which the engine permits only with
    /// `plugins.security.unsupported.restapi.allow_securityconfig_modification: true`; without that, use the file.
    pub fn to_rest_calls(&self) -> Vec<RestCall> {
        let users = self.internal_users.iter().map(|(name, user)| {
            let mut entry = json!(user);
            entry["password"] = json!("REPLACE");
            (name.clone(), entry)
        });
        [
            (ACTION_GROUPS, entries(&self.action_groups)),
            (ROLES, entries(&self.roles)),
            (INTERNAL_USERS, users.collect()),
            (ROLES_MAPPING, entries(&self.roles_mapping)),
        ]
        .into_iter()
        .filter_map(|(path, entries)| patch(path, entries))
        .chain(self.api_tokens.then(api_tokens::enable))
        .chain(self.domain_call(ORDER, true))
        .collect()
    }

    /// The set-up as JSON, for `--output json`.
    pub fn to_json(&self) -> Value {
        json!({
            "cluster": self.cluster,
            "files": self.to_yaml_files().into_iter().map(|f| (f.name.to_owned(), json!(f.text))).collect::<Map<_, _>>(),
            "rest_calls": self.to_rest_calls(),
            "notes": self.notes,
        })
    }

    pub(super) fn domain_call(&self, order: i64, with_xff: bool) -> Option<RestCall> {
        let domain = self.domain.as_ref()?;
        let mut operations = vec![json!({
            "op": "add",
            "path": format!("/config/dynamic/authc/{}", domain.name),
            "value": domain.value(order),
        })];
        if with_xff && let Some(xff) = domain.xff() {
            operations.push(json!({ "op": "add", "path": "/config/dynamic/http/xff", "value": xff }));
        }
        Some(RestCall { method: "PATCH", path: CONFIG, body: operations.into() })
    }
}

/// Named entries of one kind.
pub(super) fn entries<T: Serialize>(map: &std::collections::BTreeMap<String, T>) -> Map<String, Value> {
    map.iter().map(|(name, entry)| (name.clone(), json!(entry))).collect()
}

/// A call that adds or replaces the entries; none if there are none.
pub(super) fn patch(path: &'static str, entries: Map<String, Value>) -> Option<RestCall> {
    let operations: Vec<_> = entries
        .into_iter()
        .map(|(name, value)| {
            // JSON Pointer (RFC 6901 section 3).
            let name = name.replace('~', "~0").replace('/', "~1");
            json!({ "op": "add", "path": format!("/{name}"), "value": value })
        })
        .collect();
    (!operations.is_empty()).then(|| RestCall { method: "PATCH", path, body: operations.into() })
}
