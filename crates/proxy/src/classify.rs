//! What a request asks: operation, action, targets.

use http::{HeaderMap, header, uri::PathAndQuery};
use rest::{Inquiry, Refusal};

use crate::{intake::Received, principal::Principal, snapshot::Destination};

/// A request with what it asks.
#[derive(Debug)]
pub struct Classified {
    /// The request.
    pub received: Received,
    /// What it asks, or why the proxy does not serve it. Told only to callers who are known.
    pub ask: Result<Inquiry, Refusal>,
}

/// Reads what `received` asks. A request that two readers could understand differently is refused here, whoever sent
/// it; that an operation is unknown is found here but told after authentication.
pub fn classify(received: Received) -> Result<Classified, Refusal> {
    match inquire(&received, &received.target, received.cluster.reads_bodies()) {
        Err(refusal) if refusal.status() == 400 => Err(refusal),
        ask => Ok(Classified { received, ask }),
    }
}

impl Classified {
    /// The same where the caller's bodies are read though the cluster's are not.
    #[must_use]
    pub fn asked_by(mut self, caller: &Principal) -> Self {
        let of_cluster = self.received.cluster.reads_bodies();
        if has_bodies_read(caller, &self.received) != of_cluster {
            self.ask = inquire(&self.received, &self.received.target, !of_cluster);
        }
        self
    }
}

/// Whether the bodies of this caller's requests are read. What a managed token may do of what its owner may, the engine does not know:
/// its role is the owner's, so that nobody but the proxy can hold a body to it.
pub fn has_bodies_read(caller: &Principal, received: &Received) -> bool {
    received.cluster.reads_bodies() || caller.managed().is_some()
}

/// What `received` asks, were it for `target`, its body to be read or not.
pub fn inquire(received: &Received, target: &PathAndQuery, reads_body: bool) -> Result<Inquiry, Refusal> {
    let (method, path, query) = (received.method.as_str(), target.path(), target.query());
    if let Destination::Dashboards(_) = received.destination {
        let inquiry = dashboards::inquire(method, path, query, content_type(&received.headers))?;
        return Ok(if reads_body { inquiry } else { inquiry.unread() });
    }
    if reads_body {
        return rest::inquire(method, path, query, content_type(&received.headers));
    }
    // Without a look into bodies, a route whose targets stand there needs everything.
    rest::classify(method, path, query).map(|ask| Inquiry {
        operation: ask.operation,
        needs: ask.needs,
        body: None,
    })
}

/// The one media type of the body. Of two, no one knows which counts: the body is then of no type that is read.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
