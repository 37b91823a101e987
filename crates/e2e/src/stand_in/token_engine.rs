//! An engine of 3.8 as far as its API tokens go.
//!
//! Real ones in the tests are older. Each answer and each trap here was seen on a real 3.8: names are the key of privileges, every entry
//! counts towards the maximum for ever, a node that restarts forgets tokens or their privileges and finds out by nothing but a change or a
//! flush of its cache, which it follows only after the next request.

mod api;
mod memory;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use self::memory::{Index, Memory, Permissions, now};
use crate::ProxyFiles;

/// Name and password of an administrator of tokens who has no rights on indices.
const ADMIN: &str = "token-admin:adm1n";
const WITH_CERTIFICATE: &str = "CN=admin";

type Answer = Response<Full<Bytes>>;

/// One or more nodes with one index of tokens. They ask for TLS, and take any certificate of the files' CA for an administrator's.
#[derive(Debug)]
pub struct StandInTokenEngine {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    accepting: Vec<JoinHandle<()>>,
}

/// A request that reached a node, other than those of the API of tokens.
#[derive(Clone, Debug)]
pub struct SeenUse {
    /// The node.
    pub node: usize,
    /// Method, path and query.
    pub request: String,
    /// As whom: `token:<name>`, `jwt`, or nobody.
    pub user: Option<String>,
    /// The answer.
    pub status: StatusCode,
}

#[derive(Debug)]
struct Shared {
    index: Mutex<Index>,
    nodes: Vec<Mutex<Memory>>,
    calls: Mutex<Vec<String>>,
    uses: Mutex<Vec<SeenUse>>,
    held: watch::Sender<bool>,
    loses_answers: AtomicBool,
    asked: watch::Sender<usize>,
}

/// Who asks.
enum User {
    /// The administrator with a password.
    Password,
    /// An administrator's certificate.
    Certificate,
    /// A token's user, with what its name may do on this node.
    Token(String, Permissions),
    /// Of another domain, for all that a fallback needs.
    Jwt,
}

impl User {
    fn is_admin(&self) -> bool {
        matches!(self, Self::Password | Self::Certificate)
    }

    fn name(&self) -> &str {
        match self {
            Self::Password => "token-admin",
            Self::Certificate => WITH_CERTIFICATE,
            Self::Token(name, _) => name,
            Self::Jwt => "jwt",
        }
    }
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().expect("no test panicked here")
    }

    fn memory(&self, node: usize) -> MutexGuard<'_, Memory> {
        self.nodes[node].lock().expect("no test panicked here")
    }

    fn every_memory(&self, mut with: impl FnMut(&mut Memory)) {
        for node in &self.nodes {
            with(&mut node.lock().expect("no test panicked here"));
        }
    }
}

impl StandInTokenEngine {
    /// That many nodes, with the server certificate of `files`.
    pub async fn start(files: &ProxyFiles, nodes: usize) -> Self {
        transport::install_crypto_provider();
        let certificate =
            transport::ServerCertificate::load(&files.path("proxy.pem"), &files.path("proxy-key.pem"));
        let clients = transport::ClientAuthentication { ca: files.ca(), required: false };
        let config = transport::server_config(certificate.expect("a certificate"), Some(&clients));
        let acceptor = TlsAcceptor::from(config.expect("a configuration"));
        let shared = Arc::new(Shared {
            index: Mutex::default(),
            nodes: (0..nodes).map(|_| Mutex::default()).collect(),
            calls: Mutex::default(),
            uses: Mutex::default(),
            held: watch::Sender::default(),
            loses_answers: AtomicBool::new(false),
            asked: watch::Sender::default(),
        });
        let (mut addresses, mut accepting) = (Vec::new(), Vec::new());
        for node in 0..nodes {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            addresses.push(listener.local_addr().expect("an address"));
            accepting.push(tokio::spawn(serve(listener, acceptor.clone(), Arc::clone(&shared), node)));
        }
        Self { addresses, shared, accepting }
    }

