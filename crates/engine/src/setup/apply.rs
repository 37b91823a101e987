//! Making the set-up on a running engine.

use serde_json::{Map, Value, json};

use super::{
    AdminAccess, ApiError, ORDER, RestCall, Setup,
    api::{Api, Current},
    api_tokens, check,
    rest_calls::{ACTION_GROUPS, INTERNAL_USERS, ROLES, ROLES_MAPPING, entries, patch},
};

/// How often the engine is looked at again after changes.
const ROUNDS: usize = 3;

/// Why a set-up could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "the set-up of cluster `{cluster}` could not be applied; what was done before stays, and applying again is safe"
)]
pub struct ApplyError {
    /// The cluster.
    cluster: String,
    /// Why.
    #[source]
    source: ApiError,
}

/// Makes what is missing on a running engine and returns what was changed, for people.
///
/// Entries of others are never touched. An own entry that exists is brought in line: document- and field-level security and
/// tenants that an operator has added to a role stay, and so do further users and backend roles of a mapping.
pub async fn apply(setup: &Setup, access: &AdminAccess) -> Result<Vec<String>, ApplyError> {
    let failed = |source| ApplyError { cluster: setup.cluster.clone(), source };
    let api = Api::new(access).map_err(failed)?;
    let mut done = Vec::new();
    // Another proxy that is set up at the same time may take the same order for its domain, which a second look shows.
    for _ in 0..ROUNDS {
        let current = api.current().await.map_err(failed)?;
        let calls = calls(setup, &current, done.is_empty());
        if calls.is_empty() {
            break;
        }
        for call in calls {
            api.call(call.method, call.path, Some(&call.body)).await.map_err(failed)?;
            let paths = call.body.as_array().into_iter().flatten().filter_map(|op| op["path"].as_str());
            done.extend(paths.map(|path| format!("{}{path}", call.path)));
        }
    }
    Ok(done)
}

/// The calls that bring `current` in line, in order; empty if it is. The engine never shows a password, so `with_users` is
/// for the caller to say.
fn calls(setup: &Setup, current: &Current, with_users: bool) -> Vec<RestCall> {
    let mut users = Map::new();
    for (name, user) in setup.internal_users.iter().filter(|_| with_users) {
        if let Some(password) = setup.passwords.get(name) {
            let mut entry = json!(user);
            entry["password"] = json!(password.expose());
            users.insert(name.clone(), entry);
        }
    }
    let merged = |wanted: Map<String, Value>, present: &Map<String, Value>, merge: fn(&mut Value, &Value)| {
        wanted
            .into_iter()
            .filter_map(|(name, mut entry)| {
                if let Some(present) = present.get(&name) {
                    merge(&mut entry, present);
                    if check::contains(present, &entry) {
                        return None;
                    }
                }
                Some((name, entry))
            })
            .collect()
    };
    let calls = [
        (ACTION_GROUPS, merged(entries(&setup.action_groups), &current.action_groups, |_, _| {})),
        (ROLES, merged(entries(&setup.roles), &current.roles, keep_role_additions)),
        (INTERNAL_USERS, users),
        (
            ROLES_MAPPING,
            merged(entries(&setup.roles_mapping), &current.roles_mapping, keep_mapping_additions),
        ),
    ];
    calls
        .into_iter()
        .filter_map(|(path, entries)| patch(path, entries))
        .chain((setup.api_tokens && !api_tokens::are_enabled(&current.config)).then(api_tokens::enable))
        .chain(domain_call(setup, current))
        .collect()
}

fn domain_call(setup: &Setup, current: &Current) -> Option<RestCall> {
    if check::domain(setup, &current.config).iter().all(super::Finding::is_ok) {
        return None;
    }
    let name = setup.domain.as_ref()?.name.as_str();
    let lowest = check::domains(&current.config)
        .filter(|(other, _)| *other != name)
        .filter_map(|(_, domain)| domain["order"].as_i64())
        .min();
    let has_xff = current.config["config"]["dynamic"]["http"]["xff"]["enabled"] == true;
    setup.domain_call(lowest.map_or(ORDER, |order| ORDER.min(order - 1)), !has_xff)
}

