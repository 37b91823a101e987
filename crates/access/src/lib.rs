//! What a token may do: scopes, mappings and the decision. No I/O.
//!
//! A [`Mapper`] turns what a verified token says (a [`Subject`]) into [`Rights`] on one cluster, and
//! [`Rights::decide`] answers an [`rest::Ask`] with a [`Permit`] or a [`Denial`]. What is not granted is
//! denied.
//!
//! ```
//! let held: access::Scope = "read:logs-*".parse()?;
//! let inside = rest::classify("GET", "/logs-2026/_search", None)?;
//! assert!(inside.needs.iter().all(|need| held.allows(need)));
//! let wider = rest::classify("GET", "/log*/_search", None)?;
//! assert!(!wider.needs.iter().all(|need| held.allows(need)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * A need is allowed when one held scope covers it whole. Scopes are not added up: `read:a` and `read:b` do
//!   not make `read:*`.
//! * `admin` on a resource includes every other action on it; no other action includes another.
//! * Of several scopes that allow a need, the narrowest counts, since engine roles and backend user follow it.
//! * A scope with a cluster prefix counts on that cluster only. Without one it counts on the only cluster, or
//!   where the cluster's audience is among the token's audiences.

mod decision;
mod glob;
mod inquiry;
mod mapper;
mod mapping;
mod overlap;
mod rights;
mod scope;
mod text;

pub use decision::{BackendUserConflict, Denial, Permit, TenantConflict};
pub use glob::Glob;
pub use inquiry::Watch;
pub use mapper::{ClusterRules, Mapper, MapperError};
pub use mapping::{Condition, Granted, Mapping, ScopesOnly, Subject};
pub use rights::Rights;
pub use scope::{Governed, Grant, Scope, ScopeError};