    /// The URLs of the nodes.
    pub fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("https://{address}")).collect()
    }

    /// The list of tokens, as its API tells it.
    pub fn tokens(&self) -> Vec<Value> {
        self.shared.index().list().as_array().expect("a list").clone()
    }

    /// How many tokens were made.
    pub fn made(&self) -> usize {
        self.shared.index().made
    }

    /// Calls of the security API so far.
    pub fn calls(&self) -> Vec<String> {
        self.shared.calls.lock().expect("no test panicked here").clone()
    }

    /// Other requests so far.
    pub fn uses(&self) -> Vec<SeenUse> {
        self.shared.uses.lock().expect("no test panicked here").clone()
    }

    /// How many tokens there may be, ended ones and all.
    pub fn set_max_tokens(&self, max: usize) {
        self.shared.index().max_tokens = max;
    }

    /// Whether tokens are accepted. They can be made all the same.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.index().enabled = enabled;
    }

    /// Another program, or a proxy that is no more, has left this token; its time may be over.
    pub fn leave(&self, name: &str, expires_in_seconds: i64) {
        let mut index = self.shared.index();
        index.made += 1;
        let id = format!("left-{:03}", index.made);
        let document = memory::Document {
            name: name.to_owned(),
            token: format!("os_left{}", index.made),
            permissions: Permissions::default(),
            iat: now() + expires_in_seconds * 1000 - 3_600_000,
            expires_at: now() + expires_in_seconds * 1000,
            revoked_at: None,
            created_by: "somebody".to_owned(),
        };
        index.documents.insert(id, document);
    }

    /// An administrator revokes every token.
    pub fn revoke_all(&self) {
        let mut index = self.shared.index();
        for document in index.documents.values_mut() {
            document.revoked_at.get_or_insert_with(now);
        }
        self.shared.every_memory(|memory| memory.load(&index));
    }

    /// All nodes restart: none knows a token.
    pub fn restart(&self) {
        self.shared.every_memory(|memory| *memory = Memory::default());
    }

    /// One node restarts beside others: it knows the tokens and not what they may do.
    pub fn restart_node(&self, node: usize) {
        let index = self.shared.index();
        let mut memory = Memory::default();
        memory.load_tokens(&index);
        *self.shared.memory(node) = memory;
    }

    /// Lets calls of its API wait.
    pub fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// Whether it makes tokens and breaks off before it has answered.
    pub fn lose_answers(&self, lost: bool) {
        self.shared.loses_answers.store(lost, Ordering::Release);
    }

    /// Waits until that many calls of its API have come, whether or not they are answered.
    pub async fn wait_for_calls(&self, count: usize) {
        let mut asked = self.shared.asked.subscribe();
        asked.wait_for(|&asked| asked >= count).await.expect("the stand-in lives");
    }
}

impl Drop for StandInTokenEngine {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>, node: usize) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let certified = stream.get_ref().1.peer_certificates().is_some();
            let service = service_fn(move |request| answer(Arc::clone(&shared), node, certified, request));
            // The proxy closes its connections as it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    node: usize,
    certified: bool,
    request: Request<Incoming>,
) -> io::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (method, path) = (head.method.as_str(), head.uri.path());
    if path == "/_plugins/_security/health" {
        return Ok(json_answer(StatusCode::OK, &json!({})));
    }
    let is_api = path.starts_with("/_plugins/_security/") || path.starts_with("/.opensearch_security");
    if is_api {
        shared.calls.lock().expect("no test panicked here").push(format!("{method} {target}"));
        shared.asked.send_modify(|asked| *asked += 1);
        let mut held = shared.held.subscribe();
        // The sender is part of `shared`, so the wait ends with the release.
        let _ = held.wait_for(|held| !held).await;
    }
    let user = who(&shared, node, certified, &head.headers);
    let answer = match &user {
        None => unauthorized(),
        Some(user) if is_api => security(&shared, node, user, method, &target, &body),
        Some(user) => judged(user, method, path, &body),
    };
    if path == "/_plugins/_security/api/apitokens"
        && shared.loses_answers.load(Ordering::Acquire)
        && method == "POST"
    {
        return Err(io::Error::other("the answer is lost"));
    }
    if !is_api {
        let user = user.map(|user| user.name().to_owned());
        let seen = SeenUse { node, request: format!("{method} {target}"), user, status: answer.status() };
        shared.uses.lock().expect("no test panicked here").push(seen);
    }
    Ok(answer)
}

/// The user of the request, as this node knows it.
fn who(shared: &Shared, node: usize, certified: bool, headers: &HeaderMap) -> Option<User> {
    if certified {
        return Some(User::Certificate);
    }
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        return (secret == BASE64.encode(ADMIN.as_bytes())).then_some(User::Password);
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        // Never for a token, whatever its value.
        return (!secret.starts_with("os_")).then_some(User::Jwt);
    }
    let index = shared.index();
    if !scheme.eq_ignore_ascii_case("apikey") || !index.enabled {
        return None;
    }
    let mut memory = shared.memory(node);
    let (name, expires_at) = memory.tokens.get(secret.trim())?.clone();
    if expires_at != 0 && expires_at < now() {
        return None;
    }
    let permissions = memory.privileges.get(&name).cloned().unwrap_or_default();
    if memory.loading {
        memory.load_privileges(&index);
    }
    Some(User::Token(format!("token:{name}"), permissions))
}

