//! OIDC providers: discovery, keys, token validation and introspection.
//!
//! [`Providers::authenticate`] turns a [`BearerToken`] into an [`Identity`] or says why not ([`TokenError`]).
//! Nothing in a token chooses how it is checked: its unverified `iss` selects a configured provider by exact equality,
//! and algorithms, keys, audiences and types all come from that provider's configuration and documents (RFC 8725).
//!
//! Keys are fetched ahead of time and kept fresh by [`Providers::run`]; a provider that is down leaves its last keys in
//! use. Verified tokens belong in a [`TokenCache`], which forgets them at expiry and when a key is withdrawn.

mod algorithm;
mod bearer;
mod cache;
mod claim_path;
mod clock;
mod config;
mod discovery;
mod error;
mod identity;
mod introspection;
mod jwk;
mod jws;
mod provider;
mod providers;
mod refresh;
mod status;
mod strict_json;
mod validation;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bearer::{BearerToken, DEFAULT_MAX_TOKEN_LENGTH, TokenHash};
pub use cache::TokenCache;
pub use claim_path::{ClaimPath, ClaimPathError};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use config::{ClaimNames, IntrospectionConfig, KeySource, ProviderConfig};
pub use error::{ConfigError, FetchError, TokenError};
pub use identity::Identity;
pub use providers::Providers;
pub use status::ProviderStatus;
