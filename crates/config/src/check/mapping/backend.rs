//! Identity `backend_user`: whatever allows a request must also say which engine user it runs as.

use access::Scope;

use super::{applicable, known};
use crate::{
    check::Semantic,
    model::{BackendUsers, Cluster, Mapping},
    parts::Parts,
    tree::At,
};

pub(super) fn one(
    at: &At,
    mapping: &Mapping,
    scopes: &[Scope],
    parts: &Parts,
    findings: &mut Semantic<'_, '_>,
) {
    let at = at.key("grant");
    let backends: Vec<_> =
        applicable(mapping, scopes, parts).filter_map(|cluster| Some((cluster, users(cluster)?))).collect();
    let Some(user) = &mapping.grant.backend_user else {
        if let Some((cluster, _)) = backends.first().filter(|_| !mapping.grant.scopes.is_empty()) {
            findings.error(
                &at,
                format!(
                    "names no engine user, and cluster `{}` has the identity `backend_user`",
                    cluster.name
                ),
                "add `backend_user`, or leave the cluster out by `clusters`",
            );
        }
        return;
    };
    let at = at.key("backend_user");
    if mapping.grant.scopes.is_empty() && !(mapping.scope.is_some() && super::native(mapping, parts)) {
        findings.error(
            &at,
            "belongs to no scope, so that no request would run as this user",
            "grant `scopes` beside it; without them, `scope` must be a condition that native scopes meet",
        );
    }
    if backends.is_empty() && parts.clusters.is_complete() {
        findings.error(
            &at,
            "no cluster of this mapping has the identity `backend_user`",
            "remove it, or give the cluster this identity",
        );
    }
    for (cluster, users) in backends {
        let names: Vec<_> = users.users.keys().cloned().collect();
        known(&at, user, &names, &format!("user of cluster `{}`", cluster.name), findings);
    }
}

/// Scopes that tokens bring themselves run as nobody unless a mapping says as whom.
pub(super) fn native(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    for (at, cluster) in parts.clusters.iter().filter(|(_, cluster)| users(cluster).is_some()) {
        for (_, provider) in parts.providers.iter().filter(|(_, provider)| provider.native_scopes) {
            let named = parts.mappings.items.iter().any(|(_, mapping)| {
                mapping.as_ref().is_none_or(|mapping| {
                    mapping.scope.is_some()
                        && mapping.grant.scopes.is_empty()
                        && mapping.grant.backend_user.is_some()
                        && mapping.provider.as_ref().is_none_or(|name| *name == provider.name)
                        && mapping.clusters.as_ref().is_none_or(|names| names.contains(&cluster.name))
                })
            });
            if !named {
                findings.warning(
                    &at.key("identity"),
                    format!(
                        "scopes that tokens of `{}` bring themselves name no engine user: requests that only they \
                         allow will be refused",
                        provider.name
                    ),
                    "set `native_scopes: false` for the provider, or map its scopes to a `backend_user`",
                );
            }
        }
    }
}

fn users(cluster: &Cluster) -> Option<&BackendUsers> {
    cluster.identity.backend_users()
}