fn security(shared: &Shared, node: usize, user: &User, method: &str, target: &str, body: &[u8]) -> Answer {
    let path = target.split('?').next().unwrap_or_default();
    if path.starts_with("/_plugins/_security/api/apitokens") {
        return api::answer(shared, node, user, method, target, body);
    }
    if let Some(id) = path.strip_prefix("/.opensearch_security_api_tokens/_doc/") {
        if !matches!(user, User::Certificate) || method != "DELETE" {
            return no_permissions("indices:data/write/delete", user);
        }
        let found = shared.index().documents.remove(id).is_some();
        let status = if found { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return json_answer(
            status,
            &json!({ "_id": id, "result": if found { "deleted" } else { "not_found" } }),
        );
    }
    match (method, path) {
        ("DELETE", "/_plugins/_security/api/cache") if user.is_admin() => {
            let index = shared.index();
            let mut memory = shared.memory(node);
            memory.load_tokens(&index);
            memory.loading = true;
            json_answer(StatusCode::OK, &json!({ "status": "OK", "message": "Cache flushed successfully." }))
        }
        ("GET", "/_plugins/_security/dashboardsinfo") => {
            let index = shared.index();
            let info = json!({
                "user_name": user.name(),
                "api_tokens_enabled": index.enabled,
                "max_duration_seconds": index.max_duration,
            });
            json_answer(StatusCode::OK, &info)
        }
        _ => no_permissions("security API", user),
    }
}

/// What a request outside of the security API gets.
fn judged(user: &User, method: &str, path: &str, body: &[u8]) -> Answer {
    let User::Token(_, permissions) = user else { return json_answer(StatusCode::OK, &json!({})) };
    let mut parts = path.trim_start_matches('/').split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let on_cluster = |action: &str| permissions.on_cluster(action).then_some(()).ok_or(action.to_owned());
    let on_index = |index: &str, action: &str| {
        permissions.on_index(index, action).then_some(()).ok_or(action.to_owned())
    };
    if second == "_update" {
        let reason = "Update is not supported when FLS or DLS or Fieldmasking is activated";
        let error = json!({ "type": "security_exception", "reason": reason });
        return json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": error, "status": 500 }));
    }
    let allowed = match (method, first, second) {
        (_, "", _) => on_cluster("cluster:monitor/main"),
        (_, "_cluster", "health") => on_cluster("cluster:monitor/health"),
        (_, "_mget", _) => on_cluster("indices:data/read/mget"),
        (_, "_msearch", _) => on_cluster("indices:data/read/msearch"),
        (_, "_bulk", _) => on_cluster("indices:data/write/bulk").and_then(|()| {
            let text = String::from_utf8_lossy(body);
            let items = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let indices = items.filter_map(|item| item["index"]["_index"].as_str().map(str::to_owned));
            indices.into_iter().try_for_each(|index| on_index(&index, "indices:data/write/index"))
        }),
        // A document is written as a bulk of one.
        ("PUT" | "POST", index, "_doc") => {
            on_cluster("indices:data/write/bulk").and_then(|()| on_index(index, "indices:data/write/index"))
        }
        ("GET", index, "_doc") => on_index(index, "indices:data/read/get"),
        (_, index, _) => on_index(index, "indices:data/read/search"),
    };
    match allowed {
        Ok(()) => json_answer(StatusCode::OK, &json!({})),
        Err(action) => no_permissions(&action, user),
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Full::from(body.to_string())).expect("a response")
}

fn error(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({ "error": message }))
}

fn no_permissions(action: &str, user: &User) -> Answer {
    let reason = format!("no permissions for [{action}] and User [name={}, backend_roles=[]]", user.name());
    let error = json!({ "type": "security_exception", "reason": reason });
    json_answer(StatusCode::FORBIDDEN, &json!({ "error": error, "status": 403 }))
}

/// The same for a bad, an ended and a forgotten token.
fn unauthorized() -> Answer {
    Response::builder()
        .status(StatusCode::UNAUTHORIZED)
        .header(header::WWW_AUTHENTICATE, "Basic realm=\"OpenSearch Security\"")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Full::from("Unauthorized"))
        .expect("a response")
}
