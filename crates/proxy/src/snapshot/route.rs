//! Which server behind the proxy a request is for.

use std::sync::Arc;

use http::uri::{Authority, PathAndQuery};

use super::{Cluster, Dashboards};

/// What a request is for.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The engine of the cluster.
    Engine,
    /// The cluster's OpenSearch Dashboards.
    Dashboards(Arc<Dashboards>),
}

impl Destination {
    /// Whether it is the engine.
    pub fn is_engine(&self) -> bool {
        matches!(self, Self::Engine)
    }

    /// The word for it in audit records.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Dashboards(_) => "dashboards",
        }
    }
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Route {
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// What of it.
    pub destination: Destination,
    /// Path and query without the prefix by which clients address the destination. This is what is judged.
    pub target: PathAndQuery,
}

/// A place that takes a request: what is left of its target, and how exactly host and prefix fit.
struct Match<'c, 't> {
    cluster: &'c Arc<Cluster>,
    dashboards: Option<&'c Arc<Dashboards>>,
    names_host: bool,
    rest: &'t str,
}

/// A place that names the host precedes one that takes any host; a longer path prefix precedes a shorter one. Where
/// engine and Dashboards share a place, the first segment of the path decides.
pub(super) fn find(clusters: &[Arc<Cluster>], host: &Authority, target: &PathAndQuery) -> Option<Route> {
    let engines = clusters.iter().filter_map(|cluster| {
        let rest = below(&cluster.hosts, &cluster.path_prefix, host.host(), target.as_str())?;
        Some(Match { cluster, dashboards: None, names_host: !cluster.hosts.is_empty(), rest })
    });
    let dashboards = clusters.iter().filter_map(|cluster| {
        let dashboards = cluster.dashboards.as_ref().filter(|dashboards| !dashboards.shares_place())?;
        let rest = below(dashboards.hosts(), dashboards.prefix(), host.host(), target.as_str())?;
        let names_host = !dashboards.hosts().is_empty();
        Some(Match { cluster, dashboards: Some(dashboards), names_host, rest })
    });
    let found =
        engines.chain(dashboards).max_by_key(|found| (found.names_host, usize::MAX - found.rest.len()))?;
    let target = if found.rest.len() == target.as_str().len() {
        target.clone()
    } else if found.rest.starts_with('?') {
        format!("/{}", found.rest).parse().ok()?
    } else {
        found.rest.parse().ok()?
    };
    let shared = || {
        found.cluster.dashboards.as_ref().filter(|dashboards| dashboards.shares_place() && is_its(&target))
    };
    let destination = match found.dashboards.or_else(shared) {
        Some(dashboards) => Destination::Dashboards(Arc::clone(dashboards)),
        None => Destination::Engine,
    };
    Some(Route { cluster: Arc::clone(found.cluster), destination, target })
}

/// Whether a path that engine and Dashboards share is for Dashboards.
fn is_its(target: &PathAndQuery) -> bool {
    dashboards::is_dashboards_path(target.path())
}

/// The target without the prefix, which may leave no more than a query, if host and prefix fit.
fn below<'t>(hosts: &[String], prefix: &str, host: &str, target: &'t str) -> Option<&'t str> {
    if !hosts.is_empty() && !hosts.iter().any(|named| named.eq_ignore_ascii_case(host)) {
        return None;
    }
    match target.strip_prefix(prefix)? {
        "" => Some("/"),
        rest if rest.starts_with(['/', '?']) => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn prefixes_end_at_a_segment() {
        let table = [
            ("", "/a", Some("/a")),
            ("/prod", "/prod", Some("/")),
            ("/prod", "/prod?x", Some("?x")),
            ("/prod", "/prod/a", Some("/a")),
            ("/prod", "/production", None),
            ("/prod", "/%70rod/a", None),
            ("/prod", "//prod/a", None),
        ];
        for (prefix, target, expected) in table {
            assert_eq!(below(&[], prefix, "any.example", target), expected, "{prefix} {target}");
        }
        let hosts = ["a.example".to_owned()];
        assert_eq!(below(&hosts, "", "A.example", "/"), Some("/"));
        assert_eq!(below(&hosts, "", "b.example", "/"), None);
    }
}
