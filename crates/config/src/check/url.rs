//! What a URL must be like.

use std::net::IpAddr;

use url::{Host, Url};

use super::Semantic;
use crate::tree::At;

/// Which parts of a URL make sense.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Shape {
    /// Scheme, host and port only.
    Origin,
    /// A path too.
    WithPath,
    /// A path and a query.
    WithQuery,
}

/// Why plain http is fine, or what would make it so.
#[derive(Clone, Copy)]
pub(super) enum Http {
    /// Always.
    Fine,
    /// On loopback, or with `allow_http: true` beside it.
    UnlessAllowed(bool),
    /// On loopback only.
    LoopbackOnly,
}

/// Reports what is wrong with a URL. Messages leave out the URL itself, since it may hold a password.
pub(super) fn check(at: &At, url: &Url, shape: Shape, http: Http, findings: &mut Semantic<'_, '_>) {
    match (url.scheme(), http) {
        ("https", _) | ("http", Http::Fine | Http::UnlessAllowed(true)) => {}
        ("http", _) if is_loopback(url) => {}
        ("http", Http::UnlessAllowed(false)) => findings.error(
            at,
            "plain http to a host that is not loopback can be read and changed on the way",
            "use https, or accept it with `allow_http: true` beside this",
        ),
        ("http", Http::LoopbackOnly) => {
            findings.error(at, "must be https, since its host is not loopback", "use https");
        }
        (scheme, _) => {
            findings.error(at, format!("`{scheme}` is not a scheme that works here"), "use https");
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        findings.error(at, "holds a user name or password", "remove what stands before the `@`");
    }
    if url.fragment().is_some() {
        findings.error(at, "has a fragment", "remove the `#` and what follows it");
    }
    if url.query().is_some() && shape != Shape::WithQuery {
        findings.error(at, "has a query", "remove the `?` and what follows it");
    }
    if shape == Shape::Origin && !matches!(url.path(), "" | "/") {
        findings.error(at, "has a path", "end it after the host and the port");
    }
}

/// True for `localhost` and the loopback addresses.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

/// As [`is_loopback`], for an address; an IPv4 address written as IPv6 counts too.
pub(super) fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
