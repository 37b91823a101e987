//! The engine role of a scope for OpenSearch Dashboards.
//!
//! Dashboards keeps its objects in indices of the engine and reads and writes them as the caller. So the caller needs
//! these indices, and, where the engine has tenants switched on, the global tenant. The engine cannot tell workspaces apart
//! (Dashboards does), nor writing from reading back what was written: there its side is wider than the scope.

use config::model::{Cluster, Identity, ProxyHeaders};
use rest::Action;

use super::{
    parts::{IndexPermission, Role, TenantPermission},
    permissions,
};

/// Where Dashboards keeps its objects, by its default names and those of its tenants.
const INDICES: [&str; 4] = [".kibana", ".kibana_*", ".opensearch_dashboards", ".opensearch_dashboards_*"];

/// The role for `action` on Dashboards. `groups` names the action groups, on indices and on the cluster, of an action.
pub(super) fn role(action: Action, scope: &str, mut groups: impl FnMut(Action) -> (String, String)) -> Role {
    // What is saved is read back: an import looks for what is there already.
    let actions: &[Action] = match action {
        Action::Read | Action::Monitor => &[Action::Read],
        Action::Write => &[Action::Read, Action::Write],
        Action::Manage | Action::Admin => &[Action::Read, Action::Write, Action::Manage],
    };
    let (on_indices, on_cluster): (Vec<_>, Vec<_>) = actions.iter().map(|action| groups(*action)).unzip();
    let tenant = if actions.contains(&Action::Write) { "kibana_all_write" } else { "kibana_all_read" };
    Role {
        description: format!("What the scope {scope} allows"),
        cluster_permissions: std::iter::once(permissions::GREETING.to_owned()).chain(on_cluster).collect(),
        index_permissions: vec![IndexPermission {
            index_patterns: INDICES.map(str::to_owned).to_vec(),
            allowed_actions: on_indices,
        }],
        tenant_permissions: vec![TenantPermission {
            tenant_patterns: vec!["global_tenant".to_owned()],
            allowed_actions: vec![tenant.to_owned()],
        }],
    }
}

/// What Dashboards itself has to be set to, in `opensearch_dashboards.yml`.
pub(super) fn notes(cluster: &Cluster) -> Vec<String> {
    let Some(dashboards) = &cluster.dashboards else { return Vec::new() };
    let (kind, more) = match &cluster.identity {
        Identity::ProxyHeaders(headers) => {
            let ProxyHeaders { user_header, roles_header, .. } = headers;
            ("proxy", format!(", x-forwarded-for, {user_header}, {roles_header}"))
        }
        _ => ("basicauth", String::new()),
    };
    let base = dashboards.base_path.as_ref().map_or_else(String::new, |path| {
        format!(" `server.basePath: {path}` with `server.rewriteBasePath: true`;")
    });
    vec![format!(
        "OpenSearch Dashboards needs in its `opensearch_dashboards.yml`: \
         `opensearch.requestHeadersAllowlist: [authorization, securitytenant{more}]`; \
         `opensearch_security.auth.type: {kind}`;{base} and `opensearch_security.cookie.password` of your own, since the \
         built-in one is public. Nothing but the proxy may reach it."
    )]
}
