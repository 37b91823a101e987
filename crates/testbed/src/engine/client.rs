//! How tests reach a node.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transport::basic_auth;

use super::read_log;
use crate::{ProcessId, RestClient, Result};

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
    pub fn client(&self) -> Result<RestClient> {
        self.client_with(Some(basic_auth(&self.admin_user, &self.admin_password)))
    }

    /// A client that speaks as the super administrator, by certificate. It alone may change reserved entries.
    pub fn certificate_client(&self) -> Result<RestClient> {
        RestClient::with_certificate(&self.url, &self.ca, &self.admin_cert, &self.admin_key)
    }

    /// A client that sends exactly the given `Authorization`, or none.
    pub fn client_with(&self, authorization: Option<HeaderValue>) -> Result<RestClient> {
        RestClient::new(&self.url, Some(&self.ca), authorization)
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
        Ok(AuditLog { path: self.audit_log.clone(), position })
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
            process: ProcessId { pid: u32::MAX, started: 0 },
        }
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
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
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
        let info = EngineInfo { audit_log: temp.path().join("audit.log"), ..EngineInfo::example() };
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
