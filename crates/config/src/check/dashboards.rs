//! OpenSearch Dashboards of a cluster.

use super::{
    Semantic,
    cluster::{Nodes, health_path, nodes},
    unique,
};
use crate::{
    model::{Cluster, Dashboards, Tenant},
    tree::At,
};

pub(super) fn check(at: &At, cluster: &Cluster, findings: &mut Semantic<'_, '_>) {
    let Some(dashboards) = &cluster.dashboards else { return };
    let at = at.key("dashboards");
    nodes(
        &at,
        &Nodes {
            urls: &dashboards.nodes,
            allow_http: dashboards.allow_http,
            ca: dashboards.ca.is_some(),
            client_certificate: dashboards.client_certificate.is_some(),
        },
        findings,
    );
    health_path(&at, &dashboards.health.path, findings);
    place(&at, dashboards, findings);
    if let Some(policy) = &dashboards.tenant {
        tenant(&at.key("tenant"), policy, findings);
    }
    let engine = cluster.nodes.iter().enumerate();
    for (index, url) in dashboards.nodes.iter().enumerate() {
        if let Some((node, _)) = engine.clone().find(|(_, node)| *node == url) {
            findings.error(
                &at.key("nodes").index(index),
                format!("is `nodes[{node}]` of the engine too"),
                "name the server of Dashboards, usually at port 5601",
            );
        }
    }
}

fn place(at: &At, dashboards: &Dashboards, findings: &mut Semantic<'_, '_>) {
    if dashboards.base_path.is_some() && dashboards.path_prefix.is_some() {
        findings.error_at_key(
            &at.key("path_prefix"),
            "cannot stand beside `base_path`: the one is removed from a request, the other kept",
            "keep `base_path` if Dashboards has `server.rewriteBasePath: true`, else `path_prefix`",
        );
    }
}

fn tenant(at: &At, policy: &Tenant, findings: &mut Semantic<'_, '_>) {
    match policy {
        Tenant::Fixed(fixed) => tenant_name(&at.key("fixed").key("name"), &fixed.name, findings),
        Tenant::Choice(choice) => {
            let list = at.key("choice").key("allowed");
            for (index, name) in choice.allowed.iter().enumerate() {
                tenant_name(&list.index(index), name, findings);
            }
            unique(
                choice.allowed.iter().enumerate().map(|(index, name)| (list.index(index), name.as_str())),
                "name each tenant once",
                findings,
            );
        }
        Tenant::Claim(_) => {}
        Tenant::Mapping(mapping) => {
            if let Some(name) = &mapping.otherwise {
                tenant_name(&at.key("mapping").key("otherwise"), name, findings);
            }
        }
    }
}

pub(super) fn tenant_name(at: &At, name: &str, findings: &mut Semantic<'_, '_>) {
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        findings.error(
            at,
            format!("`{name}` is not a tenant that a header can carry"),
            "use letters, digits and punctuation of ASCII, without spaces",
        );
    }
}
