//! A stand-in for an identity provider: serves discovery, keys and introspection on loopback and counts who asks.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use oidc::{
    BearerToken, Identity, IntrospectionConfig, ManualClock, ProviderConfig, ProviderStatus, Providers,
    TokenError,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::keys::TestKey;

/// The moment at which the tests' clocks start.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const AUDIENCE: &str = "https://search.example";
pub(crate) const CLIENT: (&str, &str) = ("proxy", "s3cret");

/// A request to the token endpoint: `Authorization` and form.
pub(crate) type TokenCall = (Option<HeaderValue>, Vec<(String, String)>);

/// What the stand-in answers; tests change it between calls.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) keys: Vec<Value>,
    /// Members that replace those of the discovery document.
    pub(crate) discovery: HashMap<String, Value>,
    /// Where the discovery document is: by default where OIDC puts it.
    pub(crate) oauth_well_known_only: bool,
    pub(crate) jwks_headers: Vec<(&'static str, String)>,
    /// Instead of any answer.
    pub(crate) status: Option<StatusCode>,
    /// Instead of the discovery document.
    pub(crate) discovery_status: Option<StatusCode>,
    /// Instead of the JWK Set.
    pub(crate) jwks_body: Option<Vec<u8>>,
    /// Introspection responses by token; others are inactive.
    pub(crate) tokens: HashMap<String, Value>,
    /// The answer of the token endpoint.
    pub(crate) token: Option<(StatusCode, Value)>,
    /// The last request to it: `Authorization` and form.
    pub(crate) token_request: Option<TokenCall>,
    /// Requests so far, by path.
    pub(crate) asked: HashMap<String, usize>,
}

pub(crate) struct StandIn {
    pub(crate) issuer: String,
    answers: Arc<Mutex<Answers>>,
    gates: Gates,
}

/// Answers wait for a permit and give it back.
#[derive(Clone)]
struct Gates {
    all: Arc<Semaphore>,
    discovery: Arc<Semaphore>,
}

impl StandIn {
    /// Starts with these keys published; the issuer has a path, as realms have.
    pub(crate) async fn start(keys: &[&TestKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let issuer = format!("{base}/realms/test");
        let answers = Arc::new(Mutex::new(Answers::default()));
        let gates = Gates { all: Arc::new(Semaphore::new(1)), discovery: Arc::new(Semaphore::new(1)) };
        let stand_in = Self { issuer: issuer.clone(), answers: Arc::clone(&answers), gates: gates.clone() };
        stand_in.publish(keys);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, gates, issuer) = (Arc::clone(&answers), gates.clone(), issuer.clone());
                let service = service_fn(move |request| {
                    let (answers, gates, issuer) = (Arc::clone(&answers), gates.clone(), issuer.clone());
                    async move {
                        let request = received(request).await;
                        *answers.lock().unwrap().asked.entry(request.uri().path().to_owned()).or_default() +=
                            1;
                        let gate = if request.uri().path().contains("/.well-known/") {
                            &gates.discovery
                        } else {
                            &gates.all
                        };
                        let _open = gate.acquire().await.unwrap();
                        Ok::<_, Infallible>(answer(&mut answers.lock().unwrap(), &issuer, &request))
                    }
                });
                tokio::spawn(async move {
                    let connection = auto::Builder::new(TokioExecutor::new());
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        stand_in
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    pub(crate) fn publish(&self, keys: &[&TestKey]) {
        self.change(|answers| answers.keys = keys.iter().map(|key| key.jwk.clone()).collect());
    }

    /// How often the keys were asked for.
    pub(crate) fn jwks_requests(&self) -> usize {
        self.requests("/realms/test/keys")
    }

    pub(crate) fn introspections(&self) -> usize {
        self.requests("/realms/test/introspect")
    }

    pub(crate) fn requests(&self, path: &str) -> usize {
        self.answers.lock().unwrap().asked.get(path).copied().unwrap_or(0)
    }

    /// The last request to the token endpoint: `Authorization` and form.
    pub(crate) fn token_request(&self) -> TokenCall {
        self.answers.lock().unwrap().token_request.clone().unwrap()
    }

    /// How often the discovery document was asked for.
    pub(crate) fn discoveries(&self) -> usize {
        self.requests("/realms/test/.well-known/openid-configuration")
    }

    /// Holds discovery documents back until the result is dropped.
    pub(crate) async fn hold_discovery(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.gates.discovery).acquire_owned().await.unwrap()
    }

    /// Holds all other answers back until the result is dropped.
    pub(crate) async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.gates.all).acquire_owned().await.unwrap()
    }

