//! Providers.

use std::net::IpAddr;

use ::url::{Host, Url};
use ipnet::IpNet;

use super::{
    Semantic, unique,
    url::{self, Http, Shape},
};
use crate::{
    model::{Introspection, Provider, VerifyBy},
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
    ages(at, provider, findings);
    no_proxy(at, provider, findings);
    if provider.verify_by == VerifyBy::Introspection {
        without_keys(at, provider, findings);
    }
    if let Some(introspection) = &provider.introspection {
        check_introspection(&at.key("introspection"), introspection, provider, http, findings);
    }
}

fn ages(at: &At, provider: &Provider, findings: &mut Semantic<'_, '_>) {
    let refresh = provider.refresh;
    if provider.min_refetch_interval > refresh {
        findings.error(
            &at.key("min_refetch_interval"),
            format!("is longer than `refresh`, which is {refresh}"),
            "lower it, or raise `refresh`",
        );
    }
    if provider.max_stale <= refresh {
        findings.error(
            &at.key("max_stale"),
            format!("is not longer than `refresh`, which is {refresh}: keys would be too old before they are renewed"),
            "raise it, or lower `refresh`",
        );
    }
}

fn no_proxy(at: &At, provider: &Provider, findings: &mut Semantic<'_, '_>) {
    let list = at.key("no_proxy");
    if !provider.no_proxy.is_empty() && provider.http_proxy.is_none() {
        findings.warning(&list, "has no effect without `http_proxy`", "remove it, or add `http_proxy`");
    }
    for (index, entry) in provider.no_proxy.iter().enumerate() {
        if !is_host_or_network(entry) {
            findings.error(
                &list.index(index),
                format!("`{entry}` is neither a domain nor an address nor a network"),
                "write for example `example.com`, which includes its subdomains, `192.0.2.7` or `10.0.0.0/8`, without \
                 scheme, port or `*`",
            );
        }
    }
    unique(
        provider.no_proxy.iter().enumerate().map(|(index, entry)| (list.index(index), entry.as_str())),
        "keep one of them",
        findings,
    );
}

fn is_host_or_network(entry: &str) -> bool {
    if entry.parse::<IpNet>().is_ok() || entry.parse::<IpAddr>().is_ok() {
        return true;
    }
    let domain = entry.strip_prefix('.').unwrap_or(entry);
    matches!(Host::parse(domain), Ok(Host::Domain(parsed)) if parsed.eq_ignore_ascii_case(domain))
        && !domain.contains(['*', ','])
}

fn without_keys(at: &At, provider: &Provider, findings: &mut Semantic<'_, '_>) {
    if provider.introspection.is_none() {
        findings.error(
            &at.key("verify_by"),
            "is `introspection`, but nothing says how to introspect",
            "add `introspection` with a client of the proxy's own, or verify by `signature`",
        );
    }
    if provider.jwks_uri.is_some() {
        findings.error(
            &at.key("jwks_uri"),
            "has no effect, since `verify_by: introspection` needs no keys",
            "remove it, or verify by `signature`",
        );
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
        None if provider.jwks_uri.is_some() && provider.verify_by == VerifyBy::Signature => findings.error(
            at,
            "has no `endpoint`, and with `jwks_uri` there is no discovery to find it",
            "add `endpoint`",
        ),
        None => {}
    }
}
