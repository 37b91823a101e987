//! A real HTTP server that notes what it gets to see.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, Version, body::Bytes, body::Incoming, header::CONNECTION,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::{Guard, Limits, REFUSED_METHOD, Violation};

/// A request as the server saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The length of the body, unless it broke off.
    pub(crate) body: Option<usize>,
    /// No other request can follow on the connection.
    pub(crate) last: bool,
}

pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

async fn answer(log: Log, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        body: None,
        last: head.version == Version::HTTP_10 || head.headers.contains_key(CONNECTION),
    };
    // Noted first: when a body breaks off the server may drop this future.
    let index = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    seen.body = body.collect().await.ok().map(|body| body.to_bytes().len());
    log.lock().unwrap()[index] = seen.clone();
    let mut response = Response::new(Full::from(seen.path.clone()));
    if seen.method == REFUSED_METHOD {
        let violation = Violation::from_path(&seen.path).expect("only the guard sends this method");
        *response.status_mut() = StatusCode::from_u16(violation.status()).unwrap();
    } else if seen.body.is_none() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}

/// Serves one connection of either version to its end.
pub(crate) async fn serve<IO>(io: IO, log: Log)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&log), request));
    // That the connection ended in an error shows in what the client and the log got.
    let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(io), service)
        .await;
}

/// Serves one HTTP/1 connection whose client may end its side early.
async fn serve_half_closed<IO>(io: IO, log: Log)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&log), request));
    let _ = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(io), service)
        .await;
}

/// What came of some bytes sent to a server.
pub(crate) struct Exchange {
    pub(crate) seen: Vec<Seen>,
    pub(crate) response: String,
}

/// Sends bytes to a guarded server in memory.
pub(crate) async fn over_memory(bytes: &[u8], limits: Limits) -> Exchange {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let log = Log::default();
    exchange(bytes, client, serve_half_closed(Guard::new(server, limits), Arc::clone(&log)), log).await
}

/// Sends bytes to a server in memory that has no guard.
pub(crate) async fn unguarded(bytes: &[u8]) -> Exchange {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let log = Log::default();
    exchange(bytes, client, serve_half_closed(server, Arc::clone(&log)), log).await
}

/// Sends bytes to a guarded server over TCP that takes the end of the client's side for the end of the client.
pub(crate) async fn over_tcp(bytes: &[u8], limits: Limits) -> Exchange {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let log = Log::default();
    let server = serve(Guard::new(accepted.unwrap().0, limits), Arc::clone(&log));
    exchange(bytes, client.unwrap(), server, log).await
}

async fn exchange<IO>(bytes: &[u8], client: IO, server: impl Future<Output = ()>, log: Log) -> Exchange
where
    IO: AsyncRead + AsyncWrite,
{
    let (mut read, mut write) = tokio::io::split(client);
    let mut response = Vec::new();
    let send = async {
        // A server that has refused need not take the rest.
        let _ = write.write_all(bytes).await;
        let _ = write.shutdown().await;
    };
    let receive = async {
        // A reset is a failure of the test: the response would be cut.
        read.read_to_end(&mut response).await.expect("the response ends in order");
    };
    tokio::join!(server, send, receive);
    let seen = log.lock().unwrap().clone();
    Exchange { seen, response: String::from_utf8_lossy(&response).into_owned() }
}
