//! Clusters and the identities towards them.

use std::collections::BTreeMap;

use ::url::Url;
use claims::ClaimPath;

use super::{
    Semantic, api_token, catalogue, dashboards, unique,
    url::{self, Http, Shape},
};
use crate::{
    model::{BackendUsers, Cluster, Identity, ProxyHeaders, SignedJwt},
    parts::Section,
    tree::At,
};

/// Claims of the proxy's own tokens, which an attribute must not replace.
const OWN_CLAIMS: &[&str] = &["aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "roles", "sub"];

/// Headers that mean something to HTTP or to the engine; an identity in one of them would not arrive or not be safe.
const TAKEN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

pub(super) fn check(clusters: &Section<Cluster>, findings: &mut Semantic<'_, '_>) {
    unique(
        clusters.iter().map(|(at, cluster)| (at.key("name"), cluster.name.as_str())),
        "give each cluster a name of its own",
        findings,
    );
    for (at, cluster) in clusters.iter() {
        nodes(
            at,
            &Nodes {
                urls: &cluster.nodes,
                allow_http: cluster.allow_http,
                ca: cluster.ca.is_some(),
                client_certificate: cluster.client_certificate.is_some(),
            },
            findings,
        );
        health_path(at, &cluster.health.path, findings);
        identity(&at.key("identity"), &cluster.identity, findings);
        api_token::check(at, cluster, findings);
        catalogue::check(at, cluster, findings);
        dashboards::check(at, cluster, findings);
    }
}

/// Servers that the proxy connects to, and how.
pub(super) struct Nodes<'a> {
    pub(super) urls: &'a [Url],
    pub(super) allow_http: bool,
    pub(super) ca: bool,
    pub(super) client_certificate: bool,
}

pub(super) fn nodes(at: &At, nodes: &Nodes<'_>, findings: &mut Semantic<'_, '_>) {
    let list = at.key("nodes");
    for (index, url) in nodes.urls.iter().enumerate() {
        url::check(&list.index(index), url, Shape::Origin, Http::UnlessAllowed(nodes.allow_http), findings);
    }
    unique(
        nodes.urls.iter().enumerate().map(|(index, url)| (list.index(index), url.as_str())),
        "name each node once",
        findings,
    );
    let tls = nodes.urls.iter().any(|url| url.scheme() == "https");
    for (key, set) in [("ca", nodes.ca), ("client_certificate", nodes.client_certificate)] {
        if set && !tls {
            findings.warning(
                &at.key(key),
                "has no effect, since no node is reached by https",
                "remove it, or use https",
            );
        }
    }
}

pub(super) fn health_path(at: &At, path: &str, findings: &mut Semantic<'_, '_>) {
    let canonical = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !canonical {
        findings.error(
            &at.key("health").key("path"),
            format!("`{path}` is not a path"),
            "begin it with `/`; percent-encode spaces and other characters than those of a URL",
        );
    }
}

pub(super) fn identity(at: &At, identity: &Identity, findings: &mut Semantic<'_, '_>) {
    match identity {
        Identity::SignedJwt(jwt) => signed_jwt(&at.key("signed_jwt"), jwt, findings),
        Identity::BackendUser(users) => backend_user(&at.key("backend_user"), users, findings),
        Identity::ProxyHeaders(headers) => proxy_headers(&at.key("proxy_headers"), headers, findings),
        // Checked with the cluster.
        Identity::ApiToken(_) | Identity::Forward(_) => {}
    }
}

fn signed_jwt(at: &At, jwt: &SignedJwt, findings: &mut Semantic<'_, '_>) {
    attributes(at, &jwt.attributes, findings);
    for name in jwt.attributes.keys().filter(|name| OWN_CLAIMS.contains(&name.as_str())) {
        findings.error_at_key(
            &at.key("attributes").key(name),
            format!("`{name}` is a claim that the proxy sets itself"),
            "choose another name",
        );
    }
}

fn backend_user(at: &At, backend: &BackendUsers, findings: &mut Semantic<'_, '_>) {
    for name in backend.users.keys() {
        // RFC 7617 section 2: the first colon ends the user name.
        if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
            findings.error_at_key(
                &at.key("users").key(name),
                "is not a user name that basic authentication can carry",
                "name a user without a colon and without control characters",
            );
        }
    }
}

fn proxy_headers(at: &At, headers: &ProxyHeaders, findings: &mut Semantic<'_, '_>) {
    let names = [
        ("user_header", headers.user_header.to_ascii_lowercase()),
        ("roles_header", headers.roles_header.to_ascii_lowercase()),
        ("attribute_prefix", headers.attribute_prefix.to_ascii_lowercase()),
    ];
    for (key, name) in &names {
        if !is_token(name) {
            findings.error(
                &at.key(key),
                format!("`{name}` is not a header name"),
                "use letters, digits and hyphens, as in `x-proxy-user`",
            );
        } else if TAKEN_HEADERS.contains(&name.as_str()) {
            findings.error(
                &at.key(key),
                format!("`{name}` has a meaning of its own"),
                "choose another header",
            );
        }
    }
    let [(_, user), (_, roles), (_, prefix)] = &names;
    if user == roles {
        findings.error(&at.key("roles_header"), "is the `user_header` too", "choose another header");
    }
    for (key, name) in &names[..2] {
        if !prefix.is_empty() && name.starts_with(prefix) {
            findings.error(
                &at.key(key),
                "begins with `attribute_prefix`, so that the engine would take it for an attribute",
                "choose another header, or another prefix",
            );
        }
    }
    attributes(at, &headers.attributes, findings);
    // The engine keeps the user's name under this one.
    if headers.attributes.contains_key("username") {
        findings.error_at_key(
            &at.key("attributes").key("username"),
            "`username` is an attribute that the engine sets itself",
            "choose another name",
        );
    }
}

fn attributes(at: &At, attributes: &BTreeMap<String, ClaimPath>, findings: &mut Semantic<'_, '_>) {
    for name in attributes.keys() {
        let at = at.key("attributes").key(name);
        if !is_attribute(name) {
            findings.error_at_key(
                &at,
                format!("`{name}` is not an attribute name"),
                "use lower-case letters, digits, `_` and `-`, beginning with a letter",
            );
        }
    }
}

/// A name that works in a header's name and within the engine's `${attr.….name}` alike.
fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
