//! The bounded HTTP client.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::{Url, form_urlencoded};

use crate::connector::causes;
use crate::{ConnectError, Connector, ForwardProxy, HttpError, HttpResponse, TlsError, TlsOptions};

/// Idle connections kept for each host: the calls of this client are few.
const IDLE_PER_HOST: usize = 4;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_mins(1);
/// Sent where a request names none: some gateways refuse requests without.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("opensearch-oauth-proxy/", env!("CARGO_PKG_VERSION")));

/// A client for small calls: at most `timeout` for a whole call, at most `max_body` bytes of response, HTTP/1.1,
/// no redirects followed, no retries after bytes were sent. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct HttpClient {
    connector: Connector,
    inner: legacy::Client<Connector, Full<Bytes>>,
    timeout: Duration,
    max_body: usize,
}

impl HttpClient {
    /// A client with its own connections. Fails if a file named in `tls` cannot be used.
    pub fn new(
        tls: &TlsOptions,
        proxy: Option<&ForwardProxy>,
        timeout: Duration,
        max_body: usize,
    ) -> Result<Self, TlsError> {
        let connector = Connector::new(crate::client_config(tls, &[b"http/1.1"])?, proxy, timeout);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
            .build(connector.clone());
        Ok(Self { connector, inner, timeout, max_body })
    }

    /// `GET`, asking for the media type `accept`.
    pub async fn get(&self, url: &Url, accept: &str) -> Result<HttpResponse, HttpError> {
        let accept = HeaderValue::from_str(accept).map_err(|_| HttpError::Url {
            url: crate::redact_url(url),
            reason: "the media type asked for is not a header value",
        })?;
        let mut request = request(Method::GET, url, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, accept);
        self.send(request).await
    }

    /// `POST` of an `application/x-www-form-urlencoded` body, asking for JSON, with the given `Authorization`
    /// (see [`client_secret_basic`](crate::client_secret_basic)).
    pub async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        authorization: Option<&HeaderValue>,
    ) -> Result<HttpResponse, HttpError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = request(Method::POST, url, Bytes::from(body))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        self.send(request).await
    }

    /// Sends the request, whose URI must be absolute, and reads the whole response.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<HttpResponse, HttpError> {
        let url = redact_uri(request.uri());
        request.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        if let Some(credentials) = self.connector.proxy_authorization(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials);
        }
        match tokio::time::timeout(self.timeout, self.exchange(request.map(Full::new), &url)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout { url, after: self.timeout }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, url: &str) -> Result<HttpResponse, HttpError> {
        let response = self.inner.request(request).await.map_err(|error| classify(&error, url))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                HttpError::TooLarge { url: url.to_owned(), limit: self.max_body }
            } else {
                HttpError::Protocol { url: url.to_owned(), reason: causes(&*error) }
            }
        })?;
        Ok(HttpResponse {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
            url: url.to_owned(),
        })
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("timeout", &self.timeout)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}

fn request(method: Method, url: &Url, body: Bytes) -> Result<Request<Bytes>, HttpError> {
    let unusable = |reason| HttpError::Url { url: crate::redact_url(url), reason };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("it holds credentials; configure those apart from the URL"));
    }
    let mut bare = url.clone();
    bare.set_fragment(None);
    let uri: Uri = bare.as_str().parse().map_err(|_| unusable("it is not a valid URI"))?;
    Request::builder().method(method).uri(uri).body(body).map_err(|_| unusable("it is not a valid URI"))
}

fn redact_uri(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("-");
    let host = uri.host().unwrap_or("-");
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", uri.path())
}

fn classify(error: &legacy::Error, url: &str) -> HttpError {
    let url = url.to_owned();
    let chain = || std::iter::successors(std::error::Error::source(error), |error| error.source());
    if let Some(connect) = chain().find_map(|error| error.downcast_ref::<ConnectError>()) {
        return match connect {
            ConnectError::Tls(error) => HttpError::Tls { url, reason: causes(error) },
            other => HttpError::Connect { url, source: other.copy() },
        };
    }
    if error.is_connect() {
        return HttpError::Connect { url, source: ConnectError::Tcp(causes(error)) };
    }
    // With TLS 1.3 a server judges the client's certificate after the client has finished its handshake.
    let refused = chain()
        .filter_map(|error| {
            error.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()
        })
        .find(|error| refuses_certificate(error));
    match refused {
        Some(refused) => HttpError::Tls { url, reason: refused.to_string() },
        None => HttpError::Protocol { url, reason: causes(error) },
    }
}

/// Whether the peer answered that it does not accept this side's certificate, so that it read no request either.
fn refuses_certificate(error: &rustls::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else {
        return false;
    };
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}
