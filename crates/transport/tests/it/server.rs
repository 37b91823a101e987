//! Servers for the tests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Body = BoxBody<Bytes, Infallible>;

/// Serves [`answer`] with TLS or without.
pub(crate) async fn serve(tls: Option<Arc<ServerConfig>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor {
                    None => connection(stream).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            connection(stream).await;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// What is at the paths of the server.
async fn answer(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = |text: String| Response::new(Full::from(text).boxed());
    match head.uri.path() {
        // A body of 1,000 bytes, its length announced or not.
        "/long" => text("x".repeat(1_000)),
        "/chunked" => Response::new(Frames(10).boxed()),
        "/redirect" => {
            let mut response = text(String::new());
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(header::LOCATION, "/long".parse().unwrap());
            response
        }
        "/never" => std::future::pending().await,
        "/json" => text(r#"{"secret": "hunter2"}"#.to_owned()),
        // What was asked, so that tests see what was sent.
        _ => {
            let header = |name: header::HeaderName| {
                head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
            };
            text(format!(
                "{} {} {:?}|{}|{}|{}|{}",
                head.method,
                head.uri,
                head.version,
                header(header::ACCEPT),
                header(header::CONTENT_TYPE),
                header(header::AUTHORIZATION),
                String::from_utf8(body.to_vec()).unwrap(),
            ))
        }
    }
}

/// A body that does not announce its length.
struct Frames(u8);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 100])))))
    }
}

/// Answers every connection with these bytes, whatever is asked, and closes it.
pub(crate) async fn serve_bytes(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}
