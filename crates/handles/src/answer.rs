//! Answers to one caller: the handles in them wrapped.

use crate::{
    Binding, Field, Keys, Kind, Owner, Reach, RewriteError, Rewriter, UsedHandles, When, WrapError, places,
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
    /// For the answer to a request of `operation` with this query that used these handles, and whose needs reach `made`.
    /// `None` when the answer tells no handle, and can pass as it is.
    ///
    /// `parameter` gives the decoded value of a query parameter.
    pub fn new<'q>(
        keys: K,
        cluster: &str,
        owner: &Owner,
        operation: &str,
        parameter: impl Fn(&str) -> Option<&'q str>,
        used: UsedHandles,
        made: Option<Reach>,
    ) -> Option<Self> {
        let told = places(operation)?.told.iter();
        let told: Vec<_> =
            told.filter(|told| told.when.is_met(&parameter, used.has(told.field.kind))).collect();
        if told.is_empty() {
            return None;
        }
        let rewriter = Rewriter::new(told.iter().map(|told| told.field));
        let given = told.iter().filter(|told| told.when == When::Given).map(|told| told.field).collect();
        Some(Self { keys, cluster: cluster.into(), owner: owner.clone(), used, made, given, rewriter })
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
