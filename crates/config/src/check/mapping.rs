//! Mappings: what scopes, groups and claims mean.

use access::{Grant as Right, Scope};

use super::{Semantic, unique};
use crate::{
    model::{Cluster, Identity, Mapping},
    parts::Parts,
    structure::{self, similar::nearest},
    tree::At,
};

mod backend;
mod tenant;

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    for (at, mapping) in parts.mappings.iter() {
        let scopes = scopes(at, mapping, parts, findings);
        condition(at, mapping, findings);
        names(at, mapping, parts, findings);
        grant(at, mapping, &scopes, parts, findings);
        backend::one(at, mapping, &scopes, parts, findings);
        tenant::check(at, mapping, &scopes, parts, findings);
    }
    backend::native(parts, findings);
    listed_scopes(parts, findings);
}

fn condition(at: &At, mapping: &Mapping, findings: &mut Semantic<'_, '_>) {
    if mapping.scope.is_none() && mapping.group.is_none() && mapping.claim.is_none() {
        findings.error(
            at,
            "has no condition, so that it would apply to everyone",
            "add `scope`, `group` or `claim`",
        );
    }
    if let Some(scope) = mapping.scope.as_ref().filter(|scope| scope.contains(char::is_whitespace)) {
        findings.error(
            &at.key("scope"),
            format!("`{scope}` holds a space, which ends a scope in a token"),
            "write one mapping for each scope",
        );
    }
}

fn names(at: &At, mapping: &Mapping, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    if let Some(name) = &mapping.provider {
        known(&at.key("provider"), name, &parts.providers.names, "provider", findings);
    }
    let clusters = mapping.clusters.as_deref().unwrap_or_default();
    for (index, name) in clusters.iter().enumerate() {
        known(&at.key("clusters").index(index), name, &parts.clusters.names, "cluster", findings);
    }
    unique(
        clusters.iter().enumerate().map(|(index, name)| (at.key("clusters").index(index), name.as_str())),
        "keep one of them",
        findings,
    );
}

/// `what` takes "a", not "an".
pub(super) fn known(at: &At, name: &str, names: &[String], what: &str, findings: &mut Semantic<'_, '_>) {
    if names.iter().any(|known| known == name) {
        return;
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let cure = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => format!("add it as a {what}"),
        None => format!("name one of {}, or add it as a {what}", structure::list(&names, "and")),
    };
    findings.error(at, format!("`{name}` is not a {what}"), cure);
}

/// The granted scopes that can be read; the others are reported.
fn scopes(at: &At, mapping: &Mapping, parts: &Parts, findings: &mut Semantic<'_, '_>) -> Vec<Scope> {
    let list = at.key("grant").key("scopes");
    let mut scopes = Vec::new();
    for (index, text) in mapping.grant.scopes.iter().enumerate() {
        let at = list.index(index);
        let Some(scope) = scope(&at, text, parts, findings) else {
            continue;
        };
        if let Right::Role(role) = &scope.grant {
            findings.error(
                &at,
                format!("`{text}` names an engine role, which gives nothing by itself"),
                format!("list the role under `roles: [{role}]`, and grant the scopes that it is for"),
            );
            continue;
        }
        if let (Some(cluster), Some(only)) = (&scope.cluster, &mapping.clusters)
            && parts.clusters.names.iter().any(|name| **name == **cluster)
            && !only.iter().any(|name| **name == **cluster)
        {
            findings.error(
                &at,
                format!("`{text}` is for a cluster that `clusters` leaves out"),
                format!("add `{cluster}` to `clusters`, or remove the prefix"),
            );
        }
        scopes.push(scope);
    }
    unique(
        mapping.grant.scopes.iter().enumerate().map(|(index, scope)| (list.index(index), scope.as_str())),
        "keep one of them",
        findings,
    );
    scopes
}

pub(super) fn scope(at: &At, text: &str, parts: &Parts, findings: &mut Semantic<'_, '_>) -> Option<Scope> {
    match text.parse::<Scope>() {
        Ok(scope) => {
            if let Some(cluster) = &scope.cluster {
                known(at, cluster, &parts.clusters.names, "cluster", findings);
            }
            Some(scope)
        }
        Err(error) => {
            findings.error(
                at,
                format!("`{text}` is not a scope: {error}"),
                "write `action:resource` with one of the actions `read`, `write`, `manage`, `monitor` and `admin`, \
                 as in `read:logs-*` or `monitor:cluster`",
            );
            None
        }
    }
}

