//! How tests reach a node.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transport::{HttpClient, HttpResponse, TlsOptions, basic_auth};

use super::read_log;
use crate::{ProcessId, Result, TestbedError};

const TIMEOUT: Duration = Duration::from_mins(1);
const MAX_BODY: usize = 64 << 20;

/// How to reach a running node.
#[derive(Clone, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Version of the engine.
    pub version: String,
    /// Its address: `https://127.0.0.1:PORT`.
    pub url: String,
    /// Where other nodes reach it.
    pub transport_address: String,
    /// PEM file of the authority that signed its certificate.
    pub ca: PathBuf,
    /// An administrator of the internal user database.
    pub admin_user: String,
    /// The password of the administrator.
    pub admin_password: String,
    /// The account meant for OpenSearch Dashboards.
    pub dashboards_user: String,
    /// The password of that account.
    pub dashboards_password: String,
    /// Client certificate that the security plugin takes as its super administrator.
    pub admin_cert: PathBuf,
    /// Key of that certificate, PKCS#8 PEM.
    pub admin_key: PathBuf,
    /// The engine's own audit log: one JSON object a line, all categories on.
    pub audit_log: PathBuf,
    /// Its other output.
    pub console_log: PathBuf,
    /// Its folder.
    pub data_dir: PathBuf,
    /// Its process.
    pub process: ProcessId,
}

impl std::fmt::Debug for EngineInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineInfo")
            .field("version", &self.version)
            .field("url", &self.url)
            .field("data_dir", &self.data_dir)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl EngineInfo {
    /// A client that speaks as the administrator, by password. Make one for each test: connections belong to the
    /// runtime that opened them.
    pub fn client(&self) -> Result<EngineClient> {
        EngineClient::new(
            self,
            Some(basic_auth(&self.admin_user, &self.admin_password)),
            None,
        )
    }

    /// A client that speaks as the super administrator, by certificate. It alone may change reserved entries.
    pub fn certificate_client(&self) -> Result<EngineClient> {
        EngineClient::new(
            self,
            None,
            Some((self.admin_cert.clone(), self.admin_key.clone())),
        )
    }

    /// A client that sends exactly the given `Authorization`, or none.
    pub fn client_with(&self, authorization: Option<HeaderValue>) -> Result<EngineClient> {
        EngineClient::new(self, authorization, None)
    }

    /// One call as the administrator: the status and the body, which is a string where it is no JSON.
    pub async fn rest(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        self.client()?.rest(method, path, body).await
    }

    /// The audit log, to read what is appended from now on.
    pub fn audit(&self) -> Result<AuditLog> {
        let position = read_log(&self.audit_log)?.len();
        Ok(AuditLog {
            path: self.audit_log.clone(),
            position,
        })
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            version: "3.4.0".to_owned(),
            url: "https://127.0.0.1:19200".to_owned(),
            transport_address: "127.0.0.1:19300".to_owned(),
            ca: PathBuf::from("/nowhere/ca.pem"),
            admin_user: "admin".to_owned(),
            admin_password: "example-password".to_owned(),
            dashboards_user: "kibanaserver".to_owned(),
            dashboards_password: "example-password".to_owned(),
            admin_cert: PathBuf::from("/nowhere/admin.pem"),
            admin_key: PathBuf::from("/nowhere/admin-key.pem"),
            audit_log: PathBuf::from("/nowhere/audit.log"),
            console_log: PathBuf::from("/nowhere/console.log"),
            data_dir: PathBuf::from("/nowhere"),
            process: ProcessId {
                pid: u32::MAX,
                started: 0,
            },
        }
    }
}

/// A client of a node.
#[derive(Debug, Clone)]
pub struct EngineClient {
    url: String,
    http: HttpClient,
    authorization: Option<HeaderValue>,
}

