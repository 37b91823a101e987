//! HTTP on one connection.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::timeout,
};

use crate::{
    listener::{Peer, stopped},
    pipeline::Proxy,
    stream::{Requests, Streams, Tied},
};

/// Streams a peer may reset before we count it as an attack (CVE-2023-44487, rapid reset).
const MAX_PENDING_RESETS: usize = 32;

/// Serves HTTP/1.1 (and 1.0) behind the framing guard.
pub async fn serve_http1<T>(stream: T, peer: Peer, proxy: Arc<Proxy>, mut shutdown: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = proxy.limits();
    let requests = Requests::new();
    let counted = requests.clone();
    let guarded = wire::Guard::new(
        stream,
        wire::Limits {
            head_bytes: limits.head_size,
            fields: limits.headers,
            head_timeout: Some(limits.header),
            http2: false,
            ..wire::Limits::default()
        },
    );
    // The guard times heads and hands over whole ones only; the pause between two requests is timed below.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(limits.head_size)
        .serve_connection(
            TokioIo::new(guarded),
            // In a box of its own: hyper keeps room for the whole future for as long as the connection is open, and most are
            // idle most of the time.
            service_fn(move |request| {
                Box::pin(answer(Arc::clone(&proxy), peer.clone(), request, counted.clone()))
            }),
        );
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            // Hyper would wait for a first request; clients open connections ahead of need.
            if !requests.any() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = requests.idle_after_first(limits.keep_alive) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/1 connection broke off");
    }
}

/// Serves HTTP/2.
pub async fn serve_http2<T>(stream: T, peer: Peer, proxy: Arc<Proxy>, mut shutdown: watch::Receiver<bool>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = proxy.limits();
    let requests = Requests::new();
    let counted = requests.clone();
    let connection = http2::Builder::new(Streams(limits.body_idle))
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_PENDING_RESETS)
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.header)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| answer(Arc::clone(&proxy), peer.clone(), request, counted.clone())),
        );
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            if !requests.any() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = requests.idle(limits.keep_alive) => {
            connection.as_mut().graceful_shutdown();
            // A peer that has not opened HTTP/2 yet, or takes no more bytes, does not end by itself.
            match timeout(limits.header, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection broke off");
    }
}

async fn answer(
    proxy: Arc<Proxy>,
    peer: Peer,
    request: Request<Incoming>,
    requests: Requests,
) -> Result<Response<Tied>, Infallible> {
    let begun = requests.begin();
    Ok(proxy.handle(&peer, request).await.map(|body| begun.respond(body)))
}
