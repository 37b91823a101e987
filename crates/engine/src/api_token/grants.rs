//! What a token may do: the permissions of the engine role of each scope, said out.
//!
//! Permissions are written one by one, not as action groups: tokens that exist do not follow a change of a group.

use std::collections::BTreeSet;

use access::{Grant, Scope};
use rest::Target;
use serde::Serialize;

use super::ApiTokenError;
use crate::{Caller, setup::permissions};

/// The permissions of one token, in the form of the engine's API.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Grants {
    cluster_permissions: BTreeSet<&'static str>,
    index_permissions: Vec<IndexGrant>,
}

/// The engine calls the list of patterns `index_pattern`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct IndexGrant {
    index_pattern: [String; 1],
    allowed_actions: &'static [&'static str],
}

impl Grants {
    /// What the scopes that allow the caller's request stand for.
    ///
    /// # Errors
    ///
    /// When a part of it cannot be said: roles, which may narrow by document-level security and so cannot be left out; tenants of
    /// Dashboards; what plugins and remote clusters judge by their own rules.
    pub(super) fn of(caller: &Caller<'_>) -> Result<Self, ApiTokenError> {
        let mut grants = Self::default();
        grants.cluster_permissions.insert(permissions::GREETING);
        if let Some(role) = caller.permit.roles.first() {
            return Err(ApiTokenError::CannotExpress(format!("role:{role}")));
        }
        for scope in &caller.permit.scopes {
            grants.add(scope)?;
        }
        Ok(grants)
    }

    fn add(&mut self, text: &str) -> Result<(), ApiTokenError> {
        let cannot = || ApiTokenError::CannotExpress(text.to_owned());
        let scope: Scope = text.parse().map_err(|_| cannot())?;
        match &scope.grant {
            Grant::Index { action, target: target @ Target { remote: None, .. } } => {
                let pattern = target.index.to_string();
                if !permissions::is_plain_pattern(&pattern) {
                    return Err(cannot());
                }
                let needed = permissions::of_indices(*action);
                self.cluster_permissions.extend(needed.on_cluster);
                self.on_indices(pattern, needed.on_indices);
            }
            Grant::Cluster(action) => self.cluster_permissions.extend(permissions::of_cluster(*action)),
            Grant::Index { .. }
            | Grant::Plugin { .. }
            | Grant::Dashboards { .. }
            | Grant::Governance { .. }
            | Grant::Role(_) => return Err(cannot()),
        }
        Ok(())
    }

    fn on_indices(&mut self, pattern: String, allowed_actions: &'static [&'static str]) {
        self.index_permissions.push(IndexGrant { index_pattern: [pattern], allowed_actions });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Fixture;

    fn grants(scopes: &[&str], roles: &[&str]) -> Result<serde_json::Value, String> {
        let fixture = Fixture::new(scopes, roles);
        fixture.with(Grants::of).map(|grants| json!(grants)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_scope_is_said_as_the_permissions_of_its_role() {
        let write = grants(&["write:logs-*"], &[]).unwrap();
        assert_eq!(write["index_permissions"][0]["index_pattern"], json!(["logs-*"]));
        let actions = write["index_permissions"][0]["allowed_actions"].as_array().unwrap();
        assert!(actions.contains(&json!("indices:data/write/bulk*")));
        // Without it on the cluster as well, the engine refuses every write of a token.
        let on_cluster = write["cluster_permissions"].as_array().unwrap();
        assert!(on_cluster.contains(&json!("indices:data/write/bulk")));
        assert!(on_cluster.contains(&json!("cluster:monitor/main")));
        let read = grants(&["read:logs-*", "read:metrics-*", "monitor:cluster"], &[]).unwrap();
        let on_cluster = read["cluster_permissions"].as_array().unwrap();
        for permission in ["indices:data/read/mget", "indices:data/read/msearch", "cluster:monitor/*"] {
            assert!(on_cluster.contains(&json!(permission)), "{permission}");
        }
        assert_eq!(read["index_permissions"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_a_token_cannot_say_is_not_left_out() {
        for (scopes, roles, named) in [
            (&["read:logs-*"][..], &["tenant_a"][..], "role:tenant_a"),
            (&["read:logs-*", "read:dashboards"], &[], "read:dashboards"),
            (&["read:plugin/ml"], &[], "read:plugin/ml"),
            (&["read:eu:logs-*"], &[], "read:eu:logs-*"),
        ] {
            assert!(grants(scopes, roles).unwrap_err().contains(named), "{named}");
        }
    }
}
