//! Cedar policies.

use super::{Semantic, unique};
use crate::{
    model::{Identity, Policies, PolicyMode, PrincipalIds},
    parts::Parts,
    tree::At,
};

/// How many sets can be kept in the store of tokens.
const MAX_MANAGED: usize = 8;

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let Some(policies) = &parts.policies else { return };
    let at = At::default().key("policies");
    if policies.principal_ids == PrincipalIds::Plain && parts.providers.names.len() > 1 {
        findings.error(
            &at,
            "with several providers a name alone does not say whose it is",
            "write `principal_ids: qualified`, and in the policies names such as `Agent::\"keycloak:my-agent\"`",
        );
    }
    sets(&at, policies, findings);
    managed(&at, policies, parts, findings);
    if policies.instead_of_scopes {
        alone(&at, policies, parts, findings);
    }
}

/// What cannot be where there are no scopes to go by.
fn alone(at: &At, policies: &Policies, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    if policies.all_sets().iter().all(|set| set.mode == PolicyMode::LogOnly) {
        findings.error(
            &at.key("instead_of_scopes"),
            "nothing would be refused: every set has the mode `log_only`",
            "enforce at least one set",
        );
    }
    if parts.tokens.is_some() {
        findings.error(
            &At::default().key("tokens"),
            "managed tokens are made of scopes, which `policies.instead_of_scopes` leaves without meaning",
            "leave out one of the two",
        );
    }
    for (at, cluster) in parts.clusters.iter() {
        if matches!(cluster.identity, Identity::BackendUser(_) | Identity::ApiToken(_)) {
            findings.error(
                &at.key("identity"),
                "this identity follows the scopes that allow a request, of which `policies.instead_of_scopes` leaves none",
                "use `signed_jwt`, `proxy_headers` or `forward`",
            );
        }
        if !cluster.read_bodies {
            findings.error(
                &at.key("read_bodies"),
                "of what bodies name nobody would be asked",
                "leave bodies to be read where policies decide alone",
            );
        }
    }
    for (at, mapping) in parts.mappings.iter() {
        if !mapping.grant.scopes.is_empty() {
            findings.warning(
                &at.key("grant").key("scopes"),
                "`policies.instead_of_scopes` leaves these without effect",
                "give `roles` alone, to a group or a claim",
            );
        }
    }
}

/// What sets need whose policies are kept in the store of tokens.
fn managed(at: &At, policies: &Policies, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let sets = policies.sets.iter().enumerate().filter(|(_, set)| set.managed);
    for (count, (index, _)) in sets.enumerate() {
        let at = at.key("sets").index(index).key("managed");
        if parts.tokens.is_none() {
            findings.error(
                &at,
                "there is no store to keep the policies in",
                "write `tokens` with a `store`, or name `files`",
            );
        }
        if count == MAX_MANAGED {
            findings.error(
                &at,
                "more sets are `managed` than a store is read with at a start",
                "keep the policies of some in `files`, or write them into one set",
            );
        }
    }
}

fn sets(at: &At, policies: &Policies, findings: &mut Semantic<'_, '_>) {
    let list = at.key("sets");
    let alone = !policies.files.is_empty() || policies.folder.is_some();
    if !policies.sets.is_empty() && (alone || policies.mode != PolicyMode::default()) {
        findings.error(
            at,
            "has `sets`, and beside them what belongs to one set",
            "write `files`, `folder` and `mode` in one of the `sets`",
        );
        return;
    }
    unique(
        policies
            .sets
            .iter()
            .enumerate()
            .map(|(index, set)| (list.index(index).key("name"), set.name.as_str())),
        "give each set a name of its own",
        findings,
    );
    for (index, set) in policies.all_sets().into_iter().enumerate() {
        let at = if set.name.is_some() { list.index(index) } else { at.clone() };
        match (set.files, set.folder) {
            ([], None) if set.managed => {}
            _ if set.managed => {
                findings.error(&at, "is `managed` and names files as well", "leave one of them out");
            }
            ([], Some(_)) | ([_, ..], None) => {}
            ([], None) => {
                findings.error(&at, "has no policies", "write `files: [agents.cedar]` or `folder: policies`");
            }
            ([_, ..], Some(_)) => {
                findings.error(&at, "has both `files` and `folder`", "leave one of them out");
            }
        }
    }
}
