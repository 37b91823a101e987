//! Discovery documents: OIDC Discovery 1.0 and RFC 8414.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use transport::{HttpClient, HttpResponse, redact_url};
use url::{Host, Url};

use crate::FetchError;

/// What is used of a discovery document.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// By the monotonic clock of whoever fetched it.
    pub(crate) fetched_at: Duration,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) introspection_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    pub(crate) authorization_endpoint: Option<Url>,
    /// Whether `iss` is in what a browser brings back (RFC 9207 section 3).
    pub(crate) names_issuer_in_answers: bool,
}

/// A discovery document as it came.
#[derive(Deserialize)]
pub(crate) struct Document {
    issuer: String,
    jwks_uri: Option<Url>,
    introspection_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    authorization_endpoint: Option<Url>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Fetches the document of `issuer`, whose parsed form is `base`, at `now` by the monotonic clock: first where OIDC puts it, then, if nothing
/// is there, where RFC 8414 does.
pub(crate) async fn fetch(
    http: &HttpClient,
    issuer: &str,
    base: &Url,
    allow_http: bool,
    now: Duration,
) -> Result<Metadata, FetchError> {
    let mut response = http.get(&openid_url(base), "application/json").await?;
    if response.status.is_client_error() {
        response = http.get(&oauth_url(base), "application/json").await?;
    }
    read(&response, issuer, allow_http, now)
}

fn read(
    response: &HttpResponse,
    issuer: &str,
    allow_http: bool,
    now: Duration,
) -> Result<Metadata, FetchError> {
    expect_ok(response)?;
    response.json::<Document>()?.judge(response.url(), issuer, allow_http, now)
}

impl Document {
    /// What is used of it, if it is of this issuer. It was fetched from `from`.
    pub(crate) fn judge(
        self,
        from: &str,
        issuer: &str,
        allow_http: bool,
        now: Duration,
    ) -> Result<Metadata, FetchError> {
        if self.issuer != issuer {
            return Err(FetchError::IssuerMismatch { url: from.to_owned() });
        }
        for url in [&self.jwks_uri, &self.introspection_endpoint].into_iter().flatten() {
            if !is_secure(url, allow_http) {
                return Err(FetchError::Insecure { url: redact_url(url) });
            }
        }
        Ok(Metadata {
            fetched_at: now,
            jwks_uri: self.jwks_uri,
            introspection_endpoint: self.introspection_endpoint,
            // Both are judged by whoever uses them: keys are worth having without.
            token_endpoint: self.token_endpoint,
            authorization_endpoint: self.authorization_endpoint,
            names_issuer_in_answers: self.authorization_response_iss_parameter_supported,
        })
    }
}

/// Anything but 200 is no document; redirects are not followed.
pub(crate) fn expect_ok(response: &HttpResponse) -> Result<(), FetchError> {
    if response.status == StatusCode::OK {
        return Ok(());
    }
    Err(FetchError::Status { url: response.url().to_owned(), status: response.status })
}

/// Appended to the issuer (OIDC Discovery section 4.1).
fn openid_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    url.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
    url
}

/// Inserted between host and path of the issuer (RFC 8414 section 3.1).
fn oauth_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path().trim_end_matches('/');
    url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    url
}

/// HTTPS, or HTTP to this very host, or HTTP where configuration allows it.
pub(crate) fn is_secure(url: &Url, allow_http: bool) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => loopback || allow_http,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_urls() {
        for (issuer, openid, oauth) in [
            (
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://a.example:8443/realms/x",
                "https://a.example:8443/realms/x/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
            ),
        ] {
            let issuer: Url = issuer.parse().unwrap();
            assert_eq!(openid_url(&issuer).as_str(), openid);
            assert_eq!(oauth_url(&issuer).as_str(), oauth);
        }
    }

    #[test]
    fn plain_http_only_to_loopback() {
        for (url, secure) in [
            ("https://a.example", true),
            ("http://a.example", false),
            ("http://localhost:1", true),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.2", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(is_secure(&url.parse().unwrap(), false), secure, "{url}");
        }
        assert!(is_secure(&"http://a.example".parse().unwrap(), true));
        assert!(!is_secure(&"file:///etc/passwd".parse().unwrap(), true));
    }
}
