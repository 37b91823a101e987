//! Tenants of OpenSearch Dashboards that mappings name.

use access::Scope;

use super::applicable;
use crate::{
    check::{Semantic, dashboards::tenant_name},
    model::{Cluster, Mapping, Tenant},
    parts::Parts,
    tree::At,
};

pub(super) fn check(
    at: &At,
    mapping: &Mapping,
    scopes: &[Scope],
    parts: &Parts,
    findings: &mut Semantic<'_, '_>,
) {
    let Some(tenant) = &mapping.grant.tenant else { return };
    let at = at.key("grant").key("tenant");
    tenant_name(&at, tenant, findings);
    if !applicable(mapping, scopes, parts).any(asks_mappings) && parts.clusters.is_complete() {
        findings.warning(
            &at,
            "has no effect: no cluster of this mapping has `dashboards` with `tenant: {mapping: {}}`",
            "remove it, or have the cluster's Dashboards take the tenant from mappings",
        );
    }
}

fn asks_mappings(cluster: &Cluster) -> bool {
    let tenant = cluster.dashboards.as_ref().and_then(|dashboards| dashboards.tenant.as_ref());
    matches!(tenant, Some(Tenant::Mapping(_)))
}
