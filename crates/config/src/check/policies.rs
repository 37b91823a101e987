//! Cedar policies.

use super::{Semantic, unique};
use crate::{
    model::{Policies, PolicyMode, PrincipalIds},
    parts::Parts,
    tree::At,
};

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
