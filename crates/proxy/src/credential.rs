//! As whom: the engine credential of an allowed request.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use engine::{Caller, Credential, IdentityError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body::{Body, Frame, SizeHint};
use secrecy::SecretString;

use crate::{
    body::{BodyError, Progress},
    gather::Gathered,
    headers::text_value,
    inspect::Inspected,
    intake::REQUEST_ID,
    snapshot::Destination,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request ready for the engine: allowed, cleaned, and under an identity with no more rights than allowed it. The
/// upstream takes nothing else.
#[derive(Debug)]
pub struct Credentialed {
    request: Request<Outgoing>,
    destination: Destination,
    progress: Arc<Progress>,
    /// Whether it goes with a token that the engine may have forgotten.
    may_be_forgotten: bool,
}

/// The body that the engine gets.
#[derive(Debug)]
pub enum Outgoing {
    /// The client's.
    Inspected(Inspected),
    /// None, of a request that is sent once more.
    Empty,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Inspected(body) => Pin::new(body).poll_frame(cx),
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Inspected(body) => body.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Inspected(body) => body.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}

/// A copy of a request without a body, to be sent again under another credential of the same rights.
#[derive(Debug)]
pub struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    destination: Destination,
    progress: Arc<Progress>,
}

impl Spare {
    /// The request under `credential`.
    pub fn with(self, credential: &Credential) -> Credentialed {
        let Self { method, uri, headers, destination, progress } = self;
        let mut request = Request::new(Outgoing::Empty);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        credential.apply(request.headers_mut());
        Credentialed { request, destination, progress, may_be_forgotten: false }
    }
}

impl Credentialed {
    /// The progress of the request's body.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Where it is to be sent.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// What it takes to send it again, where that can be needed and nothing of a body is lost.
    pub fn spare(&self) -> Option<Spare> {
        (self.may_be_forgotten && self.request.body().is_end_stream()).then(|| Spare {
            method: self.request.method().clone(),
            uri: self.request.uri().clone(),
            headers: self.request.headers().clone(),
            destination: self.destination.clone(),
            progress: self.progress(),
        })
    }

    /// The request, for sending.
    pub(crate) fn into_request(self) -> Request<Outgoing> {
        self.request
    }
}

/// The credential under which `gathered` is sent, to be told in the audit record.
pub async fn obtain(gathered: &Gathered, source: IpAddr) -> Result<Credential, IdentityError> {
    let identity = gathered.principal.identity();
    let engine = gathered.cluster.identity();
    let token = matches!(engine, engine::EngineIdentity::Forward)
        .then(|| SecretString::from(gathered.token.expose().to_owned()));
    let caller = Caller {
        provider: &identity.provider,
        user_id: identity.user_id.as_deref(),
        client_id: identity.client_id.as_deref(),
        subject: &identity.subject,
        permit: gathered.permit(),
        claims: &identity.claims,
        source,
        token: token.as_ref(),
        now: SystemTime::now(),
    };
    if !suits_a_token(gathered)
        && let Some(credential) = engine.in_place_of_a_token(&caller)
    {
        return credential;
    }
    engine.obtain(&caller).await
}

/// Whether a token of the engine's own serves this request. Dashboards asks the engine for more than the request's scopes, and the
/// engine changes no part of a document under a token.
fn suits_a_token(gathered: &Gathered) -> bool {
    let mut segments = gathered.target.path().split('/').skip(2);
    gathered.destination.is_engine() && segments.next() != Some("_update")
}

/// Turns `gathered` into the request that the engine gets.
pub fn apply(
    gathered: Gathered,
    credential: &Credential,
    source: IpAddr,
    request_id: &str,
) -> Result<Credentialed, http::Error> {
    let progress = gathered.progress();
    let destination = gathered.destination.clone();
    let (method, target, cleaned, body) = gathered.into_body();
    let target = match &destination {
        Destination::Engine => target,
        Destination::Dashboards(dashboards) => dashboards.target(target)?,
    };
    let length_unknown = !body.is_end_stream() && body.size_hint().exact().is_none();
    let mut request =
        Request::builder().method(method).uri(Uri::from(target)).body(Outgoing::Inspected(body))?;
    *request.headers_mut() = cleaned;
    let headers = request.headers_mut();
    if length_unknown {
        // Hyper would otherwise leave out the body of a GET, and `GET /logs/_search` has one.
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    // Clients' own values were removed on the way in, so these are the only ones.
    if let Ok(address) = HeaderValue::from_str(&source.to_string()) {
        headers.insert(FORWARDED_FOR, address);
    }
    headers.insert(REQUEST_ID, text_value(request_id));
    credential.apply(headers);
    Ok(Credentialed { request, destination, progress, may_be_forgotten: credential.is_engine_token() })
}
