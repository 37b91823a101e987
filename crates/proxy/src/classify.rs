//! What a request asks: operation, action, targets.

use http::{HeaderMap, header, uri::PathAndQuery};
use rest::{Inquiry, Refusal};

use crate::{intake::Received, snapshot::Destination};

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
    match inquire(&received, &received.target) {
        Err(refusal) if refusal.status() == 400 => Err(refusal),
        ask => Ok(Classified { received, ask }),
    }
}

/// What `received` asks, were it for `target`.
pub fn inquire(received: &Received, target: &PathAndQuery) -> Result<Inquiry, Refusal> {
    let (method, path, query) = (received.method.as_str(), target.path(), target.query());
    if let Destination::Dashboards(_) = received.destination {
        let inquiry = dashboards::inquire(method, path, query, content_type(&received.headers))?;
        return Ok(if received.cluster.reads_bodies() { inquiry } else { inquiry.unread() });
    }
    if received.cluster.reads_bodies() {
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
