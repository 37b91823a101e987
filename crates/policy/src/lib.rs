//! Cedar policies over what requests ask: who may do what to which index, on top of the scopes.
//!
//! Policies are written in [Cedar](https://www.cedarpolicy.com) against a [schema](schema::text) that knows every operation
//! of the engine, with its action as a group: `Action::"search"` is in `Action::"read"`.
//!
//! # Patterns
//!
//! A request can ask for `logs-*`, and so can a policy speak of `logs-*`. A permit has to hold for *everything* that the request
//! can touch; a forbid has to hold as soon as it can touch *anything* of what is forbidden. Cedar knows nothing of patterns, so
//! each is an entity: what is asked for is a child of every `Index::"P"` that contains it, and of a twin for each that
//! it may touch. Where a test must rather err to the other side (in a forbid, after `!`, in `unless`) it is rewritten to
//! the twin when the policies are [read](PolicySet::parse). A test whose side cannot be told is refused then.
//!
//! So it is with the types and workspaces of saved objects of Dashboards, of which a request can be for all.
//!
//! # Example
//!
//! ```
//! use policy::{Asker, Circumstances, Decision, Kind, PolicySet, Source, Wish};
//! use rest::{Action, Resource};
//!
//! let text = r#"
//!     permit(principal == Agent::"langchain-agent", action in Action::"read", resource in Index::"logs-*");
//!     forbid(principal in Group::"agents", action, resource in Index::"logs-pii-*");
//! "#;
//! let policies = PolicySet::parse(&[Source { name: "agents.cedar".into(), text: text.into() }]).unwrap();
//! let asker = Asker { kind: Kind::Agent, id: "langchain-agent", provider: "keycloak", groups: &["agents".into()] };
//! let about = Circumstances::new("main", "langchain-agent", "127.0.0.1".parse().unwrap());
//! let decide = |index: &str| {
//!     let on = Resource::Index(index.parse().unwrap());
//!     policies.decide(&asker, &Wish { operation: "search", main: Action::Read, action: Action::Read, on: &on }, &about)
//! };
//! assert!(matches!(decide("logs-app-1"), Decision::Allow { .. }));
//! assert!(matches!(decide("logs-pii-1"), Decision::Deny { .. }));
//! // It could touch what is forbidden.
//! assert!(matches!(decide("logs-*"), Decision::Deny { .. }));
//! ```

mod cache;
mod decide;
mod fault;
mod named;
mod names;
mod pieces;
mod reach;
pub mod schema;
mod set;
mod slice;

pub use decide::{Asker, Circumstances, Decision, Kind, Wish};
pub use fault::{Fault, Place};
pub use named::Named;
pub use names::operations_like;
pub use pieces::comments;
pub use set::{PolicySet, Source};
