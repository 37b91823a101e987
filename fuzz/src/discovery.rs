//! What reads discovery documents, over any bytes. Panics when a promise is broken.

use oidc::any_bytes;
use serde_json::Value;

use super::provider::{CONFIG, ISSUER};

/// Hosts that plain HTTP may lead to.
const LOOPBACK: [&str; 2] = ["localhost", "[::1]"];

/// The answer to a request for the discovery document.
pub fn run(bytes: &[u8]) {
    let Some(addresses) = any_bytes::discovery(&CONFIG, bytes) else { return };
    // Members that are not used may hold what is no text.
    if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(document["issuer"], ISSUER, "a document of another issuer was taken");
    }
    for address in addresses {
        let host = address.host_str().unwrap_or_default();
        let here = LOOPBACK.contains(&host) || host.starts_with("127.");
        assert!(!host.is_empty() && (address.scheme() == "https" || address.scheme() == "http" && here));
    }
}
