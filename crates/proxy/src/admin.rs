//! The admin listener: metrics, liveness, readiness. On a thread of its own, so that it answers while the data plane is
//! saturated. It has no authentication and stands on loopback unless the configuration says otherwise.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, thread};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch};

use crate::{decisions, listener::stopped, pipeline::Proxy};

/// How long a client may take to send its request. Probes are local and small.
const HEAD_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
pub struct Readiness {
    /// Whether requests are worth sending here.
    pub ready: bool,
    /// What keeps it from being ready, and what works only in part.
    pub problems: Vec<String>,
}

/// Serves the endpoints until `shutdown` turns true.
pub fn spawn(
    listener: std::net::TcpListener,
    proxy: Arc<Proxy>,
    shutdown: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    listener.set_nonblocking(true)?;
    thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, proxy, shutdown).await,
                Err(error) => tracing::error!(%error, "the admin listener cannot be served"),
            }
        });
    })
}

/// Opens the admin socket.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind(address)
}

async fn accept(listener: TcpListener, proxy: Arc<Proxy>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let stream = tokio::select! {
            () = stopped(&mut shutdown) => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on the admin listener");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&proxy, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an admin connection broke off");
            }
        });
    }
}

fn answer(proxy: &Proxy, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => {
            let readiness = proxy.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            respond(status, "application/json", serde_json::to_vec(&readiness).unwrap_or_default())
        }
        "/metrics" => match proxy.metrics().render() {
            Ok(metrics) => respond(StatusCode::OK, OPENMETRICS, metrics),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be rendered");
                text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be rendered; see the log\n")
            }
        },
        path => match path.strip_prefix("/decisions/") {
            Some(id) => decision(proxy, id),
            None => text(StatusCode::NOT_FOUND, "here: /metrics /livez /readyz\n"),
        },
    }
}

fn decision(proxy: &Proxy, id: &str) -> Response<Full<Bytes>> {
    match decisions::on_admin(proxy.decisions(), id) {
        Some(found) => {
            respond(StatusCode::OK, "application/json", serde_json::to_vec(&found).unwrap_or_default())
        }
        None => {
            text(StatusCode::NOT_FOUND, "no such decision; `decisions.admin: true` lets them be seen here\n")
        }
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