fn grant(at: &At, mapping: &Mapping, scopes: &[Scope], parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let grant = &mapping.grant;
    let at = at.key("grant");
    let empty = grant.scopes.is_empty() && grant.roles.is_empty();
    if empty && grant.backend_user.is_none() && grant.tenant.is_none() {
        return findings.error(&at, "gives nothing", "add `scopes`, `roles`, `backend_user` or `tenant`");
    }
    let clusters: Vec<_> = applicable(mapping, scopes, parts).collect();
    for (index, role) in grant.roles.iter().enumerate() {
        check_role(&at.key("roles").index(index), role, &clusters, findings);
    }
    if grant.roles.is_empty() {
        return;
    }
    let without_roles =
        |cluster: &&Cluster| matches!(cluster.identity, Identity::BackendUser(_) | Identity::Forward(_));
    if !clusters.is_empty() && parts.clusters.is_complete() && clusters.iter().all(without_roles) {
        findings.warning(
            &at.key("roles"),
            "have no effect: the identities `backend_user` and `forward` carry no roles",
            "give the engine user these roles instead",
        );
    }
    let others_give_scopes = parts.mappings.items.iter().any(|(_, other)| {
        other.as_ref().is_none_or(|other| !other.grant.scopes.is_empty() && same_tokens(other, mapping))
    });
    if grant.scopes.is_empty() && !others_give_scopes && !native(mapping, parts) {
        findings.warning(
            &at,
            "gives no access: roles only go along with what scopes allow, and nothing gives the tokens a scope",
            "add `scopes`",
        );
    }
}

/// True if tokens of this mapping may bring scopes that count as they are.
fn native(mapping: &Mapping, parts: &Parts) -> bool {
    parts.providers.items.iter().any(|(_, provider)| {
        provider.as_ref().is_none_or(|provider| {
            provider.native_scopes && mapping.provider.as_ref().is_none_or(|name| *name == provider.name)
        })
    })
}

/// False if no token can meet both.
fn same_tokens(a: &Mapping, b: &Mapping) -> bool {
    match (&a.provider, &b.provider) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

fn check_role(at: &At, role: &str, clusters: &[&Cluster], findings: &mut Semantic<'_, '_>) {
    if role.is_empty() || role.contains(char::is_control) {
        findings.error(
            at,
            "is not the name of a role",
            "give a backend role as the engine's `roles_mapping` has it",
        );
    }
    let in_header = clusters.iter().any(|cluster| cluster.identity.proxy_headers().is_some());
    if in_header && !role.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        findings.error(
            at,
            format!("`{role}` cannot travel in the header of identity `proxy_headers`, a list with commas"),
            "choose a role name without commas, spaces and non-ASCII characters",
        );
    }
}

/// The clusters, of those that could be read, on which the mapping counts.
fn applicable<'p>(
    mapping: &'p Mapping,
    scopes: &'p [Scope],
    parts: &'p Parts,
) -> impl Iterator<Item = &'p Cluster> {
    parts.clusters.iter().map(|(_, cluster)| cluster).filter(move |cluster| {
        let named = mapping.clusters.as_ref().is_none_or(|names| names.contains(&cluster.name));
        let counts = |scope: &Scope| scope.cluster.as_ref().is_none_or(|name| **name == *cluster.name);
        named && (scopes.is_empty() || scopes.iter().any(counts))
    })
}

/// Scopes that clusters list for the set-up of the engine.
fn listed_scopes(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    for (at, cluster) in parts.clusters.iter() {
        let list = at.key("scopes");
        for (index, text) in cluster.scopes.iter().enumerate() {
            let at = list.index(index);
            if let Some(other) = scope(&at, text, parts, findings).and_then(|scope| scope.cluster)
                && *other != *cluster.name
            {
                findings.error(&at, format!("`{text}` counts on `{other}` only"), "list it there");
            }
        }
    }
}
