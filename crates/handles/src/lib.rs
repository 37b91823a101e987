//! Handles bound to whoever made them. No I/O.
//!
//! A scroll, a point in time, an asynchronous search, a task and a cursor of SQL are known to the engine by a text that
//! works for everyone who has it. Here each is wrapped on its way out and unwrapped on its way back: the wrapped text
//! carries what was needed to make it, and a tag over that, its owner, its cluster and its kind. Nothing is remembered, so
//! replicas need nothing in common but a secret.
//!
//! ```
//! use handles::{Binding, Key, Keys, Kind, Owner, Reach};
//!
//! let keys = Keys::from(Key::derive(b"thirty-two bytes or more, kept secret")?);
//! let alice = Owner::new(b"keycloak", b"alice", Some(b"dashboard"), None);
//! let binding = Binding { cluster: "main", kind: Kind::Scroll, owner: &alice };
//!
//! let ask = rest::classify("GET", "/logs-*/_search", Some("scroll=1m"))?;
//! let reach = Reach::of(&ask.needs).ok_or("a search is of indices")?;
//! let wrapped = keys.wrap(&binding, &reach, "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ5QW5kRmV0Y2g=")?;
//!
//! let used = keys.unwrap(&binding, wrapped.as_str())?;
//! assert_eq!(used.original, "FGluY2x1ZGVfY29udGV4dF91dWlkDXF1ZXJ5QW5kRmV0Y2g=");
//! assert_eq!(used.reach.to_string(), "read:logs-*");
//!
//! let bob = Owner::new(b"keycloak", b"bob", Some(b"dashboard"), None);
//! assert!(keys.unwrap(&Binding { owner: &bob, ..binding }, wrapped.as_str()).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`places`] says where the handles of an operation stand. [`Rewriter`] replaces the handles in an answer of the engine while that streams by, and [`rewrite`] those in a request's
//! body. [`Caller`] and [`Wrapping`] put these together for one exchange: a request's handles unwrapped with the needs that
//! follow, its answer's wrapped.
//!
//! # What this protects, and what it does not
//!
//! * A wrapped handle is refused for anyone but its owner, and each use is judged by what the owner's token may do at that
//!   moment: the needs of [`Reach::needs`].
//! * The reach and the engine's handle are readable in it. Whoever is allowed to use engine handles as they are (a need over
//!   everything) gains nothing from the wrapping and can unwrap by hand.
//! * A handle lives as long as the engine keeps what it stands for; the wrapping adds no time of its own.

mod answer;
mod caller;
mod field;
mod key;
mod owner;
mod places;
mod reach;
mod rewrite;
mod wrapped;

pub use answer::Wrapping;
pub use caller::{Caller, Line, UsedHandles, parameter};
pub use field::Field;
pub use key::{Key, KeyError, Keys};
pub use owner::Owner;
pub use places::{Places, Told, Used, When, places};
pub use reach::Reach;
pub use rewrite::{Problem, RewriteError, Rewriter, rewrite};
pub use wrapped::{Binding, Kind, UnknownHandle, Unwrapped, WrapError, Wrapped};
