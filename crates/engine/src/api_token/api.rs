//! The engine's API of tokens, and what stands around it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use config::model::{ApiToken, Cluster, TokenAdmin};
use http::{HeaderValue, Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use transport::{HttpClient, HttpError, HttpResponse, TlsError, TlsOptions};
use url::Url;
use zeroize::Zeroizing;

use super::{ApiTokenError, grants::Grants};

const TOKENS: &str = "/_plugins/_security/api/apitokens";
const CACHE: &str = "/_plugins/_security/api/cache";
const INFO: &str = "/_plugins/_security/dashboardsinfo";
/// Where the engine keeps tokens; only an administrator's certificate reaches it.
const INDEX: &str = "/.opensearch_security_api_tokens/_doc";
/// Limit on one call. Requests wait for less.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Limit on an answer in bytes: the list of as many tokens as the engine lists is below.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Calls the nodes of one cluster as the administrator.
#[derive(Debug)]
pub(super) struct Api {
    /// The node as the URL's authority has it, and the URL without a slash at its end.
    nodes: Box<[(String, String)]>,
    /// The node that answered last.
    first: AtomicUsize,
    admin: HttpClient,
    /// Shows no certificate, so that only the token speaks.
    plain: HttpClient,
    authorization: Option<HeaderValue>,
    deletes: bool,
}

/// A token as the engine has made it.
pub(super) struct Made {
    pub(super) id: String,
    /// `ApiKey os_…`.
    pub(super) value: HeaderValue,
}

#[derive(Deserialize)]
struct MadeAnswer {
    id: String,
    token: SecretString,
}

/// An entry of the engine's list.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    /// Milliseconds since 1970; 0: never.
    #[serde(default)]
    pub(super) expires_at: i64,
    #[serde(default)]
    pub(super) revoked_at: Option<i64>,
}

impl Api {
    pub(super) fn new(cluster: &Cluster, settings: &ApiToken) -> Result<Self, TlsError> {
        let plain = TlsOptions { ca: cluster.ca.clone(), identity: None };
        let (authorization, identity) = match &settings.admin {
            TokenAdmin::User(user) => (Some(transport::basic_auth(&user.name, user.password.expose())), None),
            TokenAdmin::Certificate(files) => {
                (None, Some((files.certificate.clone(), files.private_key.clone())))
            }
        };
        let deletes = identity.is_some();
        Ok(Self {
            nodes: cluster.nodes.iter().map(node).collect(),
            first: AtomicUsize::new(0),
            admin: HttpClient::new(&TlsOptions { identity, ..plain.clone() }, None, TIMEOUT, MAX_BODY)?,
            plain: HttpClient::new(&plain, None, TIMEOUT, MAX_BODY)?,
            authorization,
            deletes,
        })
    }

    /// Whether the places of ended tokens can be freed.
    pub(super) fn deletes(&self) -> bool {
        self.deletes
    }

    /// Makes a token.
    pub(super) async fn make(
        &self,
        name: &str,
        grants: &Grants,
        lifetime: Duration,
    ) -> Result<Made, ApiTokenError> {
        let mut body = json!(grants);
        body["name"] = json!(name);
        body["duration_seconds"] = json!(lifetime.as_secs());
        let response = self.call(&Method::POST, TOKENS, Some(&body)).await?;
        let made: MadeAnswer = response.json()?;
        let value = Zeroizing::new(format!("ApiKey {}", made.token.expose_secret()));
        let mut value = HeaderValue::from_str(&value).map_err(|_| ApiTokenError::Request)?;
        value.set_sensitive(true);
        Ok(Made { id: made.id, value })
    }

    /// Every token that the engine remembers, whoever made it.
    pub(super) async fn list(&self) -> Result<Vec<Listed>, ApiTokenError> {
        Ok(self.call(&Method::GET, TOKENS, None).await?.json()?)
    }

