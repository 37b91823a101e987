//! Many requests over one connection.

use bytes::Bytes;
use e2e::{Client, Reply};
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;

use crate::data::Asked;

/// A connection that is opened when it is needed, and again after it broke.
#[derive(Debug)]
pub(crate) struct Line {
    client: Client,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, sender: None }
    }

    /// The answer to a request with this `Authorization`.
    pub(crate) async fn ask(&mut self, asked: &Asked, authorization: &HeaderValue) -> Reply {
        // A connection that was kept may just have been closed by the other side; a new one answers.
        for _ in 0..3 {
            if let Some(reply) = self.try_ask(asked, authorization).await {
                return reply;
            }
            self.sender = None;
        }
        panic!("no answer to {}", asked.line());
    }

    async fn try_ask(&mut self, asked: &Asked, authorization: &HeaderValue) -> Option<Reply> {
        if self.sender.is_none() {
            let stream = TokioIo::new(self.client.connect().await);
            let (sender, connection) = hyper::client::conn::http1::handshake(stream).await.ok()?;
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        let sender = self.sender.as_mut()?;
        sender.ready().await.ok()?;
        let mut request = Request::builder()
            .method(asked.method())
            .uri(&asked.target)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, authorization);
        if !asked.body.is_empty() {
            let lines = asked.body.ends_with('\n');
            request = request.header(
                header::CONTENT_TYPE,
                if lines { "application/x-ndjson" } else { "application/json" },
            );
        }
        let request = request.body(Full::new(Bytes::from(asked.body.clone()))).unwrap();
        Some(Reply::collect(sender.send_request(request).await.ok()?).await)
    }
}
