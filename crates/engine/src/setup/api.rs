//! Calls of a running engine.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use transport::{HttpClient, HttpError, TlsError, TlsOptions};
use url::Url;

use super::rest_calls::{ACTION_GROUPS, CONFIG, INTERNAL_USERS, ROLES, ROLES_MAPPING};
use crate::Credential;

const TIMEOUT: Duration = Duration::from_secs(30);
/// The security configuration of a large installation is a few MiB.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How an administrator reaches one node of the engine.
#[derive(Debug)]
pub struct AdminAccess {
    /// The node's URL.
    pub url: Url,
    /// Whom to trust, and the admin certificate if that is how the administrator authenticates.
    pub tls: TlsOptions,
    /// User and password of a user who may use the security API.
    pub basic: Option<(String, SecretString)>,
}

/// Why a call of the engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// TLS files cannot be used.
    #[error("TLS towards the engine cannot be set up")]
    Tls(#[from] TlsError),
    /// The engine cannot be reached or speaks no HTTP.
    #[error("the engine did not answer")]
    Http(#[from] HttpError),
    /// A request could not be built.
    #[error("`{0}` is not a URL that can be called")]
    Url(String),
    /// The administrator is not accepted.
    #[error(
        "the engine does not accept the administrator (401) at {path}: check user and password, or that the \
         certificate is one of `plugins.security.authcz.admin_dn`"
    )]
    Unauthenticated {
        /// The path called.
        path: String,
    },
    /// The administrator may not do this.
    #[error(
        "the engine refuses {path} (403): {message}; the user needs a role of `plugins.security.restapi.roles_enabled`{more}"
    )]
    Forbidden {
        /// The path called.
        path: String,
        /// The engine's own words.
        message: String,
        /// What else it may be.
        more: &'static str,
    },
    /// Any other refusal.
    #[error("the engine answered {status} to {path}: {message}")]
    Refused {
        /// The path called.
        path: String,
        /// The status.
        status: u16,
        /// The engine's own words.
        message: String,
    },
}

/// A client of one node.
pub(super) struct Api<'a> {
    access: &'a AdminAccess,
    client: HttpClient,
    /// Shows no client certificate, so that only the credential under test speaks.
    probe: HttpClient,
}

/// The parts of the running security configuration that matter here.
#[derive(Debug, Default)]
pub(super) struct Current {
    pub(super) config: Value,
    pub(super) action_groups: Map<String, Value>,
    pub(super) roles: Map<String, Value>,
    pub(super) roles_mapping: Map<String, Value>,
    pub(super) internal_users: Map<String, Value>,
}

impl<'a> Api<'a> {
    pub(super) fn new(access: &'a AdminAccess) -> Result<Self, ApiError> {
        let without_identity = TlsOptions { ca: access.tls.ca.clone(), identity: None };
        Ok(Self {
            access,
            client: HttpClient::new(&access.tls, None, TIMEOUT, MAX_BODY)?,
            probe: HttpClient::new(&without_identity, None, TIMEOUT, MAX_BODY)?,
        })
    }

    pub(super) async fn current(&self) -> Result<Current, ApiError> {
        let object = |value: Value| match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Ok(Current {
            config: self.get(CONFIG).await?,
            action_groups: object(self.get(ACTION_GROUPS).await?),
            roles: object(self.get(ROLES).await?),
            roles_mapping: object(self.get(ROLES_MAPPING).await?),
            internal_users: object(self.get(INTERNAL_USERS).await?),
        })
    }

    async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.call("GET", path, None).await
    }

    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let mut request = self.request(method, path).header(header::CONTENT_TYPE, "application/json");
        if let Some((user, password)) = &self.access.basic {
            request =
                request.header(header::AUTHORIZATION, transport::basic_auth(user, password.expose_secret()));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(body).map_err(|_| self.bad_url())?;
        let response = self.client.send(request).await?;
        if response.status.is_success() {
            return Ok(response.json()?);
        }
        let answer = response.json::<Value>().unwrap_or_default();
        let message = ["message", "reason"]
            .iter()
            .find_map(|key| answer[key].as_str().or_else(|| answer["error"][key].as_str()))
            .unwrap_or("no reason given");
        Err(refusal(response.status, path, message))
    }

    /// Who the engine takes the credential for; `None` if it does not accept it.
    pub(super) async fn authinfo(&self, credential: &Credential) -> Result<Option<Value>, ApiError> {
        let mut request = self
            .request("GET", "/_plugins/_security/authinfo")
            // The `proxy` domain wants to know whom the request came from.
            .header("x-forwarded-for", "192.0.2.1")
            .body(Bytes::new())
            .map_err(|_| self.bad_url())?;
        credential.apply(request.headers_mut());
        let response = self.probe.send(request).await?;
        match response.status {
            StatusCode::OK => Ok(Some(response.json()?)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            status => Err(refusal(status, "/_plugins/_security/authinfo", "unexpected answer")),
        }
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let base = self.access.url.as_str().trim_end_matches('/');
        Request::builder().method(method).uri(format!("{base}{path}"))
    }

    fn bad_url(&self) -> ApiError {
        ApiError::Url(transport::redact_url(&self.access.url))
    }
}

fn refusal(status: StatusCode, path: &str, message: &str) -> ApiError {
    let (path, message) = (path.to_owned(), message.to_owned());
    match status {
        StatusCode::UNAUTHORIZED => ApiError::Unauthenticated { path },
        StatusCode::FORBIDDEN => ApiError::Forbidden {
            more: if path == CONFIG {
                ", and changing the domains needs `plugins.security.unsupported.restapi.allow_securityconfig_modification: \
                 true`; without it, use the file `config.yml` and `securityadmin.sh`"
            } else {
                ""
            },
            path,
            message,
        },
        status => ApiError::Refused { path, status: status.as_u16(), message },
    }
}
