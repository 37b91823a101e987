//! Headers that must not pass: those of one hop only, and those by which an upstream could be made to believe
//! something about the caller that only the proxy may say.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Fields that end at this hop whatever `Connection` says (RFC 9110 §7.6.1). `te` is added anew where trailers are
/// wanted.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Names, folded by [`fold`], that an engine, Dashboards or a middlebox before them trusts. A name is refused passage
/// when it equals one of these.
const TRUSTED: [&str; 21] = [
    "authorization",
    "clientip",
    "cookie",
    "cookie2",
    "forwarded",
    "fromuser",
    "remoteaddr",
    "remoteuser",
    "sslclientverify",
    "truclientip",
    "trueclientip",
    "via",
    "xclientip",
    "xclusterclientip",
    "xhttpmethod",
    "xhttpmethodoverride",
    "xmethodoverride",
    "xrealip",
    "xremoteuser",
    "xusername",
    "xwebauthuser",
];

/// Folded prefixes with the same effect.
const TRUSTED_PREFIXES: [&str; 16] = [
    "opendistro",
    "opensearchsecurity",
    "plugins_security",
    "pluginssecurity",
    "security",
    "sslclient",
    "xauth",
    "xclientcert",
    "xforwarded",
    "xopendistro",
    "xoriginal",
    "xproxy",
    "xrewrite",
    "xsecurity",
    "xssl",
    "xtenant",
];

/// The most characters of a folded name that are compared; no name above is longer.
const FOLDED: usize = 40;

/// Lower case without `-`, `_` and `.`, since servers differ in which of those they treat alike
/// (CVE-2025-64484 passed `X_Forwarded_User`).
fn fold<'b>(name: &str, buffer: &'b mut [u8; FOLDED]) -> &'b str {
    let mut length = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'-' | b'_' | b'.')) {
        let Some(slot) = buffer.get_mut(length) else { break };
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    buffer.get(..length).and_then(|folded| std::str::from_utf8(folded).ok()).unwrap_or_default()
}

/// Further names that this cluster's engine trusts: those of its `proxy_headers` identity.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    names: Vec<String>,
    prefixes: Vec<String>,
}

impl Reserved {
    /// The names and prefixes, in any spelling.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        prefixes: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let folded = |name: &str| fold(name, &mut [0; FOLDED]).to_owned();
        Self {
            names: names.into_iter().map(folded).collect(),
            prefixes: prefixes.into_iter().map(folded).filter(|prefix| !prefix.is_empty()).collect(),
        }
    }

    /// Whether an upstream could take a header of this name as the proxy's word.
    pub fn is_trusted(&self, name: &str) -> bool {
        let mut buffer = [0; FOLDED];
        let folded = fold(name, &mut buffer);
        TRUSTED.contains(&folded)
            || TRUSTED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
            || self.names.iter().any(|reserved| reserved == folded)
            || self.prefixes.iter().any(|prefix| folded.starts_with(prefix.as_str()))
    }
}

/// `Connection` names a field that it must not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the Connection header names `{0}`, which is not a field of one hop")]
pub struct ConnectionNames(pub String);

/// Removes what ends at this hop: the fixed list, then what `Connection` names.
///
/// A `Connection` that names a field with a meaning beyond this hop is refused: removing it would let a client take
/// away what the proxy relies on (CVE-2025-48865), keeping it would break the field's contract.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, reserved: &Reserved) -> Result<(), ConnectionNames> {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if token.is_empty()
                || token.eq_ignore_ascii_case(b"close")
                || token.eq_ignore_ascii_case(b"keep-alive")
            {
                continue;
            }
            let name = HeaderName::from_bytes(token)
                .map_err(|_| ConnectionNames(String::from_utf8_lossy(token).into_owned()))?;
            let ends_here = HOP_BY_HOP.contains(&name) || name.as_str() == "http2-settings";
            if !ends_here && (end_to_end(&name) || reserved.is_trusted(name.as_str())) {
                return Err(ConnectionNames(name.as_str().to_owned()));
            }
            named.push(name);
        }
    }
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
    Ok(())
}

/// Fields that no `Connection` header may take away.
fn end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("content-")
        || name.starts_with("accept")
        || matches!(
            name,
            "host" | "cache-control" | "date" | "expect" | "traceparent" | "tracestate" | "user-agent"
        )
}

/// Removes every field an upstream could trust. To be called after [`remove_hop_by_hop`] and before anything is added.
pub fn remove_trusted(headers: &mut HeaderMap, reserved: &Reserved) {
    let trusted: smallvec::SmallVec<[HeaderName; 8]> =
        headers.keys().filter(|name| reserved.is_trusted(name.as_str())).cloned().collect();
    for name in &trusted {
        headers.remove(name);
    }
}

/// Cleans the engine's response head: what ends at this hop, and what speaks of the credential the proxy used.
pub fn clean_response(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    // A cookie would hand the proxy's session with the upstream to the client; the challenge is ours to give.
    headers.remove(header::SET_COOKIE);
    headers.remove(header::WWW_AUTHENTICATE);
}

/// Whether the client announced that it can take trailers.
pub fn wants_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// A text as a header value, with what a value cannot hold replaced.
pub fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| {
        let visible: String =
            text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        HeaderValue::from_str(&visible).unwrap_or(HeaderValue::from_static(""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_names_in_every_spelling() {
        let reserved = Reserved::new(["X-Corp-User"], ["x-corp-attr-"]);
        for name in [
            "x-forwarded-for",
            "x_forwarded_user",
            "x-forwarded_proto",
            "x.forwarded.host",
            "xforwardedhost",
            "forwarded",
            "x-proxy-user",
            "x_proxy_roles",
            "x-proxy-ext-tenant",
            "opendistro_security_impersonate_as",
            "opendistro-security-impersonate-as",
            "_opendistro_security_user",
            "securitytenant",
            "security_tenant",
            "security-tenant",
            "authorization",
            "cookie",
            "x-real-ip",
            "x-original-url",
            "x-rewrite-url",
            "x-http-method-override",
            "x-corp-user",
            "x_corp_user",
            "x_corp_attr_tenant",
        ] {
            assert!(reserved.is_trusted(name), "{name} must not pass");
        }
        for name in
            ["content-type", "accept", "x-opaque-id", "user-agent", "traceparent", "osd-xsrf", "x-corp"]
        {
            assert!(!reserved.is_trusted(name), "{name} may pass");
        }
    }

    #[test]
    fn connection_may_not_name_what_matters() {
        let table = [
            ("close", Ok(())),
            ("keep-alive, x-hop", Ok(())),
            ("te, keep-alive", Ok(())),
            ("x-forwarded-user", Err("x-forwarded-user")),
            ("close, X-Proxy-User", Err("x-proxy-user")),
            ("content-length", Err("content-length")),
            ("host", Err("host")),
            ("authorization", Err("authorization")),
            ("not a token", Err("not a token")),
        ];
        for (value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONNECTION, HeaderValue::from_static(value));
            headers.insert("x-hop", HeaderValue::from_static("1"));
            headers.insert("x-kept", HeaderValue::from_static("1"));
            let outcome = remove_hop_by_hop(&mut headers, &Reserved::default());
            assert_eq!(outcome, expected.map_err(|name: &str| ConnectionNames(name.to_owned())), "{value}");
            if outcome.is_ok() {
                assert!(!headers.contains_key(header::CONNECTION));
                assert_eq!(headers.contains_key("x-hop"), !value.contains("x-hop"), "{value}");
                assert!(headers.contains_key("x-kept"));
            }
        }
    }
}
