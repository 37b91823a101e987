//! Rules about headers.

use thiserror::Error;

/// A request that could come from another site's page.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("Request must contain a osd-xsrf header.")]
pub struct XsrfMissing;

impl XsrfMissing {
    /// The status of the answer, as Dashboards gives it.
    pub const STATUS: u16 = 400;

    /// A stable label for metrics, audit records and clients.
    pub const REASON: &str = "xsrf_missing";
}

/// Whether the request carries the header that no page of another site can send. Dashboards asks for one on every method
/// but the safe ones, and so does this, so that a caller learns it before anything is sent. `headers` are the names in
/// the request, in lower case.
pub fn xsrf<'h>(method: &str, mut headers: impl Iterator<Item = &'h str>) -> Result<(), XsrfMissing> {
    let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
    if safe || headers.any(|name| matches!(name, "osd-xsrf" | "osd-version")) {
        Ok(())
    } else {
        Err(XsrfMissing)
    }
}

/// Whether a header of the request never reaches Dashboards as the client sent it. `name` is in lower case.
///
/// Cookies would bring in a session, or parts of one; `securitytenant` chooses whose objects are meant; and the others
/// are what Dashboards or the engine behind it would believe about who asks.
pub fn is_withheld_from_dashboards(name: &str) -> bool {
    let folded = |wanted: &str| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric();
        name.bytes().filter(plain).map(|byte| byte.to_ascii_lowercase()).eq(wanted.bytes())
    };
    ["cookie", "securitytenant", "xproxyuser", "xproxyroles", "authorization", "forwarded"]
        .iter()
        .any(|name| folded(name))
        || name.starts_with("x-forwarded-")
        || name.starts_with("security_authentication")
}

/// Whether a header of Dashboards' answer is kept from clients that bring a token. A session cookie works without the
/// token, and outlives it. `name` is in lower case.
pub fn is_withheld_from_client(name: &str) -> bool {
    matches!(name, "set-cookie" | "set-cookie2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_methods_want_the_header() {
        for (method, headers, ok) in [
            ("GET", &[][..], true),
            ("HEAD", &[], true),
            ("OPTIONS", &[], true),
            ("POST", &["content-type", "osd-xsrf"], true),
            ("DELETE", &["osd-version"], true),
            ("POST", &["content-type", "kbn-xsrf"], false),
            ("PUT", &[], false),
            ("PATCH", &["osd-xsrf2"], false),
        ] {
            assert_eq!(xsrf(method, headers.iter().copied()).is_ok(), ok, "{method} {headers:?}");
        }
    }

    #[test]
    fn what_would_be_believed_is_withheld() {
        for name in [
            "cookie",
            "securitytenant",
            "security_tenant",
            "x-proxy-user",
            "x_proxy_roles",
            "x-forwarded-for",
        ] {
            assert!(is_withheld_from_dashboards(name), "{name}");
        }
        for name in ["osd-xsrf", "osd-version", "content-type", "accept", "x-opaque-id"] {
            assert!(!is_withheld_from_dashboards(name), "{name}");
        }
        assert!(is_withheld_from_client("set-cookie"));
        assert!(!is_withheld_from_client("location"));
    }
}
