//! Authorization server metadata (RFC 8414 section 2).

use serde::Serialize;

use crate::{CLIENT_CREDENTIALS, TOKEN_EXCHANGE};

/// What this token service offers and where.
#[derive(Clone, Debug, Serialize)]
pub struct ServerMetadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    /// Required by the RFC; empty, since there is no authorization endpoint.
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    /// Required beside `private_key_jwt`. Which of them a client may use is the provider's decision.
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 9],
    /// The token's own secret proves that it may be ended.
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    service_documentation: String,
}

impl ServerMetadata {
    /// The metadata of the service at `issuer`, a URL without a slash at its end.
    pub fn new(issuer: &str, scopes_supported: Vec<String>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: format!("{issuer}/oauth/token"),
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            introspection_endpoint: format!("{issuer}/oauth/introspect"),
            response_types_supported: [],
            grant_types_supported: [CLIENT_CREDENTIALS, TOKEN_EXCHANGE],
            token_endpoint_auth_methods_supported: [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
            ],
            token_endpoint_auth_signing_alg_values_supported: [
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
            ],
            revocation_endpoint_auth_methods_supported: ["none"],
            scopes_supported,
            service_documentation: format!("{issuer}/oauth/openapi.json"),
        }
    }
}
