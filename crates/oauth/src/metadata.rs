//! Authorization server metadata (RFC 8414 section 2).

use serde::Serialize;

use crate::{AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE};

/// What this token service offers and where.
#[derive(Clone, Debug, Serialize)]
pub struct ServerMetadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    #[serde(flatten)]
    asking: Option<AsksPeople>,
    /// Required by the RFC, even where there is no authorization endpoint.
    response_types_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Required beside `private_key_jwt`. Which of them a client may use is the provider's decision.
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 9],
    /// The token's own secret proves that it may be ended.
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    service_documentation: String,
}

/// What a service says that asks people.
#[derive(Clone, Debug, Serialize)]
struct AsksPeople {
    authorization_endpoint: String,
    /// RFC 8628 section 4.
    device_authorization_endpoint: String,
    response_modes_supported: [&'static str; 1],
    /// RFC 7636 section 6.2.
    code_challenge_methods_supported: [&'static str; 1],
    /// RFC 9207 section 3.
    authorization_response_iss_parameter_supported: bool,
}

impl AsksPeople {
    fn new(issuer: &str) -> Self {
        Self {
            authorization_endpoint: format!("{issuer}/oauth/authorize"),
            device_authorization_endpoint: format!("{issuer}/oauth/device_authorization"),
            response_modes_supported: ["query"],
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
        }
    }
}

impl ServerMetadata {
    /// The metadata of the service at `issuer`, a URL without a slash at its end. `asks_people`: it has clients of its own, for which
    /// it asks people.
    pub fn new(issuer: &str, scopes_supported: Vec<String>, asks_people: bool) -> Self {
        let mut grants = vec![CLIENT_CREDENTIALS, TOKEN_EXCHANGE];
        let mut methods = vec!["client_secret_basic", "client_secret_post", "private_key_jwt"];
        if asks_people {
            grants.extend([AUTHORIZATION_CODE, DEVICE_CODE]);
            methods.push("none");
        }
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: format!("{issuer}/oauth/token"),
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            introspection_endpoint: format!("{issuer}/oauth/introspect"),
            asking: asks_people.then(|| AsksPeople::new(issuer)),
            response_types_supported: if asks_people { vec!["code"] } else { Vec::new() },
            grant_types_supported: grants,
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: [
                "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
            ],
            revocation_endpoint_auth_methods_supported: ["none"],
            scopes_supported,
            service_documentation: format!("{issuer}/oauth/openapi.json"),
        }
    }
}
