//! A request for more than is held, as the request for what is held: exact, or not at all.
//!
//! What can be narrowed is in `data/narrowing.tsv`: operations that read or monitor, on a route that names no index or a
//! route that does. Each element of the index expression is replaced by what of it is held:
//!
//! * inside a held target: itself;
//! * otherwise every held target that is inside of it, and nothing of those that share no name with it;
//! * with a held target that it shares only some names with, no expression says what is meant, and nothing is narrowed.
//!
//! A name without a wildcard was meant: when it is not held, nothing is narrowed. Neither are date maths and targets on
//! remote clusters, unless they are held as they stand. Exclusions stay where they are.
//!
//! The result is a request like any other, to be read by [`crate::inquire`] and judged anew: nothing is allowed here.

use std::sync::LazyLock;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::classify::asks_for_hidden;
use crate::query::Query;
use crate::{Action, Operation, Pattern, Target, expression, path};

/// A request that can be narrowed.
#[derive(Debug)]
pub struct Narrowable<'r> {
    route: &'static Route,
    /// The route on which it came: one of the two.
    template: &'static str,
    action: Action,
    path: &'r str,
    query: Option<&'r str>,
    /// The index expression, decoded; `*` where none is named.
    expression: String,
    hidden: bool,
    ignores_missing: bool,
}

/// A row of `data/narrowing.tsv`.
#[derive(Debug, Eq, PartialEq)]
struct Route {
    without: &'static str,
    with: &'static str,
    missing: Missing,
}

/// What the engine does about a name that does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Missing {
    Parameter,
    Ignored,
    Fails,
}

static ROUTES: LazyLock<Vec<Route>> =
    LazyLock::new(|| include_str!("../data/narrowing.tsv").lines().filter_map(Route::parse).collect());

/// The engine reads a request line of 4096 bytes by default (`http.max_initial_line_length`).
const LONGEST: usize = 3_800;

const IGNORE_UNAVAILABLE: &str = "ignore_unavailable";

/// All but unreserved characters and the wildcard.
const ENCODED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*').remove(b',');

impl Route {
    fn parse(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (without, with, missing) = (columns.next()?, columns.next()?, columns.next()?);
        let missing = match missing {
            "parameter" => Missing::Parameter,
            "ignored" => Missing::Ignored,
            "fails" => Missing::Fails,
            _ => return None,
        };
        Some(Self { without, with, missing })
    }

