//! Clients of the proxy's own, and how people log in.

use access::{Grant, Scope};
use url::{Host, Url};

use super::{Semantic, mapping, unique};
use crate::{
    model::{TokenAuthorization, TokenClient, TokenClientGrant, Tokens},
    parts::Parts,
    tree::At,
};

pub(super) fn check(
    at: &At,
    authorization: &TokenAuthorization,
    tokens: &Tokens,
    parts: &Parts,
    findings: &mut Semantic<'_, '_>,
) {
    let login = at.key("login");
    let providers = &parts.providers.names;
    match &authorization.login.provider {
        Some(name) => mapping::known(&login.key("provider"), name, providers, "provider", findings),
        None if providers.len() > 1 => {
            let cure = "name the one at which people log in as `provider`";
            findings.error(&login, "leaves open which of the providers it is about", cure);
        }
        None => {}
    }
    let scopes = &authorization.login.scopes;
    if !scopes.iter().any(|scope| scope == "openid") {
        findings.error(
            &login.key("scopes"),
            "lack `openid`, without which nobody is logged in",
            "add `openid`",
        );
    }
    for (index, scope) in scopes.iter().enumerate().filter(|(_, scope)| scope.contains(char::is_whitespace)) {
        findings.error(
            &login.key("scopes").index(index),
            format!("`{scope}` holds a space, which ends a scope"),
            "write each scope by itself",
        );
    }
    let list = at.key("clients");
    unique(
        authorization
            .clients
            .iter()
            .enumerate()
            .map(|(index, client)| (list.index(index).key("client_id"), client.client_id.as_str())),
        "give each client an id of its own",
        findings,
    );
    for (index, client) in authorization.clients.iter().enumerate() {
        one(&list.index(index), client, tokens, parts, findings);
    }
}

fn one(at: &At, client: &TokenClient, tokens: &Tokens, parts: &Parts, findings: &mut Semantic<'_, '_>) {
    let by_browser = client.grants.contains(&TokenClientGrant::AuthorizationCode);
    if by_browser && client.redirect_uris.is_empty() {
        findings.error(
            at,
            "can ask by the browser, and has no redirect URI",
            "add `redirect_uris`, or write `grants: [device_code]`",
        );
    }
    let list = at.key("redirect_uris");
    if !by_browser && !client.redirect_uris.is_empty() {
        findings.error(
            &list,
            "are of no use without the grant `authorization_code`",
            "remove them, or add it",
        );
    }
    for (index, uri) in client.redirect_uris.iter().enumerate() {
        if let Err((problem, cure)) = redirect(uri) {
            findings.error(&list.index(index), problem, cure);
        }
    }
    if let Some(lifetime) = client.max_lifetime.filter(|lifetime| *lifetime > tokens.max_lifetime) {
        findings.error(
            &at.key("max_lifetime"),
            format!("{lifetime} is longer than `tokens.max_lifetime`, {}", tokens.max_lifetime),
            "shorten it, or raise `tokens.max_lifetime`",
        );
    }
    let list = at.key("scopes");
    for (index, text) in client.scopes.iter().enumerate() {
        let at = list.index(index);
        if let Some(Scope { grant: Grant::Role(role), .. }) = mapping::scope(&at, text, parts, findings) {
            findings.error(
                &at,
                format!("`{text}` names an engine role, which no token can hold"),
                format!("name the scopes that the role `{role}` is for"),
            );
        }
    }
}

/// What is wrong with a redirect URI, and what to do. It is compared as it is written, so it must have one way to be written.
fn redirect(uri: &str) -> Result<(), (&'static str, &'static str)> {
    const EXAMPLE: &str =
        "write it as in `https://agent.example.com/callback` or `http://127.0.0.1/callback`";
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(("holds characters that a URI does not", "write them percent-encoded"));
    }
    let url = Url::parse(uri).map_err(|_| ("is not a URI with a scheme and a host", EXAMPLE))?;
    if uri.contains('#') {
        return Err(("has a fragment", "remove the `#` and what follows it"));
    }
    if uri.contains('*') {
        return Err(("holds a `*`, and redirect URIs have no patterns", "write each URI by itself"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("holds a user name or password", "remove what stands before the `@`"));
    }
    let own_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(("has no host", EXAMPLE)),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if own_machine => Ok(()),
        "http" => Err(("must be https, since its host is not the person's own machine", "use https")),
        _ => Err(("must be https, or http on the person's own machine", EXAMPLE)),
    }
}
