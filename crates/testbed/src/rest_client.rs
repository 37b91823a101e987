//! A client for JSON over HTTP, for tests and the demo.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use transport::{HttpClient, TlsOptions};

use crate::{Result, TestbedError};

const TIMEOUT: Duration = Duration::from_mins(1);
const MAX_BODY: usize = 64 << 20;

/// A client of one server, with one `Authorization` or none. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct RestClient {
    url: String,
    http: HttpClient,
    authorization: Option<HeaderValue>,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a string where it is no JSON.
    pub body: Value,
}

impl RestClient {
    /// A client of the server at `url`, such as `https://127.0.0.1:9200`, without a slash at its end. `ca` is a PEM
    /// file of the only authorities to trust.
    pub fn new(url: &str, ca: Option<&Path>, authorization: Option<HeaderValue>) -> Result<Self> {
        let tls = TlsOptions { ca: ca.map(Path::to_owned), identity: None };
        Self::with_tls(url, &tls, authorization)
    }

    /// A client that shows a certificate when it is asked for one.
    pub fn with_certificate(url: &str, ca: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        let identity = Some((certificate.to_owned(), key.to_owned()));
        Self::with_tls(url, &TlsOptions { ca: Some(ca.to_owned()), identity }, None)
    }

    fn with_tls(url: &str, tls: &TlsOptions, authorization: Option<HeaderValue>) -> Result<Self> {
        Ok(Self { url: url.to_owned(), http: HttpClient::new(tls, None, TIMEOUT, MAX_BODY)?, authorization })
    }

    /// The same server, with a bearer token (RFC 6750 section 2.1).
    pub fn bearer(&self, token: &str) -> Result<Self> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| TestbedError::Header)?;
        value.set_sensitive(true);
        Ok(self.with(Some(value)))
    }

    /// The same server, with another `Authorization`.
    #[must_use]
    pub fn with(&self, authorization: Option<HeaderValue>) -> Self {
        Self { authorization, ..self.clone() }
    }

    /// One call. `path` begins with `/` and may have a query.
    pub async fn call(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.send(method, path, body).await
    }

    /// One call: the status and the body, which is a string where it is no JSON.
    pub async fn rest(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let answer = self.call(method, path, body).await?;
        Ok((answer.status, answer.body))
    }

    /// A call that must succeed: its body.
    pub async fn expect(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.call(method, path, body).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(self.unexpected(method, path, &answer)) }
    }

    /// A `_bulk` of newline-delimited JSON in which every line must succeed.
    pub async fn bulk(&self, path: &str, lines: String) -> Result<()> {
        let answer =
            self.send(&Method::POST, path, Some(("application/x-ndjson", Bytes::from(lines)))).await?;
        if answer.status.is_success() && answer.body.get("errors") == Some(&Value::Bool(false)) {
            Ok(())
        } else {
            Err(self.unexpected(&Method::POST, path, &answer))
        }
    }

    /// One call with a body as it is, of the given media type.
    pub async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<Answer> {
        let address = format!("{}{path}", self.url);
        let mut request = Request::builder().method(method).uri(&address);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let (kind, body) = body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).map_err(|_| TestbedError::Address(address))?;
        let response = self.http.send(request).await?;
        let body = serde_json::from_slice(&response.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&response.body).into_owned()));
        Ok(Answer { status: response.status, headers: response.headers, body })
    }

    /// Whether the engine serves requests; if not, what it answered instead.
    pub(crate) async fn is_ready(&self) -> std::result::Result<(), String> {
        let answer = self.rest(&Method::GET, "/_cluster/health?timeout=1s", None).await;
        let (status, body) = answer.map_err(|error| error.to_string())?;
        match body.get("status").and_then(Value::as_str) {
            Some("green" | "yellow") if status.is_success() => Ok(()),
            _ => Err(format!("its health is answered with {status}")),
        }
    }

    fn unexpected(&self, method: &Method, path: &str, answer: &Answer) -> TestbedError {
        TestbedError::Answer {
            call: format!("{method} {}{path}", self.url),
            status: answer.status.as_u16(),
            body: answer.body.to_string().chars().take(600).collect(),
        }
    }
}