impl EngineClient {
    fn new(
        info: &EngineInfo,
        authorization: Option<HeaderValue>,
        identity: Option<(PathBuf, PathBuf)>,
    ) -> Result<Self> {
        let tls = TlsOptions {
            ca: Some(info.ca.clone()),
            identity,
        };
        Ok(Self {
            url: info.url.clone(),
            http: HttpClient::new(&tls, None, TIMEOUT, MAX_BODY)?,
            authorization,
        })
    }

    /// One call: the status and the body, which is a string where it is no JSON. `path` begins with `/` and may have
    /// a query.
    pub async fn rest(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let response = self.send(method, path, body).await?;
        Ok((response.status, body_of(&response)))
    }

    /// A call that must succeed: its body.
    pub async fn expect(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, answer) = self.rest(method, path, body).await?;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(unexpected(method, &self.url, path, status, &answer))
        }
    }

    /// A `_bulk` of newline-delimited JSON in which every line must succeed.
    pub async fn bulk(&self, path: &str, lines: String) -> Result<()> {
        let body = Some(("application/x-ndjson", Bytes::from(lines)));
        let response = self.send(&Method::POST, path, body).await?;
        let answer = body_of(&response);
        if response.status.is_success() && answer.get("errors") == Some(&Value::Bool(false)) {
            Ok(())
        } else {
            Err(unexpected(
                &Method::POST,
                &self.url,
                path,
                response.status,
                &answer,
            ))
        }
    }

    /// Whether the node serves requests; if not, what it answered instead.
    pub(crate) async fn is_ready(&self) -> std::result::Result<(), String> {
        let answer = self.rest(&Method::GET, "/_cluster/health?timeout=1s", None).await;
        let (status, body) = answer.map_err(|error| error.to_string())?;
        match body.get("status").and_then(Value::as_str) {
            Some("green" | "yellow") if status.is_success() => Ok(()),
            _ => Err(format!("its health is answered with {status}")),
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
    ) -> Result<HttpResponse> {
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
        Ok(self.http.send(request).await?)
    }
}

fn body_of(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&response.body).into_owned()))
}

fn unexpected(method: &Method, url: &str, path: &str, status: StatusCode, body: &Value) -> TestbedError {
    TestbedError::Answer {
        call: format!("{method} {url}{path}"),
        status: status.as_u16(),
        body: body.to_string().chars().take(600).collect(),
    }
}

/// The engine's own audit log, from a certain place on.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    position: usize,
}

impl AuditLog {
    /// The records appended so far since this value was made.
    pub fn records(&self) -> Result<Vec<Value>> {
        let bytes = read_log(&self.path)?;
        let text = String::from_utf8_lossy(bytes.get(self.position..).unwrap_or_default()).into_owned();
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// Waits until a record satisfies `wanted`, for the engine writes them a moment after it answered.
    /// `None` if there is none within 20 s.
    pub async fn find(&self, wanted: impl Fn(&Value) -> bool) -> Result<Option<Value>> {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.records()?.into_iter().find(&wanted);
            if found.is_some() || std::time::Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(crate::process::POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_audit_log_is_read_from_where_one_began() {
        let temp = tempfile::tempdir().unwrap();
        let info = EngineInfo {
            audit_log: temp.path().join("audit.log"),
            ..EngineInfo::example()
        };
        let from_nothing = info.audit().unwrap();
        assert!(from_nothing.records().unwrap().is_empty());
        std::fs::write(&info.audit_log, "{\"a\":1}\n").unwrap();
        let later = info.audit().unwrap();
        std::fs::write(&info.audit_log, "{\"a\":1}\n{\"a\":2}\nhalf of a rec").unwrap();
        assert_eq!(from_nothing.records().unwrap().len(), 2);
        let found = later.find(|record| record["a"] == 2).await.unwrap();
        assert_eq!(found.unwrap()["a"], 2);
        assert_eq!(later.records().unwrap().len(), 1);
    }

    #[test]
    fn debug_shows_no_password() {
        let shown = format!("{:?}", EngineInfo::example());
        assert!(!shown.contains("example-password"), "{shown}");
    }
}
