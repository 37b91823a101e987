//! What a request asks of OpenSearch: operation, action and targets. No I/O.
//!
//! [`classify`] reads a request line exactly as the engine would and answers with an [`Ask`]: the operation
//! and every [`Need`] that must be allowed before the request may be forwarded. Whatever two parsers could
//! read differently is a [`Refusal`]. [`inquire`] does the same for requests whose bodies are read, too, and says
//! how: see [`BodyReader`].
//!
//! ```
//! let ask = rest::classify("GET", "/logs-*,-logs-old/_search", Some("size=10"))?;
//! assert_eq!(ask.operation.name, "search");
//! assert_eq!(ask.needs[0].to_string(), "read on logs-*");
//!
//! let refusal = rest::classify("GET", "/logs//_search", None).unwrap_err();
//! assert_eq!((refusal.status(), refusal.reason()), (400, "path_not_canonical"));
//! # Ok::<(), rest::Refusal>(())
//! ```
//!
//! # How a request line is read
//!
//! * The engine matches its routes against the raw path and decodes the variables afterwards, so literals are
//!   compared undecoded here too. An encoded unreserved character has no honest use and is refused.
//! * Routes come from `data/operations.tsv`, compiled into a trie by the build script. The trie is searched in
//!   the engine's four passes, so that the same route wins.
//! * A path that matches no row is refused. So is a name that looks like a route the table does not know
//!   (`_lowercase`), since an engine with more plugins could have such a route.
//!
//! # Query parameters
//!
//! The engine keeps path variables and query parameters in one map, so a query parameter can stand in for a
//! path variable. Parameters were sorted by what they can move:
//!
//! * Names that handlers read as targets (`index`, `indices`, `alias`, `aliases`, `target`, `new_index`) are
//!   refused everywhere, as is a parameter named like a variable of the matched route. The cure is to name the
//!   target in the path.
//! * `source` and `source_content_type` replace the body and would slip past anything that reads it: refused.
//!   `access_token` is a credential in a place that is logged: refused.
//! * `pipeline` and `search_pipeline` choose a pipeline that can set another index, call out to another system,
//!   or (as `_none`) switch off a default that was meant to bind. They need the operation's actions over
//!   everything, with [`Origin::Query`].
//! * `expand_wildcards` with `hidden` or `all` lets a leading `*` reach names that begin with `.`, so such a
//!   target also needs `.*`.
//! * `scroll_id` names a handle; the routes that take it already need everything with [`Origin::Handle`].
//! * `routing` and `preference` choose shards of the same index, `filter_path`, `format`, `pretty`, `h`, `s`,
//!   `level` and `human` shape the answer, `q`, `df`, `_source…` and `stored_fields` choose within documents:
//!   none moves a target.
//!
//! # How a body is read
//!
//! [`inquire`] leaves to a [`BodyReader`] what stands in the body. It reads pieces as they come and keeps almost
//! nothing of them: the names of indices, and for each open object the hashes of its keys.
//!
//! * `data/unread.tsv` holds the operations that are named in bodies nobody reads, with the reasons: they need everything.
//! * `data/shapes.tsv` says for every kind of object which of its keys can name an index, hold another query, or
//!   neither; `data/bodies.tsv` says which kind each operation's body is. A key is only what its place makes it: a
//!   field may be called `index`.
//! * A key or a kind of query without a row is not understood, and then everything is needed
//!   ([`Origin::NotUnderstood`]). Nothing is guessed, and a query that a later engine invents is not let through.
//! * What two parsers could read differently is a [`BodyRefusal`]: keys given twice, byte order marks, comments,
//!   numbers that no double holds, half of a surrogate pair, anything after the object, other formats than JSON.
//!   Within a document of a bulk none of that matters, and its bytes are only searched for the end of the line.
//! * A query in base64 is decoded and read, four deep at most. A template is read when it has nothing to fill in.
//! * SQL and the piped processing language are read for the tables they name as far as all of the engine's parsers
//!   agree on their tokens; see `query_text`.
//! * Ingest and search pipelines, stored templates, and a script of a reindex can reach any index: they need
//!   everything, with [`Origin::Body`]. A point in time or a cursor does with [`Origin::Handle`].
//! * Settings of an index that choose its pipelines (`default_pipeline`, `final_pipeline`, `search.default_pipeline`)
//!   do as the parameter `pipeline` does, however they are nested, and wherever settings are given: with a new index,
//!   a copy of one, a rollover, a template, or `_settings`. So do a policy of Index State Management, the components of
//!   a template, and a setting without a row.
//! * In mappings only the type `percolator` matters: whoever writes a document with such a field has the engine look
//!   up what the query in it names. Making such a field needs `read` of everything beside.
//! * A body that is streamed in batches (`_bulk/stream`) is not read: the engine takes each piece of the transfer
//!   for a bulk of its own, so the lines of it depend on how it is cut on the way.
//!
//! ```
//! let inquiry = rest::inquire("POST", "/logs/_search", None, Some("application/json"))?;
//! let mut reader = inquiry.body.ok_or("a search has a body")?.reader(rest::BodyLimits::default());
//! let mut needs = Vec::new();
//! reader.feed(br#"{"query":{"terms":{"user":{"index":"secret","#, &mut needs)?;
//! reader.feed(br#""id":"1","path":"ids"}}}}"#, &mut needs)?;
//! reader.finish(&mut needs)?;
//! assert_eq!(needs[0].to_string(), "read on secret");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Names that begin with a dot
//!
//! A leading `*` stands for names that do not begin with `.` (see [`Target::covers`]). What is not read (handles,
//! for [`classify`] bodies and query languages) needs `*`: whoever holds it is trusted with all there is, and the
//! engine's own roles guard what begins with a dot.
//!
//! The engine decides by an index's `hidden` setting as well as by its name: it expands `*` to a dotted name that
//! is not marked hidden. That setting cannot be read off a request; for such an index the engine's own roles
//! have the last word.

mod action;
mod ask;
mod body;
mod classify;
mod expression;
mod inquire;
pub mod json;
mod narrowing;
mod operation;
mod path;
mod pattern;
mod ppl;
mod query;
mod query_text;
mod refusal;
mod sql;
mod table;
mod target;

pub use action::{Action, ActionError};
pub use ask::{Ask, Need, Origin, Resource};
pub use body::{
    ActionSet, BodyLimits, BodyPlan, BodyReader, BodyRefusal, LineProblem, MultipartProblem, SurfaceBody,
    SurfaceReader,
};
pub use classify::classify;
pub use expression::{ExpressionProblem, targets as index_expression};
pub use inquire::{Inquiry, inquire};
pub use json::JsonProblem;
pub use narrowing::{Narrowable, Narrowed};
pub use operation::{Demand, Method, Operation, Place, Variable, VariableKind};
pub use path::{PathProblem, Segment, segments as path_segments};
pub use pattern::{Pattern, PatternError};
pub use query::{Parameter, QueryProblem, parameters as query_parameters, shorten};
pub use refusal::Refusal;
pub use table::operations;
pub use target::{Target, TargetError};
