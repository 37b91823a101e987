//! A proxy with clients of its own, which Keycloak knows as a client, and the requests of those.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use e2e::{Browser, Client, Page, Real, RealConfig, Reply, RunningProxy};
use http::{Method, StatusCode};
use oauth::CodeVerifier;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// What the proxy calls itself in the tests.
pub(crate) const PUBLIC_URL: &str = "https://localhost:8443";
/// A program on the web, with a secret.
pub(crate) const WEB: &str = "web-agent";
pub(crate) const WEB_SECRET: &str = "s3cret of the web";
pub(crate) const WEB_REDIRECT: &str = "https://agent.example/cb";
/// A program on the person's machine, and on devices.
pub(crate) const DESK: &str = "desk-agent";
pub(crate) const DESK_REDIRECT: &str = "http://127.0.0.1:51004/cb";
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(crate) const INDEX: &str = "/logs-*/_search?size=1";

static WORLDS: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    pub(crate) real: Real,
    config: RealConfig,
    /// The proxy's name at Keycloak.
    login_client: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with("embedded: {path: tokens.redb}").await
    }

    /// With another store.
    pub(crate) async fn start_with(store: &str) -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let login_client = format!("proxy-login-{}-{number}", std::process::id());
        let config = format!(
            "\
mappings:
  - {{group: sre, grant: {{scopes: [\"read:logs-*\", \"admin:tokens\"]}}}}
  - {{group: developers, grant: {{scopes: [\"read:logs-app-*\"]}}}}
tokens:
  store: {{{store}}}
  authorization:
    login: {{client_id: {login_client}, client_secret: \"literal:{login_client}-secret\"}}
    clients:
      - client_id: {WEB}
        name: Web <Agent>
        client_secret: \"literal:{WEB_SECRET}\"
        redirect_uris: [\"{WEB_REDIRECT}\"]
        scopes: [\"read:logs-*\", \"read:metrics-*\"]
      - client_id: {DESK}
        name: Desk Agent
        grants: [authorization_code, device_code]
        redirect_uris: [\"http://127.0.0.1/cb\"]
        scopes: [\"read:logs-*\"]
"
        );
        let config = RealConfig { extra: config, ..RealConfig::default() };
        let real = Real::start(&config).await;
        let client = json!({
            "clientId": login_client,
            "secret": format!("{login_client}-secret"),
            "protocol": "openid-connect",
            "publicClient": false,
            "standardFlowEnabled": true,
            "fullScopeAllowed": false,
            "redirectUris": [format!("{PUBLIC_URL}/oauth/callback")],
            "attributes": {"pkce.code.challenge.method": "S256"},
            "defaultClientScopes": ["basic", "opensearch-audience"],
        });
        let clients = "/realms/opensearch/clients";
        let (status, answer) =
            real.testbed.keycloak.admin(&Method::POST, clients, Some(&client)).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        Self { real, config, login_client }
    }

    /// A second proxy like the first.
    pub(crate) async fn another(&self) -> RunningProxy {
        self.real.another(&self.config).await
    }

    /// Takes the proxy's client at Keycloak away again.
    pub(crate) async fn end(self) {
        let keycloak = &self.real.testbed.keycloak;
        let clients = "/realms/opensearch/clients";
        let found = format!("{clients}?clientId={}", self.login_client);
        let (_, found) = keycloak.admin(&Method::GET, &found, None).await.unwrap();
        let path = format!("{clients}/{}", found[0]["id"].as_str().unwrap());
        let (status, _) = keycloak.admin(&Method::DELETE, &path, None).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT);
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::at(PUBLIC_URL, self.real.anonymous())
    }

    /// A request as some program sends it.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        Self::post_to(&self.real.anonymous(), path, fields).await
    }

    /// The same to another proxy.
    pub(crate) async fn post_to(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        client.send(Method::POST, path, &headers, Bytes::from(body)).await
    }

    /// What a person can do with their own token of Keycloak.
    pub(crate) async fn as_person(&self, user: &str) -> Client {
        let token = self.real.testbed.keycloak.user_token(user, "").await.unwrap();
        self.real.anonymous().with_token(token)
    }

    /// The status of a search with a token, and the reason code if it is refused.
    pub(crate) async fn search(&self, token: &str, path: &str) -> (u16, String) {
        let reply = self.real.anonymous().with_token(token).get(path).await;
        let code = if reply.status.is_success() { String::new() } else { reply.code() };
        (reply.status.as_u16(), code)
    }

    /// A code that this user agreed to give the program on the web, and what goes with it.
    pub(crate) async fn code(&self, asking: &Asking, user: &str) -> String {
        let mut browser = self.browser();
        let page = browser.log_in(&asking.address(), user).await;
        let back = browser.submit(&page, &[("decision", "allow")]).await;
        back.parameter("code").unwrap_or_else(|| panic!("{} {}", back.address, back.html))
    }
}

/// A request of a client for a code.
pub(crate) struct Asking {
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) verifier: CodeVerifier,
}

impl Asking {
    /// A good one.
    pub(crate) fn new(client: &str, redirect_uri: &str, scope: &str) -> Self {
        let verifier = CodeVerifier::generate().unwrap();
        let challenge = verifier.challenge();
        let parameters = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", "state of the client"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { parameters, verifier }
    }

    pub(crate) fn web(scope: &str) -> Self {
        Self::new(WEB, WEB_REDIRECT, scope)
    }

    pub(crate) fn desk(scope: &str) -> Self {
        Self::new(DESK, DESK_REDIRECT, scope)
    }

    /// With one parameter changed, added, or, where nothing is given, left out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.parameters.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn path(&self) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish();
        format!("/oauth/authorize?{query}")
    }

    pub(crate) fn address(&self) -> String {
        format!("{PUBLIC_URL}{}", self.path())
    }

    /// What is sent for the token of a code.
    pub(crate) fn redemption<'a>(&'a self, code: &'a str) -> Vec<(&'a str, &'a str)> {
        let parameter = |wanted: &str| {
            let found = self.parameters.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let client = parameter("client_id");
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", client),
            ("redirect_uri", parameter("redirect_uri")),
            ("code_verifier", self.verifier.expose()),
        ];
        fields.extend((client == WEB).then_some(("client_secret", WEB_SECRET)));
        fields
    }
}

/// Secret and id of an issued token.
#[track_caller]
pub(crate) fn issued(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let answer = reply.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("token_id"))
}

/// The error that a client is told, by the redirect or by the token endpoint.
pub(crate) fn error_of(reply: &Reply) -> String {
    reply.json()["error"].as_str().unwrap_or_default().to_owned()
}

/// The parameters that went to the client.
#[track_caller]
pub(crate) fn sent_back(page: &Page, redirect_uri: &str) -> Value {
    let address = page.address.as_str();
    assert!(address.starts_with(&format!("{redirect_uri}?")), "{address}: {}", page.html);
    sent_back_to(&page.address)
}

/// The parameters of the address at the client that a browser was sent to.
pub(crate) fn sent_back_to(address: &Url) -> Value {
    Value::Object(address.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect())
}
