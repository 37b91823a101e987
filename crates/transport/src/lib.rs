//! TLS set-up and a small bounded HTTP client, shared by everything that connects out.
//!
//! - [`client_config`] and [`server_config`] build the rustls configurations of the whole program, so that protocol
//!   versions, trust and the crypto provider are decided in one place. There is no switch to skip verification.
//! - [`ServerCertificate`] is a certificate that can be replaced while connections are served.
//! - [`Connector`] opens TCP, TLS and proxied connections for a pooled client.
//! - [`HttpClient`] makes the few calls that are no proxied traffic (discovery, keys, introspection, the engine's own
//!   API): bounded in time and size, following no redirect.

mod authorization;
mod certificate;
mod client;
mod connector;
mod error;
mod pem;
mod response;
mod tls;
mod validity;

pub use authorization::{basic_auth, client_secret_basic};
pub use certificate::ServerCertificate;
pub use client::HttpClient;
pub use connector::{ConnectError, Connection, Connector, ForwardProxy};
pub use error::{HttpError, TlsError, redact_url};
pub use response::HttpResponse;
pub use tls::{
    ClientAuthentication, ClientIdentity, TlsOptions, TrustRoots, client_config, install_crypto_provider,
    server_config,
};
