//! As whom: the engine credential of an allowed request.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use engine::{Caller, Credential, IdentityError};
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body::Body as _;
use rest::BodyLimits;
use secrecy::SecretString;

use crate::{
    authorize::{Authorized, Reading},
    body::{Progress, Watched},
    headers::text_value,
    inflate::Inflater,
    inspect::{Findings, Inspected, Inspector},
    intake::REQUEST_ID,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request ready for the engine: allowed, cleaned, and under an identity with no more rights than allowed it. The
/// upstream takes nothing else.
#[derive(Debug)]
pub struct Credentialed {
    request: Request<Inspected>,
    progress: Arc<Progress>,
    findings: Option<Arc<Findings>>,
}

impl Credentialed {
    /// The progress of the request's body.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What is found in the body, where it is read.
    pub fn findings(&self) -> Option<Arc<Findings>> {
        self.findings.clone()
    }

    /// The request, for sending.
    pub(crate) fn into_request(self) -> Request<Inspected> {
        self.request
    }
}

/// The credential under which `authorized` is sent, to be told in the audit record.
pub fn obtain(authorized: &Authorized, source: IpAddr) -> Result<Credential, IdentityError> {
    let identity = authorized.principal().identity();
    let engine = authorized.received().cluster.identity();
    let token = matches!(engine, engine::EngineIdentity::Forward)
        .then(|| SecretString::from(authorized.token().expose().to_owned()));
    engine.credential(&Caller {
        provider: &identity.provider,
        user_id: identity.user_id.as_deref(),
        client_id: identity.client_id.as_deref(),
        subject: &identity.subject,
        permit: authorized.permit(),
        claims: &identity.claims,
        source,
        token: token.as_ref(),
        now: SystemTime::now(),
    })
}

/// Turns `authorized` into the request that the engine gets.
pub fn apply(
    authorized: Authorized,
    credential: &Credential,
    source: IpAddr,
    request_id: &str,
    body_idle: Duration,
) -> Result<Credentialed, http::Error> {
    let (received, reading, principal) = authorized.into_parts();
    let uri = Uri::from(received.target);
    let inspector = reading.map(|Reading { plan, coding }| {
        let reader = plan.reader(BodyLimits::default());
        Inspector::new(reader, coding.map(Inflater::new), principal, received.cluster.index())
    });
    let findings = inspector.as_ref().map(Inspector::findings);
    let body = Inspected::new(Watched::new(received.body, body_idle), inspector);
    let length_unknown = !body.is_end_stream() && body.size_hint().exact().is_none();
    let progress = body.progress();
    let mut request = Request::builder().method(received.method).uri(uri).body(body)?;
    *request.headers_mut() = received.headers;
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
    Ok(Credentialed { request, progress, findings })
}
