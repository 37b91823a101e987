use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// An OpenID Connect provider of discovery and keys only, with one RSA key that tests can sign anything with.
#[derive(Debug)]
pub struct StandInProvider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

struct State {
    key: EncodingKey,
    jwk: Value,
    fetches: usize,
    down: bool,
    introspection: Option<Value>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("fetches", &self.fetches).finish_non_exhaustive()
    }
}

fn new_key(kid: &str) -> (EncodingKey, Value) {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
    let public = key.public_key();
    let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let modulus = encoded(public.modulus().big_endian_without_leading_zero());
    let exponent = encoded(public.exponent().big_endian_without_leading_zero());
    let der = key.as_der().expect("the key can be encoded");
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        data_encoding::BASE64.encode(der.as_ref())
    );
    let encoding = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("the key can be used");
    (encoding, json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": modulus, "e": exponent}))
}

impl StandInProvider {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (key, jwk) = new_key("key-1");
        let state = Arc::new(Mutex::new(State { key, jwk, fetches: 0, down: false, introspection: None }));
        let serving = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let response = serve(&serving, address, &request);
                        async move { Ok::<_, Infallible>(response) }
                    });
                    // The proxy closes its connections as it likes.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state, accepting }
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the key by a new one with this id.
    pub fn rotate(&self, kid: &str) {
        let (key, jwk) = new_key(kid);
        let mut state = self.state.lock().expect("no test panicked here");
        state.key = key;
        state.jwk = jwk;
    }

    /// Answers everything with 503 while `down`.
    pub fn set_down(&self, down: bool) {
        self.state.lock().expect("no test panicked here").down = down;
    }

    /// Answers every question about a token so (RFC 7662), at `/introspect`.
    pub fn set_introspection(&self, answer: Value) {
        self.state.lock().expect("no test panicked here").introspection = Some(answer);
    }

    /// How often the keys were fetched.
    pub fn fetches(&self) -> usize {
        self.state.lock().expect("no test panicked here").fetches
    }

    /// The public key as PEM-less JWK.
    pub fn jwk(&self) -> Value {
        self.state.lock().expect("no test panicked here").jwk.clone()
    }

    /// A good token of these scopes for client `tester` and audience `opensearch-proxy`.
    pub fn token(&self, scope: &str) -> String {
        self.build_token().claim("scope", scope).sign()
    }

    /// A token to be made wrong in one way.
    pub fn build_token(&self) -> TokenBuilder<'_> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let claims = json!({
            "iss": self.issuer(),
            "aud": "opensearch-proxy",
            "sub": "tester-subject",
            "client_id": "tester",
            "iat": now,
            "exp": now + 600,
            "jti": "token-1",
        });
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = self.jwk()["kid"].as_str().map(ToOwned::to_owned);
        let claims = claims.as_object().cloned().unwrap_or_default();
        TokenBuilder { provider: self, header, claims }
    }
}

impl Drop for StandInProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A token in the making.
#[derive(Debug)]
pub struct TokenBuilder<'a> {
    provider: &'a StandInProvider,
    /// The JOSE header.
    pub header: Header,
    claims: Map<String, Value>,
}

impl TokenBuilder<'_> {
    /// Sets a claim; `null` removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.claims.remove(name),
            value => self.claims.insert(name.to_owned(), value),
        };
        self
    }

    /// Changes the JOSE header.
    #[must_use]
    pub fn header(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// The claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Signs it with the provider's key.
    pub fn sign(self) -> String {
        let state = self.provider.state.lock().expect("no test panicked here");
        jsonwebtoken::encode(&self.header, &self.claims, &state.key).expect("the token is signed")
    }
}

fn serve(state: &Mutex<State>, address: SocketAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut state = state.lock().expect("no test panicked here");
    let mut response = Response::new(Full::default());
    if state.down {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    }
    let document = match request.uri().path() {
        "/.well-known/openid-configuration" => {
            json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys")})
        }
        "/keys" => {
            state.fetches += 1;
            json!({"keys": [state.jwk]})
        }
        "/introspect" if state.introspection.is_some() => state.introspection.clone().unwrap_or_default(),
        _ => {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
    };
    *response.body_mut() = Full::from(document.to_string());
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
