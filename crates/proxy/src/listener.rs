//! The public listener: accepts, ends TLS, and serves HTTP on each connection until it or the server ends.

pub(crate) mod workers;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ProtocolVersion;
use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use self::workers::{Accepted, Workers};
use crate::{connection, metrics::Metrics, pipeline::Proxy, stall::StallGuard};

/// Connections the kernel holds that we have not accepted yet.
const BACKLOG: i32 = 1024;
/// How long to wait before accepting again when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end of the TCP connection.
    pub address: SocketAddr,
    /// TLS version, if any.
    pub tls: Option<&'static str>,
}

/// Waits until the server is told to stop. A sender that is gone means the same.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|&down| down).await;
}

/// Opens the listening socket. `SO_REUSEADDR` lets a restart bind while old connections linger.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until `shutdown` turns true, then lets running requests end within `drain` and cuts what is left.
///
/// What requests have left to be done goes on for as long as the workers that this returns are kept.
///
/// # Errors
///
/// When the workers cannot be started.
pub(crate) async fn serve(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    tls: Option<TlsAcceptor>,
    max_connections: usize,
    mut shutdown: watch::Receiver<bool>,
    drain: Duration,
) -> io::Result<Workers> {
    let slots = Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let (serving, stopping) = (Arc::clone(&proxy), shutdown.clone());
    let mut workers = Workers::start(&proxy, drain, move |accepted| {
        serve_one(accepted, Arc::clone(&serving), tls.clone(), stopping.clone())
    })?;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some(accepted) = accepted {
            workers.give(accepted);
        }
    }
    proxy.stop().begin();
    drop(listener);
    workers.drain().await;
    Ok(workers)
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    // The slot comes first: a connection beyond the limit stays in the kernel's queue. The semaphore is never closed.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    // The worker's runtime will watch the stream, not ours.
    let accepted = listener.accept().await.and_then(|(stream, address)| Ok((stream.into_std()?, address)));
    match accepted {
        Ok((stream, address)) => Some(Accepted { stream, address, slot }),
        Err(error) => {
            // Out of file descriptors, mostly. Existing connections go on and will free some.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_one(
    accepted: Accepted,
    proxy: Arc<Proxy>,
    tls: Option<TlsAcceptor>,
    shutdown: watch::Receiver<bool>,
) {
    let Accepted { stream, address, slot: _slot } = accepted;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, "cannot serve a connection"),
    };
    let _open = proxy.metrics().connection_opened();
    let limits = proxy.limits();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let stream = StallGuard::new(stream, limits.body_idle);
    let Some(acceptor) = tls else {
        let peer = Peer { address, tls: None };
        return Box::pin(connection::serve_http1(stream, peer, proxy, shutdown)).await;
    };
    // In boxes: a connection has memory for what it is doing, and not for all that it might.
    match timeout(limits.header, Box::pin(acceptor.accept(stream))).await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            let peer = Peer { address, tls: session.protocol_version().map(version_name) };
            if session.alpn_protocol() == Some(b"h2") {
                Box::pin(connection::serve_http2(stream, peer, proxy, shutdown)).await;
            } else {
                Box::pin(connection::serve_http1(stream, peer, proxy, shutdown)).await;
            }
        }
        Ok(Err(error)) => {
            Metrics::tls_failed(proxy.metrics());
            tracing::debug!(%address, %error, "TLS handshake failed");
        }
        Err(_) => {
            Metrics::tls_failed(proxy.metrics());
            tracing::debug!(%address, "TLS handshake took too long");
        }
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLS",
    }
}
