//! What Dashboards does with a request before a route of its own sees it, and a few of those routes.

mod saved_objects;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use transport::{HttpClient, TlsOptions};

use super::SeenRequest;

const VERSION: &str = "3.4.0";
const SESSION: &str = "security_authentication";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROXY_USER: HeaderName = HeaderName::from_static("x-proxy-user");
const PROXY_ROLES: HeaderName = HeaderName::from_static("x-proxy-roles");
const TENANT: HeaderName = HeaderName::from_static("securitytenant");

/// How a stand-in Dashboards is configured.
#[derive(Clone, Debug)]
pub struct DashboardsOptions {
    /// The engine's URL, a real engine's or a stand-in's.
    pub engine: String,
    /// The CA of the engine.
    pub ca: Option<PathBuf>,
    /// `server.basePath`, with `server.rewriteBasePath: true`.
    pub base_path: String,
    /// `opensearch.requestHeadersAllowlist`.
    pub allowed_headers: Vec<HeaderName>,
    /// `opensearchDashboards.index`, where saved objects are.
    pub index: String,
    /// `opensearch_security.auth.type: proxy` instead of basic authentication.
    pub proxy_authentication: bool,
}

impl DashboardsOptions {
    /// The allowlist that documentation asks for, and no base path.
    pub fn new(engine: impl Into<String>) -> Self {
        Self {
            engine: engine.into(),
            ca: None,
            base_path: String::new(),
            allowed_headers: vec![header::AUTHORIZATION, TENANT],
            index: ".kibana".to_owned(),
            proxy_authentication: false,
        }
    }

    /// Authentication by the headers of a proxy in front.
    #[must_use]
    pub fn with_proxy_authentication(mut self) -> Self {
        self.allowed_headers.extend([FORWARDED_FOR, PROXY_USER, PROXY_ROLES]);
        self.proxy_authentication = true;
        self
    }
}

/// An HTTP server in the place of OpenSearch Dashboards with its security plugin. Authentication by any `Authorization`
/// header (or by those of a proxy), asked of the engine; a session cookie in every answer, which works without that header; `osd-xsrf`; tenants;
/// base path; workspaces in paths; saved objects kept in an index of the engine, as the caller. It has no pages to speak of.
#[derive(Debug)]
pub struct StandInDashboards {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    options: DashboardsOptions,
    client: HttpClient,
    seen: Mutex<Vec<SeenRequest>>,
    /// By cookie value: the headers that the session stands for.
    sessions: Mutex<HashMap<String, HeaderMap>>,
}

/// A request that has been authenticated.
struct Call<'a> {
    shared: &'a Shared,
    method: Method,
    /// Without base path and workspace.
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    workspace: Option<String>,
    /// What goes to the engine with every request.
    credentials: HeaderMap,
    /// The tenants of the caller, by what the engine says.
    tenants: Value,
}

type Answer = Response<Full<Bytes>>;

impl StandInDashboards {
    /// Listens on a free port.
    pub async fn start(options: DashboardsOptions) -> Self {
        transport::install_crypto_provider();
        let tls = TlsOptions { ca: options.ca.clone(), ..TlsOptions::default() };
        let client =
            HttpClient::new(&tls, None, Duration::from_secs(60), 16 << 20).expect("the CA is usable");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { options, client, seen: Mutex::default(), sessions: Mutex::default() });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                connections.spawn(async move {
                    let service = service_fn(move |request| serve(Arc::clone(&serving), request));
                    // Clients close their connections as they like.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, shared, accepting }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far but health checks.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.shared.seen.lock().expect("no test panicked here").clone()
    }

    /// The last request.
    pub fn last(&self) -> SeenRequest {
        self.seen().pop().expect("a request reached Dashboards")
    }

    /// A session cookie that it gave out, as a client would send it.
    pub fn a_session(&self) -> Option<String> {
        let sessions = self.shared.sessions.lock().expect("no test panicked here");
        sessions.keys().next().map(|value| format!("{SESSION}={value}"))
    }
}

impl Drop for StandInDashboards {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let method = request.method().clone();
    let seen = SeenRequest::collect(request).await;
    let target = seen.target.clone();
    let is_check = target.ends_with("/api/status")
        && !seen.headers.contains_key(header::AUTHORIZATION)
        && !seen.headers.contains_key(PROXY_USER);
    if !is_check {
        shared.seen.lock().expect("no test panicked here").push(seen.clone());
    }
    if !seen.whole {
        return Ok(error(StatusCode::BAD_REQUEST, "the payload broke off"));
    }
    Ok(answer(&shared, method, &target, seen).await)
}

async fn answer(shared: &Shared, method: Method, target: &str, seen: SeenRequest) -> Answer {
    let base = shared.options.base_path.as_str();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return error(StatusCode::NOT_FOUND, "Not Found");
    };
    let (workspace, path) = workspace(path);
    let (credentials, tenants) = match authenticate(shared, &seen.headers).await {
        Ok(caller) => caller,
        Err(_) if method == Method::GET && (path == "/" || path.starts_with("/app/")) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::FOUND;
            let location = format!("{base}/app/login?nextUrl={path}");
            let location = HeaderValue::try_from(location).expect("a path is a header value");
            response.headers_mut().insert(header::LOCATION, location);
            return response;
        }
        Err(message) => return error(StatusCode::UNAUTHORIZED, &message),
    };
    let mut call = Call {
        shared,
        method,
        path,
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: seen.headers,
        body: seen.body,
        workspace,
        credentials,
        tenants,
    };
    call.choose_tenant();
    let session = call.new_session();
    let mut response = match call.xsrf() {
        None => call.route().await,
        Some(refused) => refused,
    };
    response.headers_mut().append(header::SET_COOKIE, session);
    response
}

