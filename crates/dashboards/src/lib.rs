//! What a request asks of OpenSearch Dashboards. No I/O.
//!
//! [`inquire`] is to Dashboards what [`rest::inquire`] is to the engine, and answers with the same [`rest::Inquiry`]: the
//! operation, what the request line needs, and what the body must be read for.
//!
//! ```
//! let inquiry = dashboards::inquire("GET", "/w/ops/api/saved_objects/_find", Some("type=dashboard&workspaces=ops"), None)?;
//! assert_eq!(inquiry.operation.name, "dashboards.objects.find");
//! assert_eq!(inquiry.needs[0].to_string(), "read on dashboards/ops");
//!
//! // What only passes through Dashboards is judged as what the engine is asked.
//! let query = Some("method=GET&path=%2Fsecret%2F_search");
//! let inquiry = dashboards::inquire("POST", "/api/console/proxy", query, None)?;
//! assert_eq!(inquiry.needs[0].to_string(), "read on secret");
//! # Ok::<(), rest::Refusal>(())
//! ```
//!
//! # How a request line is read
//!
//! * Routes come from `data/routes.tsv`, matched as Dashboards' own router does: raw segments, a literal before a variable
//!   before the rest of a path, one table for each method. A route that is not there is refused.
//! * `/w/<workspace>` is taken off first, as the workspace plugin does.
//! * A parameter may be given several times, and then all of its values count. One that has to have one value is refused
//!   twice, and so is a name with a `[`.
//! * A token, a tenant, or (where the engine would be asked) another cluster's data source in the query is refused.
//!
//! # Workspaces
//!
//! A right within one workspace is worth what Dashboards keeps to that workspace by itself. It does so where objects
//! are looked for in workspaces that the query names, and, on a path in a workspace, where objects are made (created,
//! imported). It does not where objects are reached by their id: `/w/a/api/saved_objects/dashboard/<id>` reaches an
//! object of the workspace `b`. Such routes need all of Dashboards.
//!
//! An exported object carries its workspaces along. An import passes over them: on a path in a workspace, that one and
//! those of the query count.
//!
//! # Saved objects
//!
//! The types of `data/types.tsv` say what looking at one and saving one takes. Most take `read` and `write`; settings take
//! `manage`; what leads to other systems or says who may do what takes `admin`, as does a type that has no row. Types are
//! read out of the path, the query, JSON bodies, and the lines of the file in a form, while those flow.

mod body;
mod deeds;
mod engine;
mod form;
mod inquire;
mod multipart;
mod parameters;
mod rules;
mod table;
mod types;
mod walk;

pub use deeds::deeds;
pub use inquire::inquire;
pub use rules::{XsrfMissing, xsrf};
pub use table::is_dashboards_path;

/// Every operation of the table.
pub fn operations() -> impl Iterator<Item = &'static rest::Operation> {
    table::routes().iter().map(|route| &route.operation)
}
