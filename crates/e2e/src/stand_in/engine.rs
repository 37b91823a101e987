use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// A request as it reached the stand-in.
#[derive(Clone, Debug)]
pub struct SeenRequest {
    /// Method.
    pub method: String,
    /// Path and query, raw.
    pub target: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; what of it arrived when it broke off.
    pub body: Bytes,
    /// The body came to its end.
    pub whole: bool,
}

impl SeenRequest {
    /// Takes what comes of a request.
    pub(super) async fn collect(request: Request<Incoming>) -> Self {
        let (head, mut body) = request.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                whole = false;
                break;
            };
            bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Self { method: head.method.to_string(), target, headers: head.headers, body: bytes.into(), whole }
    }
}

/// An HTTP server in the place of an engine: it remembers what reaches it and answers as told. It shows what the proxy
/// sends, and can misbehave; it knows nothing of OpenSearch.
#[derive(Debug)]
pub struct StandInEngine {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

type Answer = Arc<dyn Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync>;

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<SeenRequest>>,
    count: watch::Sender<usize>,
    answers: Mutex<HashMap<String, Answer>>,
    held: watch::Sender<HashSet<String>>,
    health: Mutex<StatusCode>,
    connections: Mutex<usize>,
    cut: watch::Sender<usize>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl StandInEngine {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        Self::serve(listener)
    }

    /// Listens on this address, for instance one where another stand-in was.
    pub async fn start_at(address: SocketAddr) -> Self {
        Self::serve(TcpListener::bind(address).await.expect("the port is free"))
    }

    fn serve(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            // Connections end with the stand-in, as those of a killed process would.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *serving.connections.lock().expect("no test panicked here") += 1;
                let (serving, mut cut) = (Arc::clone(&serving), serving.cut.subscribe());
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&serving), request));
                    // A connection that breaks off is what some tests are about.
                    tokio::select! {
                        _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, shared, accepting }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, for `nodes`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers requests for this path so, instead of with an empty JSON object.
    pub fn answer(
        &self,
        path: &str,
        with: impl Fn(&SeenRequest) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) {
        self.shared.answers.lock().expect("no test panicked here").insert(path.to_owned(), Arc::new(with));
    }

    /// Keeps answers for this path back until [`release`](Self::release). The requests are seen when they have arrived
    /// whole.
    pub fn hold(&self, path: &str) {
        self.shared.held.send_modify(|held| {
            held.insert(path.to_owned());
        });
    }

    /// Gives the answers for this path, those kept back and later ones.
    pub fn release(&self, path: &str) {
        self.shared.held.send_modify(|held| {
            held.remove(path);
        });
    }

    /// Breaks every open connection off, whatever it is doing, and waits until they are closed. New ones are accepted.
    pub async fn break_connections(&self) {
        self.shared.cut.send_modify(|cut| *cut += 1);
        self.shared.cut.closed().await;
    }

    /// Answers health checks so.
    pub fn set_health(&self, status: StatusCode) {
        *self.shared.health.lock().expect("no test panicked here") = status;
    }

    /// Every request so far but health checks.
    pub fn seen(&self) -> Vec<SeenRequest> {
        self.shared.seen.lock().expect("no test panicked here").clone()
    }

    /// Forgets the requests seen so far, where there are too many to keep.
    pub fn forget(&self) {
        self.shared.seen.lock().expect("no test panicked here").clear();
    }

    /// The last request.
    pub fn last(&self) -> SeenRequest {
        self.seen().pop().expect("a request reached the engine")
    }

    /// Waits until that many requests have come.
    pub async fn wait_for(&self, count: usize) {
        let mut counts = self.shared.count.subscribe();
        counts.wait_for(|&seen| seen >= count).await.expect("the stand-in lives");
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().expect("no test panicked here")
    }
}

impl Drop for StandInEngine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let seen = SeenRequest::collect(request).await;
    if matches!(seen.target.as_str(), "/_plugins/_security/health" | "/osd/checked") {
        let mut response = Response::new(Full::default());
        *response.status_mut() = *shared.health.lock().expect("no test panicked here");
        return Ok(response);
    }
    let answer = shared.answers.lock().expect("no test panicked here").get(&path).cloned();
    let response = answer.map_or_else(
        || {
            let mut response = Response::new(Full::from("{}"));
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            response
        },
        |answer| answer(&seen),
    );
    shared.seen.lock().expect("no test panicked here").push(seen);
    shared.count.send_modify(|count| *count += 1);
    let mut held = shared.held.subscribe();
    // The sender is part of `shared`, so the wait ends with the release.
    let _ = held.wait_for(|held| !held.contains(&path)).await;
    Ok(response)
}
