//! Connections: HTTP proxies from the environment, certificate authorities, and when plain HTTP will do.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde::de::DeserializeOwned;
use transport::{ForwardProxy, HttpClient, HttpResponse, TlsOptions};
use url::{Host, Url};

use crate::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 4 << 20;
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("opensearch-auth/", env!("CARGO_PKG_VERSION")));

/// The HTTP proxies that the environment names, by the customs of curl.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    bypass: String,
}

impl Proxies {
    /// Reads `https_proxy`, `all_proxy`, `no_proxy` in either case, and `http_proxy` in lower case only: in upper case
    /// a CGI program would take it from a request's header.
    pub(crate) fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase()));
        let url = |name: &'static str, value: Option<String>| match value.filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => proxy_url(&value).map(Some).ok_or_else(|| {
                Error::usage(format!("{name} does not name an HTTP proxy this program can use")).cure(
                    "write it as http://[user:password@]host:port; other kinds of proxies are not supported",
                )
            }),
        };
        let all = url("ALL_PROXY", either("all_proxy"))?;
        Ok(Self {
            http: url("http_proxy", variable("http_proxy"))?.or_else(|| all.clone()),
            https: url("HTTPS_PROXY", either("https_proxy"))?.or(all),
            bypass: either("no_proxy").unwrap_or_default(),
        })
    }

    fn of(&self, scheme: &str) -> Option<ForwardProxy> {
        let url = if scheme == "https" { &self.https } else { &self.http };
        url.clone().map(|url| ForwardProxy { url, bypass: self.bypass.clone() })
    }
}

fn proxy_url(value: &str) -> Option<Url> {
    let full = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    Url::parse(&full).ok().filter(|url| url.scheme() == "http" && url.host_str().is_some())
}

/// Calls to one party, with one idea of whom to trust.
pub(crate) struct Http {
    proxies: Proxies,
    ca: Option<PathBuf>,
    plain: OnceLock<HttpClient>,
    secure: OnceLock<HttpClient>,
}

impl Http {
    /// Trusts the authorities of the file `ca` and no others; without it, those of the operating system.
    pub(crate) fn new(proxies: &Proxies, ca: Option<&Path>) -> Self {
        let (plain, secure) = (OnceLock::new(), OnceLock::new());
        Self { proxies: proxies.clone(), ca: ca.map(Path::to_owned), plain, secure }
    }

    fn client(&self, scheme: &str) -> Result<&HttpClient> {
        let slot = if scheme == "https" { &self.secure } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let tls = TlsOptions { ca: self.ca.clone(), ..TlsOptions::default() };
        let client = HttpClient::new(&tls, self.proxies.of(scheme).as_ref(), TIMEOUT, MAX_BODY)?;
        Ok(slot.get_or_init(|| client))
    }

    /// Sends a request whose URI is absolute.
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<HttpResponse> {
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        let client = self.client(request.uri().scheme_str().unwrap_or_default())?;
        Ok(client.send(request).await?)
    }

    /// `GET` of a JSON document; `None` for 404.
    pub(crate) async fn document<T: DeserializeOwned>(&self, url: &Url) -> Result<Option<T>> {
        let response = self.send(request(Method::GET, url, Bytes::new())?).await?;
        match response.status.as_u16() {
            200 => Ok(Some(response.json()?)),
            404 => Ok(None),
            status => Err(Error::outside(format!("{} is answered with status {status}", response.url()))),
        }
    }

    /// `POST` of a form.
    pub(crate) async fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<HttpResponse> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = request(Method::POST, url, Bytes::from(body))?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        self.send(request).await
    }
}

/// A request that asks for JSON.
pub(crate) fn request(method: Method, url: &Url, body: Bytes) -> Result<Request<Bytes>> {
    let mut bare = url.clone();
    bare.set_fragment(None);
    Request::builder()
        .method(method)
        .uri(bare.as_str())
        .header(header::ACCEPT, "application/json")
        .body(body)
        .map_err(|_| Error::usage(format!("{} is no address that can be called", transport::redact_url(url))))
}

/// Parses an address that secrets are sent to: https, or http on the loopback interface; without credentials, query
/// and fragment.
pub(crate) fn secure_url(text: &str, what: &str) -> Result<Url> {
    let wrong = |why: &str| Error::usage(format!("{what} cannot be used: {why}"));
    let url =
        Url::parse(text).map_err(|_| wrong("it is no URL").cure("write it as https://host[:port][/path]"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds credentials"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a query or a fragment"));
    }
    if url.scheme() == "https" && url.host().is_some() || url.scheme() == "http" && is_loopback(&url) {
        return Ok(url);
    }
    Err(wrong("tokens would travel unencrypted")
        .cure("use https; http is for addresses of this machine only"))
}

/// Whether an address is this machine's own, by its notation: no name is looked up but `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_secrets_may_go_to() {
        let table = [
            ("https://search.example.com:8443", true),
            ("https://search.example.com/prod", true),
            ("http://127.0.0.1:8443", true),
            ("http://[::1]:8443", true),
            ("http://localhost:8443", true),
            ("http://search.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("https://user:password@search.example.com", false),
            ("https://search.example.com/?a=b", false),
            ("ftp://search.example.com", false),
            ("search.example.com", false),
        ];
        for (text, expected) in table {
            assert_eq!(secure_url(text, "it").is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn proxies_by_the_customs_of_curl() {
        let read = |pairs: &[(&str, &str)]| {
            Proxies::from_env(|name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let shown = |proxies: &Proxies, scheme| proxies.of(scheme).map(|proxy| proxy.url.to_string());
        let proxies = read(&[("HTTPS_PROXY", "proxy.example.com:3128"), ("no_proxy", "localhost")]).unwrap();
        assert_eq!(shown(&proxies, "https").unwrap(), "http://proxy.example.com:3128/");
        assert_eq!(shown(&proxies, "http"), None);
        assert_eq!(proxies.bypass, "localhost");
        let proxies = read(&[("ALL_PROXY", "http://a:1"), ("https_proxy", "http://b:2")]).unwrap();
        assert_eq!(shown(&proxies, "https").unwrap(), "http://b:2/");
        assert_eq!(shown(&proxies, "http").unwrap(), "http://a:1/");
        assert_eq!(
            shown(&read(&[("HTTP_PROXY", "http://c:3")]).unwrap(), "http"),
            None,
            "a header of a request"
        );
        assert!(read(&[("https_proxy", "socks5://d:4")]).is_err());
    }
}
