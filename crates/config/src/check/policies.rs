//! Cedar policies.

use super::Semantic;
use crate::{model::PrincipalIds, parts::Parts, tree::At};

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let Some(policies) = &parts.policies else { return };
    if policies.principal_ids == PrincipalIds::Plain && parts.providers.names.len() > 1 {
        findings.error(
            &At::default().key("policies"),
            "with several providers a name alone does not say whose it is",
            "write `principal_ids: qualified`, and in the policies names such as `Agent::\"keycloak:my-agent\"`",
        );
    }
}
