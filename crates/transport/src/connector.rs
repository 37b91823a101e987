//! Connections for a pooled HTTP client: TCP, TLS over it, and either through a forward proxy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection as PooledConnection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Url;

/// A proxy that connections go through, and the hosts that are reached directly.
#[derive(Clone)]
pub struct ForwardProxy {
    /// `http://[user:password@]host:port`. HTTPS targets are tunnelled with `CONNECT`, HTTP targets sent to it whole.
    pub url: Url,
    /// Hosts reached directly, as in the usual `NO_PROXY`: comma-separated domains (with their subdomains),
    /// addresses and networks; `*` for all.
    pub bypass: String,
}

impl std::fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardProxy")
            .field("url", &crate::redact_url(&self.url))
            .field("bypass", &self.bypass)
            .finish()
    }
}

impl From<Url> for ForwardProxy {
    fn from(url: Url) -> Self {
        Self { url, bypass: String::new() }
    }
}

/// The step of connecting that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The target has no usable host name or scheme.
    #[error("the target is not an http or https URL with a host")]
    Target,
    /// Name resolution or TCP.
    #[error("{0}")]
    Tcp(String),
    /// The forward proxy refused or broke the tunnel.
    #[error("the forward proxy did not open a tunnel: {0}")]
    Tunnel(String),
    /// The TLS handshake.
    #[error("TLS handshake: {0}")]
    Tls(std::io::Error),
}

impl ConnectError {
    /// The same error again; the pooled client lends its errors only.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Self::Target => Self::Target,
            Self::Tcp(text) => Self::Tcp(text.clone()),
            Self::Tunnel(text) => Self::Tunnel(text.clone()),
            Self::Tls(error) => Self::Tls(std::io::Error::new(error.kind(), error.to_string())),
        }
    }
}

/// Opens connections for [`hyper_util::client::legacy::Client`] by the scheme of the target.
#[derive(Clone)]
pub struct Connector {
    tcp: HttpConnector,
    tls: TlsConnector,
    proxy: Option<Arc<Matcher>>,
}

impl Connector {
    /// A connector with the given TLS configuration (see [`client_config`](crate::client_config)).
    /// Each TCP connection attempt is given up after `connect_timeout`.
    pub fn new(tls: Arc<ClientConfig>, proxy: Option<&ForwardProxy>, connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_mins(1)));
        tcp.set_connect_timeout(Some(connect_timeout));
        let proxy = proxy.map(|proxy| {
            Arc::new(Matcher::builder().all(proxy.url.as_str()).no(proxy.bypass.as_str()).build())
        });
        Self { tcp, tls: TlsConnector::from(tls), proxy }
    }

    /// The `Proxy-Authorization` that a request to a plain HTTP target needs, as it is sent to the proxy itself.
    pub(crate) fn proxy_authorization(&self, target: &Uri) -> Option<HeaderValue> {
        if target.scheme_str() != Some("http") {
            return None;
        }
        self.proxy.as_ref()?.intercept(target)?.basic_auth().cloned()
    }

    async fn connect(mut self, target: Uri) -> Result<Connection, ConnectError> {
        let secure = match target.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(ConnectError::Target),
        };
        let via = self.proxy.as_ref().and_then(|proxy| proxy.intercept(&target));
        let stream = match &via {
            Some(via) if secure => {
                let mut tunnel = Tunnel::new(via.uri().clone(), self.tcp);
                if let Some(credentials) = via.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                tunnel.call(target.clone()).await.map_err(|error| ConnectError::Tunnel(causes(&error)))?
            }
            Some(via) => {
                self.tcp.call(via.uri().clone()).await.map_err(|error| ConnectError::Tcp(causes(&error)))?
            }
            None => self.tcp.call(target.clone()).await.map_err(|error| ConnectError::Tcp(causes(&error)))?,
        };
        if !secure {
            return Ok(Connection { stream: Stream::Plain(stream), proxied: via.is_some() });
        }
        let host = target.host().ok_or(ConnectError::Target)?.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Target)?;
        let stream = self.tls.connect(name, stream.into_inner()).await.map_err(ConnectError::Tls)?;
        Ok(Connection { stream: Stream::Tls(Box::new(TokioIo::new(stream))), proxied: false })
    }
}

/// An error with its causes, which libraries leave out of their own text.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("proxied", &self.proxy.is_some()).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.tcp.poll_ready(cx).map_err(|error| ConnectError::Tcp(causes(&error)))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(self.clone().connect(target))
    }
}

/// An open connection, encrypted or not.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    proxied: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// Runs the same method of whichever stream it is.
macro_rules! on_stream {
    ($connection:ident, $stream:ident => $call:expr) => {
        match &mut $connection.get_mut().stream {
            Stream::Plain(inner) => {
                let $stream = Pin::new(inner);
                $call
            }
            Stream::Tls(inner) => {
                let $stream = Pin::new(inner.as_mut());
                $call
            }
        }
    };
}

impl PooledConnection for Connection {
    fn connected(&self) -> Connected {
        match &self.stream {
            Stream::Plain(stream) => stream.connected().proxy(self.proxied),
            Stream::Tls(stream) => {
                let (tcp, session) = stream.inner().get_ref();
                let connected = tcp.connected();
                if session.alpn_protocol() == Some(b"h2") { connected.negotiated_h2() } else { connected }
            }
        }
    }
}

impl Read for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        on_stream!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl Write for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        on_stream!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        on_stream!(self, stream => stream.poll_shutdown(cx))
    }
}
