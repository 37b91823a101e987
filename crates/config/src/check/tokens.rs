//! Tokens that the proxy issues itself.

use access::{Grant, Scope};

use super::{
    Semantic, catalogue, mapping, unique,
    url::{self, Http, Shape},
};
use crate::{
    model::{OpenSearchStore, TokenPolicy, TokenStore, Tokens},
    parts::Parts,
    tree::At,
};

/// In bytes, as of `StoreKey` in `crates/tokens`.
const SHORTEST_SECRET: usize = 32;

pub(super) fn check(parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let Some(tokens) = &parts.tokens else { return };
    let at = At::default().key("tokens");
    if tokens.default_lifetime > tokens.max_lifetime {
        findings.error(
            &at.key("default_lifetime"),
            format!("{} is longer than `max_lifetime`, {}", tokens.default_lifetime, tokens.max_lifetime),
            "shorten it, or raise `max_lifetime`",
        );
    }
    if let TokenStore::OpenSearch(store) = &tokens.store {
        shared(&at.key("store").key("opensearch"), store, parts, findings);
    }
    if let Some(notify) = &tokens.notify {
        url::check(&at.key("notify").key("url"), &notify.url, Shape::WithQuery, Http::LoopbackOnly, findings);
    }
    if let Some(authorization) = &tokens.authorization {
        super::authorization::check(&at.key("authorization"), authorization, tokens, parts, findings);
    }
    let list = at.key("policies");
    unique(
        tokens
            .policies
            .iter()
            .enumerate()
            .map(|(index, policy)| (list.index(index).key("name"), policy.name.as_str())),
        "give each policy a name of its own",
        findings,
    );
    for (index, policy) in tokens.policies.iter().enumerate() {
        one(&list.index(index), policy, tokens, parts, findings);
    }
}

fn shared(at: &At, store: &OpenSearchStore, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let others = at.key("other_secrets");
    let others = store.other_secrets.iter().enumerate().map(|(index, secret)| (others.index(index), secret));
    for (at, secret) in std::iter::once((at.key("secret"), &store.secret)).chain(others) {
        let length = secret.expose().len();
        if length < SHORTEST_SECRET {
            findings.error(
                &at,
                format!("the secret has {length} bytes, fewer than {SHORTEST_SECRET}"),
                "make one with `openssl rand -base64 48`",
            );
        }
    }
    mapping::known(&at.key("cluster"), &store.cluster, &parts.clusters.names, "cluster", findings);
    if let Some((_, cluster)) = parts.clusters.iter().find(|(_, cluster)| cluster.name == store.cluster) {
        catalogue::own_user(at, &cluster.identity, store.user.as_ref(), findings);
    }
}

fn one(at: &At, policy: &TokenPolicy, tokens: &Tokens, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    if let Some(when) = &policy.when {
        let at = at.key("when");
        if when.scope.is_none() && when.group.is_none() && when.claim.is_none() && when.provider.is_none() {
            findings.error(
                &at,
                "has no condition",
                "add `scope`, `group`, `claim` or `provider`, or leave `when` out",
            );
        }
        if let Some(scope) = when.scope.as_ref().filter(|scope| scope.contains(char::is_whitespace)) {
            findings.error(
                &at.key("scope"),
                format!("`{scope}` holds a space, which ends a scope in a token"),
                "write one policy for each scope",
            );
        }
        if let Some(name) = &when.provider {
            mapping::known(&at.key("provider"), name, &parts.providers.names, "provider", findings);
        }
    }
    if let Some(lifetime) = policy.max_lifetime.filter(|lifetime| *lifetime > tokens.max_lifetime) {
        findings.error(
            &at.key("max_lifetime"),
            format!("{lifetime} is longer than `tokens.max_lifetime`, {}", tokens.max_lifetime),
            "shorten it, or raise `tokens.max_lifetime`",
        );
    }
    let list = at.key("require");
    for (index, field) in policy.require.iter().enumerate() {
        let entry = field.strip_prefix("metadata.").is_some_and(|entry| !entry.is_empty());
        if !entry && !matches!(field.as_str(), "name" | "description") {
            findings.error(
                &list.index(index),
                format!("`{field}` cannot be required"),
                "write `name`, `description`, or `metadata.` and the name of an entry",
            );
        }
    }
    let list = at.key("scopes");
    for (index, text) in policy.scopes.iter().enumerate() {
        let at = list.index(index);
        let scope = mapping::scope(&at, text, parts, findings);
        if let Some(Scope { grant: Grant::Role(role), .. }) = scope {
            findings.error(
                &at,
                format!("`{text}` names an engine role, which no token can hold"),
                format!("name the scopes that the role `{role}` is for"),
            );
        }
    }
}
