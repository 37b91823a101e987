//! The identity `api_token`.

use super::{Semantic, cluster};
use crate::{
    model::{ApiToken, Cluster, Identity, TokenAdmin},
    tree::At,
};

pub(super) fn check(at: &At, cluster: &Cluster, findings: &mut Semantic<'_, '_>) {
    let Identity::ApiToken(settings) = &cluster.identity else { return };
    let own = at.key("identity").key("api_token");
    admin(&own.key("admin"), settings, cluster, findings);
    if let Some(fallback) = &settings.fallback {
        cluster::identity(&own.key("fallback"), &fallback.identity(), findings);
    }
    dashboards(at, cluster, settings, findings);
}

fn admin(at: &At, settings: &ApiToken, cluster: &Cluster, findings: &mut Semantic<'_, '_>) {
    match &settings.admin {
        TokenAdmin::Certificate(_) => {
            if cluster.nodes.iter().any(|node| node.scheme() != "https") {
                findings.error_at_key(
                    &at.key("certificate"),
                    "is not shown to a node that is reached by http",
                    "use https for every node, or an administrator with a password (`user`)",
                );
            }
        }
        TokenAdmin::User(user) => {
            if user.name.contains(|c: char| c == ':' || c.is_control()) {
                findings.error(
                    &at.key("user").key("name"),
                    "is not a user name that basic authentication can carry",
                    "name a user without a colon and without control characters",
                );
            }
            findings.warning(
                &at.key("user"),
                "cannot free the places of tokens that have ended: the engine counts them for ever, and makes no more at its maximum",
                "use `certificate`; or raise `lifetime` and `idle` here and `api_tokens.max_tokens` of the engine, and delete ended tokens by hand",
            );
        }
    }
}

fn dashboards(at: &At, cluster: &Cluster, settings: &ApiToken, findings: &mut Semantic<'_, '_>) {
    if cluster.dashboards.is_some() && settings.fallback.is_none() {
        findings.error_at_key(
            &at.key("dashboards"),
            "needs rights on tenants, which a token of the identity `api_token` cannot have",
            "add a `fallback` to `api_token`, or remove it",
        );
    }
}
