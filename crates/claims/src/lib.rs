//! The claims of a token, and paths to them. No I/O.
//!
//! A [`ClaimPath`] is what the configuration writes to say where in a token something stands. Its grammar:
//!
//! ```text
//! path   = name *( "." name )
//! name   = plain / quoted
//! plain  = 1*( any character except "." "/" and the double quote )
//! quoted = DQUOTE 1*( any character except the double quote / 2DQUOTE ) DQUOTE
//! ```
//!
//! Two double quotes within a quoted name stand for one, so that every name but the empty one can be written.
//!
//! ```
//! let claims = serde_json::json!({
//!     "realm_access": { "roles": ["reader", "writer"] },
//!     "https://example.com/groups": "sre",
//! });
//! let claims = claims.as_object().ok_or("no object")?;
//!
//! let roles: claims::ClaimPath = "realm_access.roles".parse()?;
//! assert_eq!(roles.texts(claims), ["reader", "writer"]);
//! let groups: claims::ClaimPath = r#""https://example.com/groups""#.parse()?;
//! assert_eq!(groups.texts(claims), ["sre"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod claims;
mod parse;
mod path;

pub use claims::Claims;
pub use parse::ClaimPathError;
pub use path::{ClaimPath, Tree, scalar_text};
