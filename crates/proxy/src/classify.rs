//! What a request asks: operation, action, targets.

use rest::{Ask, Refusal};

use crate::intake::Received;

/// A request with what it asks.
#[derive(Debug)]
pub struct Classified {
    /// The request.
    pub received: Received,
    /// What it asks, or why the proxy does not serve it. Told only to callers who are known.
    pub ask: Result<Ask, Refusal>,
}

/// Reads what `received` asks. A request that two readers could understand differently is refused here, whoever sent
/// it; that an operation is unknown is found here but told after authentication.
pub fn classify(received: Received) -> Result<Classified, Refusal> {
    let ask = rest::classify(received.method.as_str(), received.target.path(), received.target.query());
    match ask {
        Err(refusal) if refusal.status() == 400 => Err(refusal),
        ask => Ok(Classified { received, ask }),
    }
}
