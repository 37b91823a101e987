//! What names stand for on a cluster.

use super::Semantic;
use crate::{
    model::{Cluster, Identity},
    tree::At,
};

pub(super) fn check(at: &At, cluster: &Cluster, findings: &mut Semantic<'_, '_>) {
    let Some(catalogue) = &cluster.catalogue else { return };
    let at = at.key("catalogue");
    if catalogue.stale <= catalogue.refresh {
        findings.error(
            &at.key("stale"),
            format!(
                "is not longer than `refresh`, which is {}: the answer would be too old before it is renewed",
                catalogue.refresh
            ),
            "raise it, or lower `refresh`",
        );
    }
    own_user(&at, &cluster.identity, catalogue.user.as_ref(), findings);
}

/// Whether the proxy has a name of its own at the engine, for what needs one. `at` is a section with the key `user`.
pub(super) fn own_user(at: &At, identity: &Identity, user: Option<&String>, findings: &mut Semantic<'_, '_>) {
    let (fallback, place);
    let identity = if let Identity::ApiToken(settings) = identity {
        let Some(found) = &settings.fallback else {
            return findings.error_at_key(
                at,
                "needs an identity of the proxy's own, and `api_token` has only tokens for callers",
                "add a `fallback` to `api_token`, or remove it",
            );
        };
        (fallback, place) = (found.identity(), "identity.api_token.fallback.backend_user.users");
        &fallback
    } else {
        place = "identity.backend_user.users";
        identity
    };
    match (identity, user) {
        (Identity::Forward(_), _) => findings.error_at_key(
            at,
            "needs an identity of the proxy's own, and `forward` has only the callers'",
            "remove it, or use `signed_jwt`",
        ),
        (Identity::BackendUser(_), None) => findings.error_at_key(
            at,
            "does not say as which user the engine is asked",
            format!("add `user`, one of `{place}`"),
        ),
        (Identity::BackendUser(backend), Some(user)) if !backend.users.contains_key(user) => findings.error(
            &at.key("user"),
            format!("`{user}` has no password under `{place}`"),
            "add it there, or name another",
        ),
        (Identity::SignedJwt(_) | Identity::ProxyHeaders(_), Some(_)) => findings.error_at_key(
            &at.key("user"),
            "belongs to the identity `backend_user`",
            "remove it: this identity has a name of the proxy's own",
        ),
        _ => {}
    }
}