    /// The variable of `with` that holds the index expression.
    fn variable(&self) -> &'static str {
        if self.with.contains("{index}") { "{index}" } else { "{name}" }
    }

    /// The path with `indices` in it; the other variables are taken from `path`, which matches `template`.
    fn path(&self, template: &str, path: &str, indices: &str) -> String {
        let value = |variable: &'static str| {
            let at = template.split('/').position(|segment| segment == variable);
            at.and_then(|at| path.split('/').nth(at)).unwrap_or(variable)
        };
        let segments = self.with.split('/').map(|segment| match segment {
            segment if segment == self.variable() => indices,
            segment if segment.starts_with('{') => value(segment),
            segment => segment,
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

impl<'r> Narrowable<'r> {
    /// Whether this request of `operation` can be narrowed; `path` and `query` as given to [`crate::inquire`].
    pub fn new(operation: &Operation, path: &'r str, query: Option<&'r str>) -> Option<Self> {
        let known = |route: &&Route| route.without == operation.path || route.with == operation.path;
        let route = ROUTES.iter().find(known)?;
        if !matches!(operation.action, Action::Read | Action::Monitor) {
            return None;
        }
        let expression = if route.with == operation.path {
            let at = operation.path.split('/').position(|segment| segment == route.variable())?;
            path::segments(path).ok()?.get(at.checked_sub(1)?)?.text.to_string()
        } else {
            "*".to_owned()
        };
        let parameters = Query::parse(query).ok()?;
        Some(Self {
            route,
            template: operation.path,
            action: operation.action,
            path,
            query,
            expression,
            hidden: asks_for_hidden(&parameters),
            ignores_missing: route.missing == Missing::Ignored
                || parameters.get(IGNORE_UNAVAILABLE).is_some(),
        })
    }

    /// What the operation does to the indices.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The request for exactly what this one shares with `held`, the targets that are held for [`Self::action`].
    ///
    /// `None` when that is nothing, or cannot be said exactly.
    pub fn narrow(&self, held: &[&Target]) -> Option<Narrowed> {
        let Expression { elements, named } = narrow(&self.expression, self.hidden, held)?;
        let indices = elements.join(",");
        let indices = utf8_percent_encode(&indices, &ENCODED).to_string();
        let path = self.route.path(self.template, self.path, &indices);
        let mut query = self.query.filter(|query| !query.is_empty()).map(str::to_owned);
        if named && self.route.missing == Missing::Fails {
            return None;
        }
        if named && !self.ignores_missing {
            let before = query.map(|query| query + "&").unwrap_or_default();
            query = Some(format!("{before}{IGNORE_UNAVAILABLE}=true"));
        }
        let length = path.len() + query.as_ref().map_or(0, String::len);
        (length <= LONGEST).then_some(Narrowed { path, query })
    }
}

/// A narrowed request line, undecoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Narrowed {
    /// The path.
    pub path: String,
    /// The query, without the `?`.
    pub query: Option<String>,
}

/// A narrowed index expression.
struct Expression {
    elements: Vec<String>,
    /// Whether it names something that the request did not name, and that may not exist.
    named: bool,
}

fn narrow(text: &str, hidden: bool, held: &[&Target]) -> Option<Expression> {
    let text = if text == "_all" { "*" } else { text };
    let mut narrowed = Expression { elements: Vec::new(), named: false };
    for element in text.split(',') {
        if let Some(excluded) = element.strip_prefix('-') {
            narrowed.exclude(excluded)?;
        } else {
            narrowed.add(element, hidden, held)?;
        }
    }
    let Expression { elements, named } = &mut narrowed;
    *named &= elements.iter().any(|element| !element.contains('*'));
    (elements.iter().any(|element| !element.starts_with('-'))).then_some(narrowed)
}

impl Expression {
    /// An exclusion holds for what stands before it, and the engine knows it only after a wildcard: what is named
    /// without one is left out here.
    fn exclude(&mut self, excluded: &str) -> Option<()> {
        let pattern = Pattern::parse(excluded).ok()?;
        self.elements.retain(|element| element.contains('*') || !pattern.matches(element));
        if self.elements.iter().any(|element| element.contains('*') && !element.starts_with('-')) {
            self.elements.push(format!("-{excluded}"));
        }
        Some(())
    }

    fn add(&mut self, element: &str, hidden: bool, held: &[&Target]) -> Option<()> {
        let mut targets = expression::targets(element).ok()?;
        let (Some(asked), true) = (targets.pop(), targets.is_empty()) else { return None };
        // With hidden names asked for, a leading wildcard means more than any one right covers.
        let reaches_hidden = hidden && asked.index.as_str().starts_with('*');
        if !reaches_hidden && held.iter().any(|held| held.covers(&asked)) {
            self.push(element.to_owned());
            return Some(());
        }
        if asked.remote.is_some() || element.contains('<') || !asked.index.is_wildcard() {
            return None;
        }
        let mut inside = Vec::new();
        for held in held.iter().filter(|held| meets(&asked, reaches_hidden, held)) {
            if !asked.index.contains(&held.index) {
                return None;
            }
            inside.push(*held);
        }
        inside.sort_unstable();
        inside.dedup();
        for target in &inside {
            if !inside.iter().any(|other| other != target && other.covers(target)) {
                self.push(target.index.to_string());
                self.named |= !target.index.is_wildcard();
            }
        }
        Some(())
    }

    /// Once is enough, unless something was excluded since.
    fn push(&mut self, element: String) {
        let since = self.elements.iter().rev().take_while(|known| !known.starts_with('-'));
        if !since.clone().any(|known| *known == element) {
            self.elements.push(element);
        }
    }
}

/// Whether they share a name. A leading wildcard reaches names that begin with `.` only where they are asked for.
fn meets(asked: &Target, reaches_hidden: bool, held: &Target) -> bool {
    let dotted = |target: &Target| target.index.as_str().starts_with('.');
    asked.may_intersect(held) && (reaches_hidden || dotted(asked) == dotted(held))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Place, operations};

    fn narrowed(path: &str, query: Option<&str>, held: &str) -> Option<String> {
        let operation = crate::inquire("GET", path, query, None).unwrap().operation;
        let held: Vec<Target> = held.split_whitespace().map(|text| text.parse().unwrap()).collect();
        let request = Narrowable::new(operation, path, query)?;
        let Narrowed { path, query } = request.narrow(&held.iter().collect::<Vec<_>>())?;
        let after = crate::inquire("GET", &path, query.as_deref(), None);
        assert_eq!(after.map(|ask| ask.operation.name), Ok(operation.name), "{path}");
        Some(query.map_or(path.clone(), |query| format!("{path}?{query}")))
    }

    #[test]
    fn requests_become_those_for_what_is_held() {
        for (path, query, held, expected) in [
            ("/_search", None, "logs-*", Some("/logs-*/_search")),
            (
                "/_search",
                Some("size=1"),
                "logs-* app-1",
                Some("/app-1,logs-*/_search?size=1&ignore_unavailable=true"),
            ),
            (
                "/_search",
                Some("ignore_unavailable=false"),
                "app-1",
                Some("/app-1/_search?ignore_unavailable=false"),
            ),
            ("/_all/_search", None, "logs-*", Some("/logs-*/_search")),
            ("/*/_search", None, "logs-* logs-a-*", Some("/logs-*/_search")),
            ("/log*/_search", None, "logs-* metrics-*", Some("/logs-*/_search")),
            ("/log*,logs-a/_search", None, "logs-*", Some("/logs-*,logs-a/_search")),
            ("/*,-logs-secret/_search", None, "logs-*", Some("/logs-*,-logs-secret/_search")),
            ("/*,-app-*/_search", None, "app-1 app-2 logs-*", Some("/logs-*,-app-*/_search")),
            ("/*,-app-1/_search", None, "app-1 app-2", Some("/app-2/_search?ignore_unavailable=true")),
            ("/*,-app-1/_search", None, "app-1", None),
            ("/logs-*,pii-*/_search", None, "logs-*", Some("/logs-*/_search")),
            ("/logs-*,pii/_search", None, "logs-*", None),
            ("/pii/_search", None, "logs-*", None),
            ("/pii-*/_search", None, "logs-*", None),
            ("/*-a/_search", None, "logs-*", None),
            ("/_search", None, "", None),
            ("/_search", None, "eu:logs-*", None),
            ("/eu:*/_search", None, "eu:logs-*", None),
            ("/*,eu:logs-1/_search", None, "logs-* eu:logs-*", Some("/logs-*,eu%3Alogs-1/_search")),
            ("/*,%3Clogs-%7Bnow%2Fd%7D%3E/_search", None, "metrics-*", None),
            ("/_search", None, ".kibana* logs-*", Some("/logs-*/_search")),
            ("/_search", None, ".kibana*", None),
            (
                "/_search",
                Some("expand_wildcards=all"),
                ".kibana* logs-*",
                Some("/.kibana*,logs-*/_search?expand_wildcards=all"),
            ),
            ("/.*/_search", None, ".kibana* logs-*", Some("/.kibana*/_search")),
            ("/_search", None, "caf\u{e9}-*", Some("/caf%C3%A9-*/_search")),
            ("/_cat/indices", Some("v"), "logs-*", Some("/_cat/indices/logs-*?v")),
            ("/_cat/indices/l*", None, "logs-*", Some("/_cat/indices/logs-*")),
            ("/_cat/indices", None, "logs-a", None),
            ("/_cat/shards", None, "logs-a", None),
            ("/_cluster/health", Some("ignore_unavailable=true"), "logs-a", None),
            ("/_cat/shards", None, "logs-a logs-*", Some("/_cat/shards/logs-*")),
            ("/_alias/x%20y", None, "logs-*", Some("/logs-*/_alias/x%20y")),
            ("/_resolve/index/*", None, "logs-a", Some("/_resolve/index/logs-a")),
            ("/_cluster/health", None, "logs-*", Some("/_cluster/health/logs-*")),
            ("/_cluster/health", None, "logs-a", None),
            ("/*", None, "logs-*", Some("/logs-*")),
            ("/_stats/docs", None, "logs-*", Some("/logs-*/_stats/docs")),
        ] {
            assert_eq!(narrowed(path, query, held).as_deref(), expected, "{path} {query:?} under {held}");
        }
        let many = (0..500).map(|n| format!("tenant-{n}-*")).collect::<Vec<_>>().join(" ");
        assert_eq!(narrowed("/_search", None, &many), None, "longer than the engine reads");
    }

    #[test]
    fn every_row_is_of_the_table_and_only_looks() {
        let rows = include_str!("../data/narrowing.tsv").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(ROUTES.len(), rows.count() - 1, "one line heads the columns, every other is read");
        for route in ROUTES.iter() {
            let of = |path| operations().iter().filter(move |operation| operation.path == path);
            let looks: Vec<_> = of(route.with).filter(|it| it.method.as_str() != "DELETE").collect();
            assert!(looks.iter().any(|it| it.method.as_str() == "GET"), "{route:?}");
            for without in of(route.without).filter(|it| matches!(it.action, Action::Read | Action::Monitor))
            {
                let with = looks.iter().find(|with| with.method == without.method);
                let with = with.unwrap_or_else(|| panic!("{} {route:?}", without.method));
                assert_eq!((with.name, with.action), (without.name, without.action));
                assert!(matches!(without.place, Place::All | Place::Cluster), "{route:?}");
            }
        }
    }

    const LETTERS: [char; 4] = ['a', 'b', '.', 'z'];

    fn words() -> Vec<String> {
        let mut words = vec![String::new()];
        let mut last = words.clone();
        for _ in 0..5 {
            last = last.iter().flat_map(|word| LETTERS.map(|letter| format!("{word}{letter}"))).collect();
            words.extend(last.iter().cloned());
        }
        words
    }

    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
            Some((byte, rest)) => {
                text.split_first().is_some_and(|(first, left)| first == byte && matches(rest, left))
            }
        }
    }

    /// The engine's reading of an expression: one element after the other.
    fn means<'w>(elements: &str, hidden: bool, words: &'w [String]) -> BTreeSet<&'w str> {
        let mut names = BTreeSet::new();
        for element in elements.split(',') {
            let pattern = element.strip_prefix('-').unwrap_or(element);
            for word in words.iter().filter(|word| matches(pattern.as_bytes(), word.as_bytes())) {
                if element.starts_with('-') {
                    names.remove(word.as_str());
                } else if hidden || pattern.starts_with('.') || !word.starts_with('.') {
                    names.insert(word.as_str());
                }
            }
        }
        names
    }

    fn pattern() -> impl Strategy<Value = String> {
        "[ab.*]{1,3}".prop_filter("a name", |text| Pattern::parse(text).is_ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_narrowed_is_what_is_both_asked_and_held(
            first in pattern(),
            more in prop::collection::vec(("-?", pattern()), 0..3),
            held in prop::collection::vec(pattern(), 0..4),
        ) {
            let mut asked = first;
            for (minus, text) in more {
                let minus = if asked.contains('*') { minus } else { String::new() };
                asked = format!("{asked},{minus}{text}");
            }
            let targets: Vec<Target> = held.iter().map(|text| text.parse().unwrap()).collect();
            if let Some(Expression { elements, .. }) = narrow(&asked, false, &targets.iter().collect::<Vec<_>>()) {
                let words = words();
                let result = elements.join(",");
                let held = means(&held.join(","), false, &words);
                let both: BTreeSet<_> = means(&asked, false, &words).intersection(&held).copied().collect();
                prop_assert_eq!(means(&result, false, &words), both, "{} became {}", asked, result);
                let wildcard = result.split(',').position(|it| it.contains('*'));
                let exclusion = result.split(',').position(|it| it.starts_with('-'));
                prop_assert!(exclusion.is_none_or(|at| wildcard.is_some_and(|before| before < at)));
            }
        }
    }
}