/// Who asks: the headers that stand for the caller at the engine, which judged them, and the caller's tenants.
async fn authenticate(shared: &Shared, headers: &HeaderMap) -> Result<(HeaderMap, Value), String> {
    let allowed = || {
        let mut kept = HeaderMap::new();
        for name in &shared.options.allowed_headers {
            for value in headers.get_all(name) {
                kept.append(name.clone(), value.clone());
            }
        }
        kept
    };
    let says_who = if shared.options.proxy_authentication {
        headers.contains_key(FORWARDED_FOR) && headers.contains_key(PROXY_USER)
    } else {
        headers.contains_key(header::AUTHORIZATION)
    };
    if says_who {
        let credentials = allowed();
        let reply = engine(shared, &credentials, Method::GET, "/_plugins/_security/authinfo", None).await;
        return match reply {
            (status, info) if status.is_success() => {
                let info: Value = serde_json::from_slice(&info).unwrap_or_default();
                Ok((credentials, info["tenants"].clone()))
            }
            // No cookie stands in for a header that the engine does not accept.
            (_, _) => Err("Authentication Exception".to_owned()),
        };
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let session = cookies
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(SESSION)?.strip_prefix('=').map(str::to_owned));
    let sessions = shared.sessions.lock().expect("no test panicked here");
    let credentials = session.and_then(|value| sessions.get(&value).cloned());
    credentials.map(|credentials| (credentials, Value::Null)).ok_or_else(|| "Unauthorized".to_owned())
}

/// `/w/<id>/…` is taken apart before routing.
fn workspace(path: &str) -> (Option<String>, String) {
    let rest = path.strip_prefix("/w/").and_then(|rest| rest.split_once('/'));
    match rest {
        Some((id, rest)) => (Some(id.to_owned()), format!("/{rest}")),
        None => (None, path.to_owned()),
    }
}

async fn engine(
    shared: &Shared,
    credentials: &HeaderMap,
    method: Method,
    path: &str,
    body: Option<(&str, Bytes)>,
) -> (StatusCode, Bytes) {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", shared.options.engine));
    let body = body.map(|(media, body)| {
        let headers = request.headers_mut().expect("the request is well-formed so far");
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type"));
        body
    });
    let mut request = request.body(body.unwrap_or_default()).expect("the request is well-formed");
    request.headers_mut().extend(credentials.clone());
    let response = shared.client.send(request).await.expect("the engine answers");
    (response.status, response.body)
}

