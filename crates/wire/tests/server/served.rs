//! A service that notes what it gets to see, behind this server and behind another.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::{
    Limits,
    server::{Connection, Next, Received},
};

/// A request as the service saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// The body, unless it broke off.
    pub(crate) body: Option<Vec<u8>>,
}

pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

async fn answer<B: Body>(log: Log, request: Request<B>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let mut seen = Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: None,
    };
    // Noted first: when a body breaks off a server may drop this future.
    let index = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    seen.body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
    log.lock().unwrap()[index].clone_from(&seen);
    let mut response = Response::new(Full::from(seen.target));
    if seen.body.is_none() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    response
}

/// Serves one connection to its end. What is refused is answered with its reason.
pub(crate) async fn serve<IO>(io: IO, limits: Limits, log: Log)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::new(io, limits);
    while let Some(received) = connection.next().await {
        let next = match received {
            Received::Request(request) => connection.answer(answer(Arc::clone(&log), request)).await,
            Received::Refused(violation) => {
                let mut response = Response::new(Full::from(violation.reason()));
                *response.status_mut() = StatusCode::from_u16(violation.status()).unwrap();
                connection.answer(async { response }).await
            }
        };
        match next {
            Ok(Next::Request) => {}
            Ok(Next::Close) => break,
            Err(_) => return,
        }
    }
    connection.shutdown().await;
}

/// Serves one connection with another server, which lets the client end its side early.
async fn serve_with_hyper<IO>(io: IO, log: Log)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(Arc::clone(&log), request);
        async { Ok::<_, Infallible>(answering.await) }
    });
    // That the connection ended in an error shows in what the client and the log got.
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

/// Sends bytes to this server in memory.
pub(crate) async fn over_memory(bytes: &[u8], limits: Limits) -> Exchange {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let log = Log::default();
    exchange(bytes, client, serve(server, limits, Arc::clone(&log)), log).await
}

/// Sends bytes to another server in memory.
pub(crate) async fn to_hyper(bytes: &[u8]) -> Exchange {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let log = Log::default();
    exchange(bytes, client, serve_with_hyper(server, Arc::clone(&log)), log).await
}

/// Sends bytes to this server over TCP.
pub(crate) async fn over_tcp(bytes: &[u8], limits: Limits) -> Exchange {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let log = Log::default();
    let server = serve(accepted.unwrap().0, limits, Arc::clone(&log));
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
