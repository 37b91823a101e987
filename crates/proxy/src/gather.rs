//! Small bodies are read before anything is sent.
//!
//! The identity that a request has at the engine is told in its headers, before the body. A body that is read on its way
//! therefore goes under every held scope that it could need. Most bodies are small: those are kept until they are read,
//! and the request goes under the scopes that it really used. It is also refused without troubling the engine.

use std::sync::Arc;

use access::Permit;
use http::{HeaderMap, Method, uri::PathAndQuery};
use oidc::BearerToken;
use rest::BodyLimits;

use crate::{
    authorize::{Authorized, Reading},
    body::{BodyError, Progress},
    handles::Answering,
    inflate::Inflater,
    inspect::{Findings, Inspected, Inspector},
    intake::Received,
    principal::Principal,
    snapshot::{Cluster, Destination},
};

/// Bytes of a body, as it came, that are kept until it is read. Most requests that are not bulks are smaller, and
/// even ten thousand of them at once stay under a gigabyte.
const SMALL: usize = 64 * 1024;

/// An authorised request with its body in the hands of whoever reads it.
#[derive(Debug)]
pub struct Gathered {
    /// The cluster addressed.
    pub cluster: Arc<Cluster>,
    /// What of it.
    pub destination: Destination,
    /// The method.
    pub method: Method,
    /// Path and query as the engine gets them.
    pub target: PathAndQuery,
    /// Cleaned headers.
    pub headers: HeaderMap,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// The caller's token.
    pub token: BearerToken,
    /// What has to be done to the answer.
    pub answering: Option<Answering>,
    permit: Permit,
    body: Inspected,
}

impl Gathered {
    /// Puts the body of `authorized` under inspection; nothing of it is read yet.
    pub fn new(authorized: Authorized) -> Self {
        let Authorized { received, principal, permit, token, reading, answering, judge, .. } = authorized;
        let Received { cluster, method, target, headers, authorization: _, tenants: _, destination, body } =
            received;
        let inspector = reading.map(|Reading { plan, coding, watch }| {
            let reader = plan.reader(BodyLimits::default());
            Inspector::new(
                reader,
                coding.map(Inflater::new),
                watch,
                Arc::clone(&principal),
                Arc::clone(&cluster),
                judge,
            )
        });
        let body = Inspected::new(body, inspector);
        Self { cluster, destination, method, target, headers, principal, token, answering, permit, body }
    }

    /// Reads the body to its end if it is small. A larger one stays to be read on its way.
    ///
    /// # Errors
    ///
    /// When the body breaks off, stands still, or is stopped for what stands in it, which [`Self::findings`] tells.
    pub async fn read(&mut self) -> Result<(), BodyError> {
        self.body.keep(SMALL).await?;
        if let Some(exact) = self.body.permit().filter(|permit| !permit.scopes.is_empty()) {
            self.permit = exact;
        }
        Ok(())
    }

    /// What allows the request: exactly, if its body was read to the end.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The progress of the body.
    pub fn progress(&self) -> Arc<Progress> {
        self.body.progress()
    }

    /// What is found in the body, where it is read.
    pub fn findings(&self) -> Option<Arc<Findings>> {
        self.body.findings()
    }

    /// The body, for sending.
    pub fn into_body(self) -> (Method, PathAndQuery, HeaderMap, Inspected) {
        (self.method, self.target, self.headers, self.body)
    }
}
