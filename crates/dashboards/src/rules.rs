//! The header that keeps other sites' pages out.

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
}