    /// Revokes a token. The engine answers 500 for one that it does not have.
    pub(super) async fn revoke(&self, id: &str) -> Result<(), ApiTokenError> {
        self.call(&Method::DELETE, &format!("{TOKENS}/{id}"), None).await.map(drop)
    }

    /// Frees the place of a token that has ended.
    pub(super) async fn delete(&self, id: &str) -> Result<(), ApiTokenError> {
        self.call(&Method::DELETE, &format!("{INDEX}/{id}?refresh=true"), None).await.map(drop)
    }

    /// Whether the engine accepts tokens at all; `None` if it does not say.
    pub(super) async fn accepts_tokens(&self) -> Result<Option<bool>, ApiTokenError> {
        let info: Value = self.call(&Method::GET, INFO, None).await?.json()?;
        Ok(info["api_tokens_enabled"].as_bool())
    }

    /// Has one node load its tokens and their permissions anew; it does so after the answer.
    pub(super) async fn reload(&self, node: &str) -> Result<(), ApiTokenError> {
        let base = self.base_of(node).ok_or(ApiTokenError::Request)?;
        let response =
            self.send(&self.admin, base, &Method::DELETE, CACHE, None, self.authorization.as_ref());
        judged(response.await?).map(drop)
    }

    /// What a node answers when the token asks for what every token may do.
    pub(super) async fn greet(&self, node: &str, token: &HeaderValue) -> Result<StatusCode, ApiTokenError> {
        let base = self.base_of(node).ok_or(ApiTokenError::Request)?;
        let response = self.send(&self.plain, base, &Method::GET, "/", None, Some(token)).await?;
        Ok(response.status)
    }

    fn base_of(&self, node: &str) -> Option<&str> {
        self.nodes.iter().find(|(name, _)| name == node).map(|(_, base)| base.as_str())
    }

    /// The answer of the first node that can be connected to. After that, the engine may have acted, so no other is asked.
    async fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<HttpResponse, ApiTokenError> {
        let first = self.first.load(Ordering::Relaxed);
        let mut last = ApiTokenError::Request;
        for offset in 0..self.nodes.len() {
            let at = (first + offset) % self.nodes.len();
            let base = &self.nodes[at].1;
            match self.send(&self.admin, base, method, path, body, self.authorization.as_ref()).await {
                Ok(response) => {
                    self.first.store(at, Ordering::Relaxed);
                    return judged(response);
                }
                Err(error) => {
                    let unsent = matches!(&error, ApiTokenError::Http(error)
                        if matches!(**error, HttpError::Connect { .. } | HttpError::Tls { .. }));
                    last = error;
                    if !unsent {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    async fn send(
        &self,
        client: &HttpClient,
        base: &str,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        authorization: Option<&HeaderValue>,
    ) -> Result<HttpResponse, ApiTokenError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(body).map_err(|_| ApiTokenError::Request)?;
        Ok(client.send(request).await?)
    }
}

fn node(url: &Url) -> (String, String) {
    let host = url.host_str().unwrap_or_default();
    // A default port is not part of a URL, nor of the name under which the node is known elsewhere.
    let name = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    (name, url.as_str().trim_end_matches('/').to_owned())
}

fn judged(response: HttpResponse) -> Result<HttpResponse, ApiTokenError> {
    if response.status.is_success() {
        return Ok(response);
    }
    let answer = response.json::<Value>().unwrap_or_default();
    let message = ["error", "message", "reason"]
        .iter()
        .find_map(|key| answer[key].as_str().or_else(|| answer["error"][key].as_str()))
        .unwrap_or("no reason given")
        .to_owned();
    Err(match response.status {
        StatusCode::TOO_MANY_REQUESTS => ApiTokenError::Full(message),
        // Since 3.9 the engine says so when it is asked for a token.
        StatusCode::FORBIDDEN if message.contains("not enabled") => ApiTokenError::Disabled,
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => ApiTokenError::Admin(status.as_u16()),
        status => ApiTokenError::Refused { status: status.as_u16(), message },
    })
}
