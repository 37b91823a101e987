//! OIDC providers: discovery, keys, token validation and introspection.
//!
//! [`Providers::authenticate`] turns a [`BearerToken`] into an [`Identity`] or says why not ([`TokenError`]).
//! Nothing in a token chooses how it is checked: its unverified `iss` selects a configured provider by exact equality,
//! and algorithms, keys, audiences and types all come from that provider's configuration and documents (RFC 8725).
//!
//! [`Providers::client_credentials`] gets a client its own token with the credentials that it gave, and
//! [`Providers::recall`] reads claims that were verified earlier under the rules of now. [`Providers::log_in`] ends a person's login by
//! browser, for which [`Providers::login_address`] is the beginning.
//!
//! Keys are fetched ahead of time and kept fresh by [`Providers::run`]; a provider that is down leaves its last keys in
//! use, for [`ProviderConfig::max_stale`] at most. Verified tokens belong in a [`TokenCache`], which forgets them at expiry and when a key is withdrawn.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use oidc::{BearerToken, DEFAULT_MAX_TOKEN_LENGTH, ProviderConfig, Providers};
//!
//! let audiences = vec!["https://search.example".to_owned()];
//! let config = ProviderConfig::new("company", "https://login.example/realms/main", audiences);
//! let providers = Arc::new(Providers::new(vec![config])?);
//! providers.prefetch().await;
//! tokio::spawn(Arc::clone(&providers).run(std::future::pending()));
//!
//! let header = b"Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA";
//! let token = BearerToken::from_authorization(header, DEFAULT_MAX_TOKEN_LENGTH)?;
//! match providers.authenticate(&token).await {
//!     Ok(identity) => println!("{} with {:?}", identity.subject, identity.scopes),
//!     Err(error) if error.is_unavailable() => println!("503: {error}"),
//!     Err(error) => println!("401 {}: {error}", error.oauth_error()),
//! }
//! # Ok(())
//! # }
//! ```

mod algorithm;
#[doc(hidden)]
pub mod any_bytes;
mod bearer;
mod cache;
mod clock;
mod config;
mod discovery;
mod error;
mod identity;
mod introspection;
mod jwk;
mod jws;
mod login;
mod members;
mod provider;
mod providers;
mod rediscovery;
mod refresh;
mod relay;
mod status;
mod strict_json;
mod validation;
mod validity;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bearer::{BearerToken, DEFAULT_MAX_TOKEN_LENGTH, TokenHash};
pub use cache::TokenCache;
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use config::{ClaimNames, IntrospectionConfig, KeySource, ProviderConfig};
pub use error::{ConfigError, FetchError, TokenError};
pub use identity::Identity;
pub use login::{Login, LoginAnswer, LoginError, LoginRequest};
pub use providers::Providers;
pub use relay::{ClientProof, ProviderRefusal, RelayError};
pub use status::ProviderStatus;
