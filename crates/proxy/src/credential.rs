//! As whom: the engine credential of an allowed request.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use engine::{Caller, Credential, IdentityError};
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body::Body as _;
use secrecy::SecretString;

use crate::{
    body::Progress, gather::Gathered, headers::text_value, inspect::Inspected, intake::REQUEST_ID,
    snapshot::Destination,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request ready for the engine: allowed, cleaned, and under an identity with no more rights than allowed it. The
/// upstream takes nothing else.
#[derive(Debug)]
pub struct Credentialed {
    request: Request<Inspected>,
    destination: Destination,
    progress: Arc<Progress>,
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

    /// The request, for sending.
    pub(crate) fn into_request(self) -> Request<Inspected> {
        self.request
    }
}

/// The credential under which `gathered` is sent, to be told in the audit record.
pub fn obtain(gathered: &Gathered, source: IpAddr) -> Result<Credential, IdentityError> {
    let identity = gathered.principal.identity();
    let engine = gathered.cluster.identity();
    let token = matches!(engine, engine::EngineIdentity::Forward)
        .then(|| SecretString::from(gathered.token.expose().to_owned()));
    engine.credential(&Caller {
        provider: &identity.provider,
        user_id: identity.user_id.as_deref(),
        client_id: identity.client_id.as_deref(),
        subject: &identity.subject,
        permit: gathered.permit(),
        claims: &identity.claims,
        source,
        token: token.as_ref(),
        now: SystemTime::now(),
    })
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
    let mut request = Request::builder().method(method).uri(Uri::from(target)).body(body)?;
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
    Ok(Credentialed { request, destination, progress })
}