    /// The default configuration for this issuer.
    pub(crate) fn config(&self) -> ProviderConfig {
        ProviderConfig::new("stand-in", &self.issuer, vec![AUDIENCE.to_owned()])
    }

    pub(crate) fn config_with_introspection(&self) -> ProviderConfig {
        let secret = SecretString::from(CLIENT.1);
        ProviderConfig { introspection: Some(IntrospectionConfig::new(CLIENT.0, secret)), ..self.config() }
    }

    /// Claims of a good token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": "alice", "client_id": "agent", "scope": "read:logs-*",
            "iat": NOW - 10, "exp": NOW + 300, "jti": "t1",
        })
    }
}

/// Providers of one configuration with a clock to move, their documents fetched.
pub(crate) struct Bench {
    pub(crate) providers: Arc<Providers>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bench {
    pub(crate) async fn new(configs: Vec<ProviderConfig>) -> Self {
        let bench = Self::unfetched(configs);
        bench.providers.prefetch().await;
        bench
    }

    pub(crate) fn unfetched(configs: Vec<ProviderConfig>) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let shared: Arc<dyn oidc::Clock> = Arc::<ManualClock>::clone(&clock);
        Self { providers: Arc::new(Providers::with_clock(configs, &shared).unwrap()), clock }
    }

    pub(crate) async fn authenticate(&self, token: &str) -> Result<Identity, TokenError> {
        self.providers.authenticate(&BearerToken::new(token.as_bytes(), 1 << 20).unwrap()).await
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn status(&self) -> ProviderStatus {
        self.providers.status().remove(0)
    }

    /// Waits until the first provider is as wanted; fails if it never is.
    pub(crate) async fn until(&self, wanted: impl Fn(&ProviderStatus) -> bool) {
        self.until_true(|| wanted(&self.status())).await;
    }

    /// Waits until something is as wanted; fails if it never is.
    pub(crate) async fn until_true(&self, wanted: impl Fn() -> bool) {
        let reached = async {
            while !wanted() {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_mins(1), reached).await.is_ok(),
            "never reached: {:?}",
            self.status()
        );
    }
}

async fn received(request: Request<Incoming>) -> Request<Bytes> {
    let (head, body) = request.into_parts();
    Request::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn answer(answers: &mut Answers, issuer: &str, request: &Request<Bytes>) -> Response<Full<Bytes>> {
    if let Some(status) = answers.status {
        let response = Response::builder().status(status).header(header::LOCATION, "/realms/test/keys");
        return response.body(Full::default()).unwrap();
    }
    let json = |value: Value| Response::new(Full::from(value.to_string()));
    let discovery = || {
        let mut document = json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/keys"),
            "introspection_endpoint": format!("{issuer}/introspect"),
        });
        for (name, value) in &answers.discovery {
            document[name] = value.clone();
        }
        json(document)
    };
    if let Some(refusal) = answers.discovery_status.filter(|_| request.uri().path().contains("/.well-known/"))
    {
        return status(refusal);
    }
    match request.uri().path() {
        "/realms/test/.well-known/openid-configuration" if !answers.oauth_well_known_only => discovery(),
        "/.well-known/oauth-authorization-server/realms/test" if answers.oauth_well_known_only => discovery(),
        "/realms/test/keys" | "/realms/test/moved/keys" => {
            let body = answers.jwks_body.clone();
            let mut response = body.map_or_else(
                || json(json!({ "keys": answers.keys })),
                |body| Response::new(Full::from(body)),
            );
            for (name, value) in &answers.jwks_headers {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        }
        "/realms/test/token" => {
            let fields = url::form_urlencoded::parse(request.body()).into_owned().collect();
            let authorization = request.headers().get(header::AUTHORIZATION).cloned();
            answers.token_request = Some((authorization, fields));
            let (code, body) = answers.token.clone().unwrap_or((StatusCode::NOT_FOUND, Value::Null));
            let mut response = json(body);
            *response.status_mut() = code;
            response
        }
        "/realms/test/introspect" => {
            let credentials =
                format!("Basic {}", BASE64.encode(format!("{}:{}", CLIENT.0, CLIENT.1).as_bytes()));
            let authorized =
                request.headers().get(header::AUTHORIZATION).is_some_and(|value| *value == credentials);
            let fields: HashMap<_, _> = url::form_urlencoded::parse(request.body()).into_owned().collect();
            match fields.get("token") {
                Some(token) if authorized => {
                    json(answers.tokens.get(token).cloned().unwrap_or_else(|| json!({ "active": false })))
                }
                _ => status(StatusCode::UNAUTHORIZED),
            }
        }
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