impl Call<'_> {
    /// The names in a query come before the header. A tenant that the caller lacks is silently replaced by the global one.
    fn choose_tenant(&mut self) {
        let named = ["securityTenant_", "securitytenant", "security_tenant"];
        let in_query = named.iter().find_map(|name| self.parameter(name)).map(str::to_owned);
        let in_header = self.credentials.get(TENANT).and_then(|value| value.to_str().ok());
        let Some(tenant) = in_query.or_else(|| in_header.map(str::to_owned)) else { return };
        let resolved = match tenant.as_str() {
            "" | "global" | "Global" => "",
            "private" | "__user__" => "__user__",
            // A stand-in engine says nothing of tenants.
            name if self.tenants.as_object().is_none_or(|tenants| tenants.contains_key(name)) => name,
            _ => "",
        };
        let resolved = HeaderValue::try_from(resolved).expect("tests name tenants in ASCII");
        self.credentials.insert(TENANT, resolved);
    }

    /// The credential is put into a cookie that works without it.
    fn new_session(&self) -> HeaderValue {
        let mut sessions = self.shared.sessions.lock().expect("no test panicked here");
        let value = format!("Fe26.2**{}", sessions.len() + 1);
        sessions.insert(value.clone(), self.credentials.clone());
        let path =
            if self.shared.options.base_path.is_empty() { "/" } else { &self.shared.options.base_path };
        HeaderValue::try_from(format!("{SESSION}={value}; HttpOnly; Path={path}")).expect("a header value")
    }

    /// The refusal of a request that a page of another site could have sent.
    fn xsrf(&self) -> Option<Answer> {
        if matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return None;
        }
        match (self.headers.get("osd-version"), self.headers.get("osd-xsrf")) {
            (Some(version), _) if version != VERSION => {
                Some(error(StatusCode::BAD_REQUEST, "Browser client is out of date, please refresh the page"))
            }
            (None, None) => Some(error(StatusCode::BAD_REQUEST, "Request must contain a osd-xsrf header.")),
            _ => None,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn parameters(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    async fn engine(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let (status, bytes) = engine(self.shared, &self.credentials, method, path, body).await;
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn route(&self) -> Answer {
        let segments: Vec<&str> = self.path.split('/').skip(1).collect();
        match (self.method.as_str(), segments.as_slice()) {
            ("GET", ["api", "status"]) => {
                ok(&json!({"name": "stand-in", "version": {"number": VERSION}, "status": {}}))
            }
            ("POST", ["api", "console", "proxy"]) => self.console().await,
            ("POST", ["internal", "search", "opensearch"]) => self.search().await,
            (_, ["api", "saved_objects", rest @ ..]) => saved_objects::route(self, rest).await,
            ("GET", ["app", ..]) => Response::new(Full::from("<!DOCTYPE html>")),
            ("GET", [""]) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::FOUND;
                let location = format!("{}/app/home", self.shared.options.base_path);
                let location = HeaderValue::try_from(location).expect("a path is a header value");
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            _ => error(StatusCode::NOT_FOUND, "Not Found"),
        }
    }

    /// An arbitrary call of the engine.
    async fn console(&self) -> Answer {
        let (Some(path), Some(method)) = (self.parameter("path"), self.parameter("method")) else {
            return error(StatusCode::BAD_REQUEST, "[request query.method]: expected value of type [string]");
        };
        let Ok(method) = method.parse::<Method>() else {
            return error(StatusCode::BAD_REQUEST, "[request query.method]: unknown");
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let body = (!self.body.is_empty()).then(|| ("application/json", self.body.clone()));
        let (status, bytes) = engine(self.shared, &self.credentials, method, &path, body).await;
        let mut response = Response::new(Full::from(bytes));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        response
    }

    /// What discover and visualisations search by.
    async fn search(&self) -> Answer {
        let asked: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let index = asked["params"]["index"].as_str().unwrap_or("_all");
        let query = asked["params"]["body"].clone();
        match self.engine(Method::POST, &format!("/{index}/_search"), Some(query)).await {
            (status, found) if status.is_success() => ok(&json!({"rawResponse": found, "isRunning": false})),
            (status, found) => error(status, &reason(&found)),
        }
    }
}

/// The engine's reason in words.
fn reason(answer: &Value) -> String {
    answer["error"]["reason"].as_str().unwrap_or("the engine refused").to_owned()
}

fn ok(body: &Value) -> Answer {
    json_answer(StatusCode::OK, body)
}

/// An error in the form that hapi gives it.
fn error(status: StatusCode, message: &str) -> Answer {
    let name = status.canonical_reason().unwrap_or_default();
    json_answer(status, &json!({"statusCode": status.as_u16(), "error": name, "message": message}))
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert("osd-name", HeaderValue::from_static("stand-in"));
    response
}
