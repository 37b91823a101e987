//! The routes of `data/routes.tsv`, and the search among them.

use std::sync::LazyLock;

use rest::{Action, Demand, Method, Operation, Place, Refusal, Segment};
use smallvec::SmallVec;

/// A row of `data/routes.tsv`.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(crate) kind: Kind,
}

/// What a request on a route is for, and what of it is looked at; see the head of `data/routes.tsv`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Here,
    Whole,
    Greeting,
    Workspace,
    Security,
    Objects,
    Typed,
    Create,
    Find,
    ById,
    Listed,
    Import,
    Export,
    Legacy,
    Console,
    Search,
    Msearch,
    Suggest,
    Preview,
    Fields,
    Resolve,
    Everything,
    Sample,
}

const KINDS: [(&str, Kind); 23] = [
    ("here", Kind::Here),
    ("whole", Kind::Whole),
    ("greeting", Kind::Greeting),
    ("workspace", Kind::Workspace),
    ("security", Kind::Security),
    ("objects", Kind::Objects),
    ("typed", Kind::Typed),
    ("create", Kind::Create),
    ("find", Kind::Find),
    ("by_id", Kind::ById),
    ("listed", Kind::Listed),
    ("import", Kind::Import),
    ("export", Kind::Export),
    ("legacy", Kind::Legacy),
    ("console", Kind::Console),
    ("search", Kind::Search),
    ("msearch", Kind::Msearch),
    ("suggest", Kind::Suggest),
    ("preview", Kind::Preview),
    ("fields", Kind::Fields),
    ("resolve", Kind::Resolve),
    ("everything", Kind::Everything),
    ("sample", Kind::Sample),
];

impl Kind {
    fn place(self) -> Place {
        match self {
            Self::Greeting => Place::Greeting,
            Self::Security => Place::Plugin("security"),
            Self::Console
            | Self::Search
            | Self::Msearch
            | Self::Suggest
            | Self::Preview
            | Self::Fields
            | Self::Resolve => Place::Body,
            Self::Everything => Place::Handle,
            _ => Place::Dashboards,
        }
    }
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| lines().filter_map(Route::parse).collect());

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("../data/routes.tsv").lines().filter(|line| !line.starts_with('#')).skip(1)
}

/// Every route, in the order of the table.
pub(crate) fn routes() -> &'static [Route] {
    &ROUTES
}

impl Route {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (method, path, name) = (columns.next()?, columns.next()?, columns.next()?);
        let (action, kind, remark) = (columns.next()?, columns.next()?, columns.next()?);
        let method = Method::ALL.into_iter().find(|known| known.as_str() == method)?;
        let action: Action = action.parse().ok()?;
        let kind = KINDS.iter().find(|(word, _)| *word == kind)?.1;
        let place = kind.place();
        // The table is made once and lives as long as the process.
        let demands = vec![Demand { action, on: place }].leak();
        let operation = Operation { name, method, path, action, place, demands, variables: &[], remark };
        Some(Self { operation, kind })
    }

    /// The value of a variable of the path, decoded.
    pub(crate) fn variable<'s>(&self, name: &str, segments: &'s [Segment<'_>]) -> Option<&'s Segment<'s>> {
        let at = template(self.operation.path).position(|segment| {
            segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name)
        })?;
        segments.get(at)
    }

    /// How well the template fits: `None` not at all, otherwise one digit for each segment, smaller is better.
    ///
    /// Dashboards' router prefers, from left to right, a literal to a variable and a variable to the rest of a path.
    fn fit(&self, segments: &[Segment<'_>]) -> Option<SmallVec<[u8; 8]>> {
        let mut fit = SmallVec::new();
        let mut left = segments.iter();
        for expected in template(self.operation.path) {
            if expected == "**" {
                left.next()?;
                fit.push(2);
                return Some(fit);
            }
            let segment = left.next()?;
            match expected {
                // Elsewhere it could be the name of an index.
                "{build}" if !segment.raw.bytes().all(|byte| byte.is_ascii_digit()) => return None,
                expected if expected.starts_with('{') => fit.push(1),
                expected if expected == segment.raw => fit.push(0),
                _ => return None,
            }
        }
        left.next().is_none().then_some(fit)
    }
}

fn template(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The route that Dashboards will take. Its router has one table for each method, and answers HEAD from that of GET.
pub(crate) fn find(method: &str, segments: &[Segment<'_>]) -> Result<&'static Route, Refusal> {
    let fitting = || routes().iter().filter_map(|route| Some((route.fit(segments)?, route)));
    let method = if method == "HEAD" { "GET" } else { method };
    let own = fitting().filter(|(_, route)| route.operation.method.as_str() == method);
    if let Some((_, route)) = own.min_by(|(a, _), (b, _)| a.cmp(b)) {
        return Ok(route);
    }
    let has = |method: Method| fitting().any(|(_, route)| route.operation.method == method);
    let mut allow: Vec<&str> =
        Method::ALL.into_iter().filter(|method| has(*method)).map(Method::as_str).collect();
    if allow.first() == Some(&"GET") {
        allow.insert(1, "HEAD");
    }
    if allow.is_empty() {
        return Err(Refusal::UnknownOperation);
    }
    Err(Refusal::MethodNotAllowed { allow: allow.join(", ").into() })
}

/// Whether a path belongs to Dashboards by its first segment, on a host that it shares with the engine. `path` is as on
/// the wire, without the base path and without a query. The engine keeps `/` itself.
pub fn is_dashboards_path(path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    let (Some(first), second) = (segments.next(), segments.next()) else {
        return false;
    };
    let number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    let literal = |route: &Route| template(route.operation.path).next() == Some(first);
    first == "w" || (number && second == Some("bundles")) || routes().iter().any(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let unread: Vec<_> = lines().filter(|line| Route::parse(line).is_none()).collect();
        assert_eq!(unread, [""; 0]);
        assert!(routes().len() > 70);
    }

    #[test]
    fn no_row_is_there_twice() {
        let mut rows: Vec<_> =
            routes().iter().map(|route| (route.operation.method, route.operation.path)).collect();
        let all = rows.len();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), all);
    }

    #[test]
    fn literals_are_spelt_in_one_way_only() {
        // Dashboards decodes what need not be encoded before it matches, and such characters are refused encoded.
        let plain = |segment: &str| {
            segment == "**"
                || segment.starts_with('{')
                || segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        assert!(routes().iter().all(|route| template(route.operation.path).all(plain)));
    }
}