/// What narrows a role stays: document-level security and the like on the same patterns, and tenants.
pub(super) fn keep_role_additions(role: &mut Value, present: &Value) {
    if let Some(tenants) = present["tenant_permissions"].as_array() {
        let mut all = role["tenant_permissions"].as_array().cloned().unwrap_or_default();
        all.extend(tenants.iter().filter(|tenant| !all.contains(tenant)).cloned().collect::<Vec<_>>());
        role["tenant_permissions"] = all.into();
    }
    let present = present["index_permissions"].as_array().map_or(&[][..], Vec::as_slice);
    for permission in role["index_permissions"].as_array_mut().into_iter().flatten() {
        if let Some(same) = present.iter().find(|p| p["index_patterns"] == permission["index_patterns"]) {
            for key in ["dls", "fls", "masked_fields"] {
                if let Some(value) = same.get(key) {
                    permission[key] = value.clone();
                }
            }
        }
    }
}

pub(super) fn keep_mapping_additions(mapping: &mut Value, present: &Value) {
    for key in ["backend_roles", "hosts", "users"] {
        let mut all = mapping[key].as_array().cloned().unwrap_or_default();
        for item in present[key].as_array().into_iter().flatten() {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        mapping[key] = all.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::{
        rest_calls::CONFIG,
        tests::{jwt, set_up},
    };

    fn with_basic(order: i64) -> Value {
        let basic =
            json!({ "http_enabled": true, "order": order, "http_authenticator": { "challenge": true } });
        json!({ "config": { "dynamic": { "authc": { "basic": basic } } } })
    }

    #[test]
    fn the_domain_comes_before_all_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*"], &json!([])).unwrap();
        for (there, expected) in [(10, -1), (0, -1), (-1, -2), (-7, -8)] {
            let current = Current { config: with_basic(there), ..Current::default() };
            let calls = calls(&setup, &current, true);
            let last = calls.last().unwrap();
            assert_eq!(last.path, CONFIG);
            assert_eq!(last.body[0]["value"]["order"], expected);
        }
    }

    #[test]
    fn what_an_operator_added_stays_and_what_is_wrong_is_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["read:logs-*"], &json!([])).unwrap();
        let name = "oauth_read:logs-*";
        let mut roles = entries(&setup.roles);
        roles[name]["cluster_permissions"] = json!(["*"]);
        roles[name]["tenant_permissions"] = json!([{ "tenant_patterns": ["t"] }]);
        roles[name]["index_permissions"][0]["dls"] = json!("{\"term\":{}}");
        let mut roles_mapping = entries(&setup.roles_mapping);
        roles_mapping[name]["backend_roles"] = json!(["operators"]);
        let current = Current { config: with_basic(0), roles, roles_mapping, ..Current::default() };
        let calls = calls(&setup, &current, true);
        let of = |path: &str| &calls.iter().find(|call| call.path == path).unwrap().body[0]["value"];
        assert_eq!(of(ROLES)["cluster_permissions"], json!(["cluster:monitor/main", "oauth_read_cluster"]));
        assert_eq!(of(ROLES)["index_permissions"][0]["dls"], "{\"term\":{}}");
        assert_eq!(of(ROLES)["tenant_permissions"][0]["tenant_patterns"], json!(["t"]));
        assert_eq!(of(ROLES_MAPPING)["backend_roles"], json!([r"/read:logs-\*/", "operators"]));
    }

    #[test]
    fn tenants_that_an_operator_added_stay_beside_our_own() {
        let folder = tempfile::tempdir().unwrap();
        let setup = set_up(&jwt(&folder), &["write:dashboards"], &json!([])).unwrap();
        let name = "oauth_write:dashboards";
        let mut roles = entries(&setup.roles);
        let own = roles[name]["tenant_permissions"][0].clone();
        let added = json!({ "tenant_patterns": ["analysts"], "allowed_actions": ["kibana_all_write"] });
        roles[name]["tenant_permissions"] = json!([added]);
        let current = Current { config: with_basic(0), roles, ..Current::default() };
        let calls = calls(&setup, &current, true);
        let put = calls.iter().find(|call| call.path == ROLES).unwrap();
        assert_eq!(put.body[0]["value"]["tenant_permissions"], json!([own, added]));
    }

    #[test]
    fn passwords_go_to_the_engine_and_nowhere_else() {
        let identity = json!({ "backend_user": { "users": { "reader": "s3cret" } } });
        let setup = set_up(&identity, &[], &json!([])).unwrap();
        let calls = calls(&setup, &Current::default(), true);
        assert_eq!(calls[0].body[0]["value"]["password"], "s3cret");
        assert!(!json!(setup.to_rest_calls()).to_string().contains("s3cret"));
    }
}
