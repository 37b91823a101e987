//! How the proxy speaks to the engine: as whom, and the security configuration that this needs.
//!
//! The engine judges every request again under an identity that never holds more than the scopes which allowed the
//! request. [`EngineIdentity`] turns the verified caller and the proxy's permit into the headers of that identity:
//!
//! - the **user name** is `<provider>:<user or client>`, so that a provider's user called `admin` can never meet what
//!   the engine grants to its own `admin` (see [`engine_user_name`]);
//! - the **backend roles** are the canonical strings of the scopes that allowed the request and the roles that the
//!   configuration maps to them, nothing else;
//! - the **attributes** are claims of the caller's token, for document-level security (see [`Caller::claims`]).
//!
//! [`Setup`] is the engine's side of the same agreement: the authentication domain, one role for each scope, and the
//! mapping between the two. It can be written as files, as REST calls, applied, and checked against a running engine.

mod api_token;
mod attributes;
mod backend_user;
mod caller;
mod credential;
mod identity;
mod key;
mod name;
mod own;
mod proxy_headers;
pub mod setup;
mod signed_jwt;
#[cfg(test)]
mod testing;

pub use api_token::{ApiTokenError, ApiTokenStats, ApiTokens};
pub use attributes::{AttributeError, Attributes};
pub use backend_user::BackendUsers;
pub use caller::Caller;
pub use credential::Credential;
pub use identity::{ApiTokenIdentity, EngineIdentity, IdentityError};
pub use key::{KeyError, KeyKind, SigningKey, generate_key};
pub use name::engine_user_name;
pub use proxy_headers::ProxyHeaders;
pub use setup::{Setup, SetupError};
pub use signed_jwt::SignedJwt;
