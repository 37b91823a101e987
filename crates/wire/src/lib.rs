//! A strict reader in front of the HTTP/1 parser that refuses ambiguous framing.
//!
//! Two programs that read one byte stream must agree where each request begins and ends; where they do not, a request
//! can be hidden inside another. A lenient parser settles an ambiguity and leaves no trace of it. [`Guard`] stands
//! between the connection and such a parser, follows the framing of every request, and lets through only what has one
//! reading.

mod body;
mod buffer;
pub mod client;
mod decode;
mod encode;
mod field;
mod guard;
mod head;
mod limits;
mod scratch;
pub mod server;
mod status;
mod timer;
mod violation;

pub use guard::{Guard, REFUSED_METHOD};
pub use limits::Limits;
pub use violation::Violation;
