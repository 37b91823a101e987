//! Providers.

use ::url::Url;

use super::{
    Semantic, unique,
    url::{self, Http, Shape},
};
use crate::{
    model::{Introspection, Provider},
    parts::Section,
    tree::At,
};

pub(super) fn check(providers: &Section<Provider>, findings: &mut Semantic<'_, '_>) {
    unique(
        providers.iter().map(|(at, provider)| (at.key("name"), provider.name.as_str())),
        "give each provider a name of its own",
        findings,
    );
    unique(
        providers.iter().map(|(at, provider)| (at.key("issuer"), provider.issuer.as_str())),
        "keep one provider for each issuer",
        findings,
    );
    for (at, provider) in providers.iter() {
        one(at, provider, findings);
    }
}

fn one(at: &At, provider: &Provider, findings: &mut Semantic<'_, '_>) {
    let http = Http::UnlessAllowed(provider.allow_http);
    let issuer = at.key("issuer");
    match Url::parse(&provider.issuer) {
        // OpenID Connect Discovery 1.0 section 3 and RFC 8414 section 2: no query and no fragment.
        Ok(url) => url::check(&issuer, &url, Shape::WithPath, http, findings),
        Err(error) => findings.error(
            &issuer,
            format!("is not a URL: {error}"),
            "give the issuer as the provider's tokens have it, such as `https://id.example/realms/main`",
        ),
    }
    if provider.issuer.contains(|c: char| c.is_whitespace() || c.is_control()) {
        findings.error(&issuer, "holds white space, which no token's `iss` has", "remove it");
    }
    if let Some(url) = &provider.jwks_uri {
        url::check(&at.key("jwks_uri"), url, Shape::WithQuery, http, findings);
    }
    if let Some(url) = &provider.http_proxy {
        url::check(&at.key("http_proxy"), url, Shape::Origin, Http::Fine, findings);
    }
    unique(
        provider
            .audiences
            .iter()
            .enumerate()
            .map(|(i, audience)| (at.key("audiences").index(i), audience.as_str())),
        "keep one of them",
        findings,
    );
    if provider.token_types.is_empty() && !provider.allow_missing_type {
        findings.error(
            &at.key("token_types"),
            "no token could be accepted",
            "name at least one type, or set `allow_missing_type: true` for tokens without one",
        );
    }
    if provider.min_refetch_interval > provider.refresh {
        findings.error(
            &at.key("min_refetch_interval"),
            format!("is longer than `refresh`, which is {}", provider.refresh),
            "lower it, or raise `refresh`",
        );
    }
    if let Some(introspection) = &provider.introspection {
        check_introspection(&at.key("introspection"), introspection, provider, http, findings);
    }
}

fn check_introspection(
    at: &At,
    introspection: &Introspection,
    provider: &Provider,
    http: Http,
    findings: &mut Semantic<'_, '_>,
) {
    match &introspection.endpoint {
        Some(url) => url::check(&at.key("endpoint"), url, Shape::WithQuery, http, findings),
        None if provider.jwks_uri.is_some() => findings.error(
            at,
            "has no `endpoint`, and with `jwks_uri` there is no discovery to find it",
            "add `endpoint`",
        ),
        None => {}
    }
}
