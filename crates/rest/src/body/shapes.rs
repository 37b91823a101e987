//! The compiled tables of `data/shapes.tsv` and `data/bodies.tsv`.

use super::ActionSet;

/// Position of a shape in the table.
pub(crate) type ShapeId = u16;

/// What stands under a key; see the head of `data/shapes.tsv`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spec {
    Any,
    Scalar,
    Unknown,
    Shape(ShapeId),
    /// An object of the first shape, or an array of objects of the second.
    Split(ShapeId, ShapeId),
    Index {
        actions: ActionSet,
        /// Whether it is the name that the shape's default would stand in for.
        main: bool,
    },
    /// Names where a leading `*` reaches those that begin with a dot.
    Patterns(ActionSet),
    /// A name, or a template that becomes one.
    Rendered(ActionSet),
    Default(ActionSet),
    Fixed(ActionSet, &'static str),
    /// Whatever the operation does, and these actions beside, on everything.
    Everything(ActionSet),
    /// `then` for a value that is this word, or for any other; otherwise nothing.
    When {
        word: &'static str,
        equal: bool,
        then: &'static Self,
    },
    Handle,
    ClusterAdmin,
    States,
    Base64(ShapeId),
    Json(ShapeId),
    /// The text of an object, unless something is filled into it.
    Filled(ShapeId),
    Sql,
    Ppl,
}

#[derive(Debug)]
pub(crate) struct Shape {
    #[expect(dead_code, reason = "tells the reader of a debugger which shape it is")]
    name: &'static str,
    /// Sorted.
    keys: &'static [(&'static str, Spec)],
    other: Option<(ActionSet, Spec)>,
    pub(crate) scalar: Option<Spec>,
    pub(crate) unnamed: Option<Spec>,
    /// Whether dots in keys stand for nesting.
    dotted: bool,
    /// Whether keys may be many and repeat, since each is judged by itself.
    pub(crate) repeats: bool,
}

impl Shape {
    /// What the key holds, and for which actions the key itself names an index.
    pub(crate) fn key(&self, key: &str) -> (ActionSet, Spec) {
        match self.own(key) {
            Some(spec) => (ActionSet::default(), spec),
            None if self.dotted => (ActionSet::default(), self.nested(key)),
            None => self.other.unwrap_or((ActionSet::default(), Spec::Unknown)),
        }
    }

    fn own(&self, key: &str) -> Option<Spec> {
        let at = self.keys.binary_search_by(|(known, _)| (*known).cmp(key)).ok()?;
        Some(self.keys[at].1)
    }

    /// What a key holds in which dots stand for nesting. Settings are flattened so, with empty keys left out: what
    /// is under one of these stands where another object does, so it is not understood.
    fn nested(&self, key: &str) -> Spec {
        let (first, rest) = key.split_once('.').unwrap_or((key, ""));
        match self.own(first) {
            Some(Spec::Shape(id)) if !rest.is_empty() => shape(id).key(rest).1,
            Some(spec @ (Spec::Any | Spec::Everything(_))) => spec,
            // It stands for all keys that match.
            None if key.contains('*') => Spec::Everything(ActionSet::default()),
            _ => Spec::Unknown,
        }
    }
}

/// How a body is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Json,
    Template,
    Bulk,
    Searches { template: bool },
}

/// A row of `data/bodies.tsv`.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) format: Format,
    pub(crate) root: ShapeId,
    /// Whether a default without an index in the path means all indices.
    pub(crate) everything: bool,
    /// Parameters of the query with which the request reaches further than its body says.
    pub(crate) beyond: &'static [&'static str],
    /// Every action that something in the body can need on an index.
    pub(crate) actions: ActionSet,
    /// Whether something in it can need `admin` on the cluster.
    pub(crate) cluster_admin: bool,
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

pub(crate) const fn search(template: bool) -> ShapeId {
    if template { SEARCH_TEMPLATE } else { SEARCH }
}

pub(crate) fn shape(id: ShapeId) -> &'static Shape {
    &SHAPES[usize::from(id)]
}

/// The row of an operation, by its name.
pub(crate) fn body(operation: &str) -> Option<&'static Body> {
    let at = BODIES.binary_search_by(|(known, _)| (*known).cmp(operation)).ok()?;
    Some(&BODIES[at].1)
}
