use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use tokio::task::JoinHandle;

use crate::{Client, Reply};

/// One connection to the proxy that stays open between requests.
#[derive(Debug)]
pub struct Session {
    client: Client,
    sender: Sender,
    certificate: Vec<u8>,
    running: JoinHandle<hyper::Result<()>>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

type Answer =
    std::pin::Pin<Box<dyn Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>> + Send>>;

impl Session {
    /// Opens one with the protocol of `client`.
    pub async fn open(client: &Client) -> Self {
        let stream = client.connect().await;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let certificate = certificate.expect("the proxy shows a certificate").to_vec();
        let io = TokioIo::new(stream);
        let (sender, running) = if client.is_http2() {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2 begins");
            (Sender::Http2(sender), tokio::spawn(connection))
        } else {
            let (sender, connection) = http1::handshake(io).await.expect("HTTP/1.1 begins");
            (Sender::Http1(sender), tokio::spawn(connection))
        };
        Self { client: client.clone(), sender, certificate, running }
    }

    /// GET.
    pub async fn get(&mut self, path: &str) -> hyper::Result<Reply> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// A request; the body is JSON.
    pub async fn send(&mut self, method: Method, path: &str, body: Bytes) -> hyper::Result<Reply> {
        let response = self.begin(method, path, body).await?.await?;
        Ok(Reply::collect(response).await)
    }

    /// Sends a request; the result waits for the response head.
    pub async fn begin(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> hyper::Result<
        impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>> + Send + use<>,
    > {
        let mut request = self.client.request(method, path);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request: Request<Full<Bytes>> = request.body(Full::new(body)).expect("a request");
        let sent: Answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                Box::pin(sender.send_request(request))
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                Box::pin(sender.send_request(request))
            }
        };
        Ok(sent)
    }

    /// The certificate that the proxy showed when the connection was made.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Waits until the proxy ends the connection; whether it did so properly.
    pub async fn closed(self) -> hyper::Result<()> {
        // Dropping the sender would end the connection from our side.
        let ended = self.running.await.expect("the connection's task ends by itself");
        drop(self.sender);
        ended
    }
}
