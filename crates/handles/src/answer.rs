//! Answers to one caller: the handles in them wrapped.

use rest::Need;

use crate::{
    Binding, Field, Keys, Kind, Owner, Reach, RewriteError, Rewriter, Told, UsedHandles, When, WrapError,
    parameter, places,
};

/// Wraps the handles in one answer while it streams by. It owns what it needs, so it can live as long as the body.
///
/// For answers with a JSON `Content-Type` that are not compressed; their `Content-Length` does not hold any more.
#[derive(Debug)]
pub struct Wrapping<K> {
    keys: K,
    cluster: Box<str>,
    owner: Owner,
    used: UsedHandles,
    made: Option<Reach>,
    given: Vec<Field>,
    rewriter: Rewriter,
}

impl<K: AsRef<Keys>> Wrapping<K> {
    /// For the answer to a request of `operation` with this query, undecoded and without its `?`, that used these handles.
    /// `None` when the answer tells no handle, and can pass as it is.
    pub fn new(
        keys: K,
        cluster: &str,
        owner: &Owner,
        operation: &str,
        query: Option<&str>,
        used: UsedHandles,
    ) -> Option<Self> {
        let places = places(operation)?;
        let is_told =
            |told: &&Told| told.when.is_met(|name| parameter(query, name), used.has(told.field.kind));
        let told: Vec<_> = places.told.iter().filter(is_told).collect();
        if told.is_empty() {
            return None;
        }
        let rewriter = Rewriter::new(told.iter().map(|told| told.field));
        let given = told.iter().filter(|told| told.when == When::Given).map(|told| told.field).collect();
        Some(Self { keys, cluster: cluster.into(), owner: owner.clone(), used, made: None, given, rewriter })
    }

    /// These are all the needs of the request: what a use of a new handle will be judged by. Before this is said, and if there
    /// are none on indices, new handles pass as they are.
    pub fn made_by<'n>(&mut self, needs: impl IntoIterator<Item = &'n Need>) {
        self.made = Reach::of(needs);
    }

    /// Reads the next bytes and appends to `out` what may be passed on.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RewriteError<WrapError>> {
        let Self { keys, cluster, owner, used, made, given, rewriter } = self;
        rewriter.feed(bytes, out, &mut |kind: Kind, original: &str| {
            let given = given.iter().any(|field| field.kind == kind);
            let same = used.handles.iter().find(|used| used.kind == kind && used.original == original);
            if let Some(same) = same {
                return Ok(Some(same.wrapped.clone()));
            }
            let reach = if given || used.has(kind) { used.reach(kind) } else { made.clone() };
            // Without a reach there is nothing to judge a use by: only who may use any handle can use this one.
            let Some(reach) = reach else { return Ok(None) };
            let binding = Binding { cluster, kind, owner };
            keys.as_ref().wrap(&binding, &reach, original).map(|wrapped| Some(wrapped.into()))
        })
    }

    /// The answer has ended; to be called before its end is passed on.
    pub fn finish(&self) -> Result<(), RewriteError<WrapError>> {
        self.rewriter.finish()
    }
}
