//! The wire forms of an OAuth 2.0 token service: no I/O, no keys, no decisions.
//!
//! What arrives becomes a [`TokenRequest`] or an [`AuthorizationRequest`], read from a [`Form`] that has one meaning only; what leaves is a
//! [`TokenAnswer`], an [`Introspection`] or an [`OAuthError`]. Who may have what is decided elsewhere.
//!
//! ```
//! use oauth::{ErrorCode, Form, Grant, Owner, TokenRequest};
//!
//! let body = b"grant_type=client_credentials&client_id=agent&client_secret=x&scope=read%3Alogs-*";
//! let request = TokenRequest::read(None, &Form::parse(body)?)?;
//! assert!(matches!(request.grant, Grant::ClientCredentials(_)));
//! assert_eq!(request.options.scope.unwrap().to_string(), "read:logs-*");
//!
//! // Two readers of this form could see two clients, so nobody reads it.
//! let error = Form::parse(b"client_id=a&client_id=b").unwrap_err();
//! assert_eq!(error.code, ErrorCode::InvalidRequest);
//! # Ok::<(), oauth::OAuthError>(())
//! ```

mod answer;
mod authorization;
mod client;
mod error;
mod form;
mod labels;
mod metadata;
mod pkce;
mod redirect;
mod request;
mod scope;

pub use answer::{ACCESS_TOKEN_TYPE, Introspection, JWT_TYPE, TokenAnswer};
pub use authorization::{AuthorizationRequest, Prompt, Wish};
pub use client::{ClaimedClient, ClientAuthentication};
pub use error::{ErrorCode, OAuthError};
pub use form::{Form, MAX_FORM};
pub use metadata::ServerMetadata;
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect::{is_loopback_redirect, is_registered_redirect, with_parameters};
pub use request::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, CodeRedemption, DEVICE_CODE, DeviceRedemption, Exchange, Grant,
    Owner, TOKEN_EXCHANGE, Target, TokenOptions, TokenRequest,
};
pub use scope::ScopeSet;
