//! Opening a connection to a node.

use std::{error::Error, io, sync::Arc, time::Duration};

use http::{Uri, uri::Authority};
use http_body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name did not resolve, or nobody listens there.
    #[error("cannot connect")]
    Tcp(#[source] io::Error),
    /// The TLS handshake failed: most often a certificate that `clusters[].ca` does not vouch for.
    #[error("the TLS handshake failed; does `ca` name the CA of the node's certificate?")]
    Tls(#[source] io::Error),
    /// HTTP could not begin.
    #[error("HTTP could not begin")]
    Http(#[source] hyper::Error),
    /// It took longer than `connect_timeout`.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The cluster has no nodes.
    #[error("the cluster has no nodes")]
    NoNodes,
}

/// A node's URL is not usable.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not the URL of a node: {problem}")]
pub struct TargetError {
    url: String,
    problem: &'static str,
}

/// Where a node is and how to speak to it.
#[derive(Clone, Debug)]
pub struct Target {
    host: String,
    port: u16,
    authority: Authority,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// Reads a node's URL; `tls` is used when its scheme is https.
    pub fn new(url: &Url, tls: &Arc<ClientConfig>) -> Result<Self, TargetError> {
        let wrong = |problem| TargetError { url: url.to_string(), problem };
        let host = url.host_str().ok_or_else(|| wrong("it has no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| wrong("it has no port"))?;
        let uri: Uri = url.as_str().parse().map_err(|_| wrong("it does not parse"))?;
        let authority = uri.authority().cloned().ok_or_else(|| wrong("it has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match url.scheme() {
            "https" => {
                let name = ServerName::try_from(bare.clone())
                    .map_err(|_| wrong("its host is no valid TLS server name"))?;
                Some((Arc::clone(tls), name))
            }
            "http" => None,
            _ => return Err(wrong("its scheme is neither https nor http")),
        };
        Ok(Self { host: bare, port, authority, tls })
    }

    /// `host:port` as in the configuration: the Host header, and the node's name in logs and metrics.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Connects, within `limit`.
    pub(super) async fn connect<B>(&self, limit: Duration) -> Result<SendRequest<B>, ConnectError>
    where
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        timeout(limit, self.establish()).await.map_err(|_| ConnectError::Timeout(limit))?
    }

    async fn establish<B>(&self) -> Result<SendRequest<B>, ConnectError>
    where
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        match &self.tls {
            None => handshake(tcp).await,
            Some((config, name)) => {
                let tls = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await;
                handshake(tls.map_err(ConnectError::Tls)?).await
            }
        }
    }
}

async fn handshake<T, B>(io: T) -> Result<SendRequest<B>, ConnectError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(ConnectError::Http)?;
    tokio::spawn(async move {
        // Whoever waits for a response on this connection gets the error; an idle one is simply gone.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the engine ended");
        }
    });
    Ok(sender)
}
