//! Telling somebody, at a URL of the operator's, that a token waits for approval and what became of it.
//!
//! A notification is a help, not a record: that is the audit trail. So requests never wait for it, it is tried a few times, and what
//! waits when the process ends is lost.

use std::{path::PathBuf, time::Duration};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use bytes::Bytes;
use config::model;
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, Request, header};
use jiff::Timestamp;
use serde::Serialize;
use tokens::Token;
use tokio::sync::mpsc;
use transport::{HttpClient, TlsError, TlsOptions};
use url::Url;

use super::view::TokenView;
use crate::errors;

/// `sha256=` and the HMAC of the body in hexadecimal.
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature-256");
/// Notifications that wait; more are dropped.
const QUEUE: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer, of which only the status counts.
const MAX_ANSWER: usize = 64 * 1024;
/// Before each further attempt.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

/// What happened to a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// It waits for approval.
    Requested,
    /// It may be used now.
    Approved,
    /// It never may.
    Denied,
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "token.requested",
            Self::Approved => "token.approved",
            Self::Denied => "token.denied",
        }
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    event: &'static str,
    at: Timestamp,
    token: TokenView<'a>,
}

/// Sends notifications in the background, one after the other, until it is dropped and its queue is empty.
#[derive(Debug)]
pub(crate) struct Notifier {
    queue: mpsc::Sender<Bytes>,
}

struct Delivery {
    http: HttpClient,
    url: Url,
    key: Option<Key>,
}

impl Notifier {
    /// Begins to send to the URL of the settings.
    pub(crate) fn new(settings: &model::TokenNotify) -> Result<Self, TlsError> {
        let model::TokenNotify { url, secret, ca } = settings;
        let delivery = Delivery {
            http: client(ca.clone())?,
            url: url.clone(),
            key: secret.as_ref().map(|secret| Key::new(HMAC_SHA256, secret.expose().as_bytes())),
        };
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(delivery.run(waiting));
        Ok(Self { queue })
    }

    /// Tells what happened to a token; does not wait.
    pub(crate) fn tell(&self, event: Event, token: &Token) {
        let now = Timestamp::now();
        let notification = Notification { event: event.as_str(), at: now, token: TokenView::new(token, now) };
        let told = serde_json::to_vec(&notification).ok().map(Bytes::from);
        if told.is_none_or(|body| self.queue.try_send(body).is_err()) {
            tracing::warn!(token_id = %token.id, event = event.as_str(), "a notification is dropped");
        }
    }
}

fn client(ca: Option<PathBuf>) -> Result<HttpClient, TlsError> {
    HttpClient::new(&TlsOptions { ca, ..TlsOptions::default() }, None, TIMEOUT, MAX_ANSWER)
}

impl Delivery {
    async fn run(self, mut waiting: mpsc::Receiver<Bytes>) {
        while let Some(body) = waiting.recv().await {
            let mut pauses = PAUSES.iter();
            while let Err(error) = self.send(&body).await {
                let Some(pause) = pauses.next() else {
                    tracing::warn!(error, "a notification could not be delivered");
                    break;
                };
                tracing::info!(error, "a notification could not be delivered yet; it is tried again");
                tokio::time::sleep(*pause).await;
            }
        }
    }

    async fn send(&self, body: &Bytes) -> Result<(), String> {
        let mut request = Request::post(self.url.as_str())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.clone())
            .map_err(|error| error.to_string())?;
        if let Some(key) = &self.key {
            let signature = format!("sha256={}", HEXLOWER.encode(sign(key, body).as_ref()));
            let signature = HeaderValue::try_from(signature).map_err(|error| error.to_string())?;
            request.headers_mut().insert(SIGNATURE, signature);
        }
        let answer = self.http.send(request).await.map_err(|error| errors::chain(&error))?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(format!("{} answered {}", answer.url(), answer.status))
        }
    }
}
