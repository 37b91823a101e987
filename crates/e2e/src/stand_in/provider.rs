use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
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
use http_body_util::{BodyExt as _, Collected, Full};
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
    /// Published beside it: keys that sign nothing any more.
    retired: Vec<Value>,
    public_key: String,
    fetches: usize,
    down: bool,
    introspection: Option<Value>,
    /// Client ids with their secrets and the scopes they may have.
    clients: HashMap<String, (String, Vec<String>)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("fetches", &self.fetches).finish_non_exhaustive()
    }
}

fn new_key(kid: &str) -> (EncodingKey, Value, String) {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
    let public = key.public_key();
    let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let modulus = encoded(public.modulus().big_endian_without_leading_zero());
    let exponent = encoded(public.exponent().big_endian_without_leading_zero());
    let der = key.as_der().expect("the key can be encoded");
    let encoding =
        EncodingKey::from_rsa_pem(pem("PRIVATE KEY", der.as_ref()).as_bytes()).expect("the key can be used");
    let public_der = public.as_der().expect("the key can be encoded");
    let jwk = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": modulus, "e": exponent});
    (encoding, jwk, pem("PUBLIC KEY", public_der.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl StandInProvider {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (key, jwk, public_key) = new_key("key-1");
        let state = Arc::new(Mutex::new(State {
            key,
            jwk,
            retired: Vec::new(),
            public_key,
            fetches: 0,
            down: false,
            introspection: None,
            clients: HashMap::new(),
        }));
        let serving = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let serving = Arc::clone(&serving);
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
                            let request = Request::from_parts(head, body);
                            Ok::<_, Infallible>(serve(&serving, address, &request))
                        }
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

    /// Replaces the key by a new one with this id; no other is published any more.
    pub fn rotate(&self, kid: &str) {
        self.replace_key(kid).retired.clear();
    }

    /// Signs with a new key with this id, and goes on publishing those before it.
    pub fn rotate_keeping(&self, kid: &str) {
        drop(self.replace_key(kid));
    }

    fn replace_key(&self, kid: &str) -> MutexGuard<'_, State> {
        let (key, jwk, public_key) = new_key(kid);
        let mut state = self.state.lock().expect("no test panicked here");
        let before = std::mem::replace(&mut state.jwk, jwk);
        state.retired.push(before);
        state.key = key;
        state.public_key = public_key;
        state
    }

    /// Answers everything with 503 while `down`.
    pub fn set_down(&self, down: bool) {
        self.state.lock().expect("no test panicked here").down = down;
    }

    /// Answers every question about a token so (RFC 7662), at `/introspect`.
    pub fn set_introspection(&self, answer: Value) {
        self.state.lock().expect("no test panicked here").introspection = Some(answer);
    }

    /// Gives this client tokens of these scopes at `/token`, for its secret (RFC 6749 section 4.4); without a scope asked, all.
    pub fn add_client(&self, id: &str, secret: &str, scopes: &[&str]) {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let mut state = self.state.lock().expect("no test panicked here");
        state.clients.insert(id.to_owned(), (secret.to_owned(), scopes));
    }

    /// How often the keys were fetched.
    pub fn fetches(&self) -> usize {
        self.state.lock().expect("no test panicked here").fetches
    }

    /// The public key as PEM-less JWK.
    pub fn jwk(&self) -> Value {
        self.state.lock().expect("no test panicked here").jwk.clone()
    }

    /// The public key in PEM, as `SubjectPublicKeyInfo`.
    pub fn public_key(&self) -> String {
        self.state.lock().expect("no test panicked here").public_key.clone()
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

fn serve(state: &Mutex<State>, address: SocketAddr, request: &Request<Bytes>) -> Response<Full<Bytes>> {
    let mut state = state.lock().expect("no test panicked here");
    let mut response = Response::new(Full::default());
    if state.down {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    }
    let document = match request.uri().path() {
        "/.well-known/openid-configuration" => {
            let url = |path: &str| format!("http://{address}{path}");
            json!({"issuer": url(""), "jwks_uri": url("/keys"), "token_endpoint": url("/token")})
        }
        "/keys" => {
            state.fetches += 1;
            let keys: Vec<&Value> = std::iter::once(&state.jwk).chain(&state.retired).collect();
            json!({"keys": keys})
        }
        "/introspect" if state.introspection.is_some() => state.introspection.clone().unwrap_or_default(),
        "/token" => match issue(&state, address, request) {
            Ok(answer) => answer,
            Err((status, error)) => {
                *response.status_mut() = status;
                json!({"error": error, "error_description": "in the words of the provider"})
            }
        },
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

/// The token endpoint: client credentials by Basic or in the form.
fn issue(
    state: &State,
    address: SocketAddr,
    request: &Request<Bytes>,
) -> Result<Value, (StatusCode, &'static str)> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != "client_credentials" {
        return Err((StatusCode::BAD_REQUEST, "unsupported_grant_type"));
    }
    let known = state.clients.iter().find(|(id, (secret, _))| {
        let basic = request.headers().get(http::header::AUTHORIZATION);
        match basic {
            Some(basic) => *basic == transport::client_secret_basic(id, secret),
            None => field("client_id") == id.as_str() && field("client_secret") == secret.as_str(),
        }
    });
    let (id, (_, scopes)) = known.ok_or((StatusCode::UNAUTHORIZED, "invalid_client"))?;
    let asked: Vec<&str> = field("scope").split(' ').filter(|scope| !scope.is_empty()).collect();
    if asked.iter().any(|asked| !scopes.iter().any(|scope| scope == asked)) {
        return Err((StatusCode::BAD_REQUEST, "invalid_scope"));
    }
    let scope = if asked.is_empty() { scopes.join(" ") } else { asked.join(" ") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let mut header = Header::new(Algorithm::RS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = state.jwk["kid"].as_str().map(ToOwned::to_owned);
    let claims = json!({
        "iss": format!("http://{address}"), "aud": "opensearch-proxy", "sub": id, "client_id": id,
        "scope": scope, "iat": now, "exp": now + 600, "jti": format!("of-{id}-{now}"),
    });
    let token = jsonwebtoken::encode(&header, &claims, &state.key).expect("the token is signed");
    Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": 600}))
}
