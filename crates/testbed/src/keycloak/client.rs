//! How tests reach the identity provider.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transport::{HttpClient, HttpResponse, TlsOptions, client_secret_basic};
use url::Url;

use crate::{ProcessId, Result, TestbedError};

const TIMEOUT: Duration = Duration::from_mins(1);
const MAX_BODY: usize = 8 << 20;
/// The proxy as Keycloak knows it.
const AUDIENCE: &str = "opensearch-proxy";
/// The client at which users log in by password: it exists for tests only.
const LOGIN_CLIENT: &str = "test-login";

/// How to reach a running Keycloak. Clients of the realm have the secret `ID-secret`, users the password
/// `NAME-password`.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeycloakInfo {
    /// Version of Keycloak.
    pub version: String,
    /// Its address: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The issuer of the realm `opensearch`.
    pub issuer: String,
    /// The issuer of the realm `other`, with the same clients: its tokens must be refused.
    pub foreign_issuer: String,
    /// The administrator of all realms.
    pub admin_user: String,
    /// The password of the administrator.
    pub admin_password: String,
    /// Its output.
    pub console_log: PathBuf,
    /// Its process.
    pub process: ProcessId,
}

impl std::fmt::Debug for KeycloakInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeycloakInfo")
            .field("version", &self.version)
            .field("url", &self.url)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl KeycloakInfo {
    /// The secret of the confidential client `client`.
    pub fn secret(client: &str) -> String {
        format!("{client}-secret")
    }

    /// An access token of the realm `opensearch` by client credentials (RFC 6749 section 4.4). `scope` may be empty.
    pub async fn token(&self, client: &str, scope: &str) -> Result<String> {
        self.token_of(&self.issuer, client, scope).await
    }

    /// As [`token`](Self::token), of another issuer, such as [`foreign_issuer`](Self::foreign_issuer).
    pub async fn token_of(&self, issuer: &str, client: &str, scope: &str) -> Result<String> {
        let mut fields = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            fields.push(("scope", scope));
        }
        self.access_token(issuer, client, &fields).await
    }

    /// An access token for a user, by her password: `alice` of the group `sre`, or `bob` of `developers`.
    pub async fn user_token(&self, user: &str, scope: &str) -> Result<String> {
        let password = format!("{user}-password");
        let mut fields = vec![("grant_type", "password"), ("username", user), ("password", &password)];
        if !scope.is_empty() {
            fields.push(("scope", scope));
        }
        self.access_token(&self.issuer, LOGIN_CLIENT, &fields).await
    }

    /// Posts a form to the token endpoint of `issuer` as `client`: the status and the answer.
    pub async fn token_endpoint(
        &self,
        issuer: &str,
        client: &str,
        fields: &[(&str, &str)],
    ) -> Result<(StatusCode, Value)> {
        let url = parse(&format!("{issuer}/protocol/openid-connect/token"))?;
        let authorization = client_secret_basic(client, &Self::secret(client));
        let response = http()?.post_form(&url, fields, Some(&authorization)).await?;
        Ok((response.status, json(&response)))
    }

    /// What the introspection endpoint says of `token` (RFC 7662), asked by the client `opensearch-proxy`: Keycloak
    /// tells only a client that is in the audience of the token.
    pub async fn introspect(&self, token: &str) -> Result<Value> {
        let url = parse(&format!("{}/protocol/openid-connect/token/introspect", self.issuer))?;
        let authorization = client_secret_basic(AUDIENCE, &Self::secret(AUDIENCE));
        let response = http()?.post_form(&url, &[("token", token)], Some(&authorization)).await?;
        success("POST", &url, &response)
    }

    /// A call of the administration API: the status and the answer. `path` is that after `/admin`.
    pub async fn admin(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value)> {
        let http = http()?;
        let url = parse(&format!("{}/realms/master/protocol/openid-connect/token", self.url))?;
        let fields = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", self.admin_user.as_str()),
            ("password", self.admin_password.as_str()),
        ];
        let answer = success("POST", &url, &http.post_form(&url, &fields, None).await?)?;
        let token = answer["access_token"].as_str().unwrap_or_default();
        let address = format!("{}/admin{path}", self.url);
        let mut request = Request::builder()
            .method(method)
            .uri(&address)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let response = http.send(request.body(body).map_err(|_| TestbedError::Address(address))?).await?;
        Ok((response.status, json(&response)))
    }

    async fn access_token(&self, issuer: &str, client: &str, fields: &[(&str, &str)]) -> Result<String> {
        let (status, answer) = self.token_endpoint(issuer, client, fields).await?;
        match answer.get("access_token").and_then(Value::as_str) {
            Some(token) if status.is_success() => Ok(token.to_owned()),
            _ => Err(TestbedError::Answer {
                call: format!("POST {issuer}/protocol/openid-connect/token (client {client})"),
                status: status.as_u16(),
                body: answer.to_string(),
            }),
        }
    }

    /// Whether it serves requests; if not, what it answered instead.
    pub(crate) async fn is_ready(&self) -> std::result::Result<(), String> {
        for issuer in [&self.issuer, &self.foreign_issuer] {
            let url = format!("{issuer}/.well-known/openid-configuration");
            let found =
                async { Ok::<_, TestbedError>(http()?.get(&parse(&url)?, "application/json").await?.status) };
            match found.await {
                Ok(StatusCode::OK) => {}
                Ok(status) => return Err(format!("{url} is answered with {status}")),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            version: "26.7.3".to_owned(),
            url: "http://127.0.0.1:18180".to_owned(),
            issuer: "http://127.0.0.1:18180/realms/opensearch".to_owned(),
            foreign_issuer: "http://127.0.0.1:18180/realms/other".to_owned(),
            admin_user: "admin".to_owned(),
            admin_password: "example-password".to_owned(),
            console_log: PathBuf::from("/nowhere/console.log"),
            process: ProcessId { pid: u32::MAX, started: 0 },
        }
    }
}

fn http() -> Result<HttpClient> {
    Ok(HttpClient::new(&TlsOptions::default(), None, TIMEOUT, MAX_BODY)?)
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|_| TestbedError::Address(url.to_owned()))
}

fn json(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&response.body).into_owned()))
}

fn success(method: &str, url: &Url, response: &HttpResponse) -> Result<Value> {
    let answer = json(response);
    if response.status.is_success() {
        return Ok(answer);
    }
    Err(TestbedError::Answer {
        call: format!("{method} {url}"),
        status: response.status.as_u16(),
        body: answer.to_string(),
    })
}
