use std::{io, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The protocol it came by.
    pub version: Version,
    /// Trailers, if any.
    pub trailers: Option<HeaderMap>,
}

impl Reply {
    /// Reads the body of a response to its end.
    pub async fn collect(response: http::Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let collected = body.collect().await.expect("the body arrives whole");
        let trailers = collected.trailers().cloned();
        Self {
            status: head.status,
            headers: head.headers,
            version: head.version,
            body: collected.to_bytes(),
            trailers,
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The proxy's reason code of a refusal.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client of the proxy; a new connection for each request, so that tests do not share state.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    token: Option<String>,
    http2: bool,
    host: String,
}

impl Client {
    /// Speaks HTTP/1.1 over TLS to `address`, trusting `ca`.
    pub fn new(address: SocketAddr, ca: &Path) -> Self {
        Self { address, tls: tls(ca, b"http/1.1"), token: None, http2: false, host: "localhost".to_owned() }
    }

    /// Speaks HTTP/2 over TLS.
    pub fn http2(address: SocketAddr, ca: &Path) -> Self {
        Self { address, tls: tls(ca, b"h2"), token: None, http2: true, host: "localhost".to_owned() }
    }

    /// Sends this bearer token with every request.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Asks for this host.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// A request without a body.
    pub async fn get_or(&self, method: Method, path: &str) -> Reply {
        self.send(method, path, &[], Bytes::new()).await
    }

    /// A request with a JSON body.
    pub async fn json(&self, method: Method, path: &str, body: &serde_json::Value) -> Reply {
        let body = Bytes::from(body.to_string());
        self.send(method, path, &[("content-type", "application/json")], body).await
    }

    /// Any request.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(Full::new(body)).expect("the request is well-formed")).await
    }

    /// The head of a request with the token, to be completed and given to [`Client::exchange`].
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let mut request = Request::builder().method(method);
        request = if self.http2 {
            request.uri(format!("https://{}{path}", self.host)).version(Version::HTTP_2)
        } else {
            request.uri(path).header(header::HOST, &self.host)
        };
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// Sends a request and reads the whole response.
    pub async fn exchange<B>(&self, request: Request<B>) -> Reply
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        Reply::collect(self.begin(request).await).await
    }

    /// Sends a request and waits for the response head.
    pub async fn begin<B>(&self, request: Request<B>) -> http::Response<hyper::body::Incoming>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        self.try_begin(request).await.expect("there is an answer")
    }

    /// As [`Client::begin`], where the answer may fail to come.
    pub async fn try_begin<B>(
        &self,
        request: Request<B>,
    ) -> hyper::Result<http::Response<hyper::body::Incoming>>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        let io = TokioIo::new(self.connect().await);
        if self.http2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    }

    /// Whether this client speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2
    }

    /// A TLS connection.
    pub async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect().await.expect("the proxy accepts")
    }

    /// As [`Self::connect`], where it may fail.
    ///
    /// # Errors
    ///
    /// When nobody accepts, or the handshake fails.
    pub async fn try_connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        // Otherwise a body waits for the acknowledgement of its head on a connection that has been used before.
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await
    }
}

fn tls(ca: &Path, alpn: &[u8]) -> Arc<rustls::ClientConfig> {
    transport::install_crypto_provider();
    let options = transport::TlsOptions { ca: Some(ca.to_owned()), ..transport::TlsOptions::default() };
    transport::client_config(&options, &[alpn]).expect("the CA is usable")
}

/// GET over plain HTTP, as a probe or a scraper does it.
pub async fn plain(address: SocketAddr, path: &str) -> Reply {
    let stream = TcpStream::connect(address).await.expect("somebody listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, "localhost").body(Full::<Bytes>::default());
    let response = sender.send_request(request.expect("a request")).await.expect("there is an answer");
    Reply::collect(response).await
}
