//! Index expressions against a catalogue.

use std::collections::BTreeSet;

use rest::{Pattern, PatternError};

use crate::{Catalogue, Entry};

/// What a wildcard reaches besides open, visible names: the engine's `expand_wildcards`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wildcards {
    /// Hidden indices too.
    pub hidden: bool,
    /// Closed indices too.
    pub closed: bool,
}

impl Wildcards {
    /// `expand_wildcards=all`: whatever could be reached.
    pub const ALL: Self = Self { hidden: true, closed: true };
}

/// What an expression means today.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resolved<'c> {
    /// Names that exist and belong to it, in order.
    pub names: Vec<&'c str>,
    /// Names without a wildcard that do not exist.
    pub missing: Vec<Box<str>>,
}

impl Catalogue {
    /// What a comma-separated list of names, wildcards and exclusions on this cluster means, in the engine's order: each
    /// element adds to, or takes from, what those before it came to. `_all` is `*`. Date maths must have been worked out.
    ///
    /// # Errors
    ///
    /// An element that no name can be.
    pub fn resolve<'c>(
        &'c self,
        expression: &str,
        wildcards: Wildcards,
    ) -> Result<Resolved<'c>, PatternError> {
        let mut names: BTreeSet<&'c str> = BTreeSet::new();
        let mut missing = Vec::new();
        let mut wildcard_seen = false;
        for element in expression.split(',') {
            let element = if element == "_all" { "*" } else { element };
            let excluded = element.strip_prefix('-').filter(|_| wildcard_seen);
            let pattern = Pattern::parse(excluded.unwrap_or(element))?;
            if excluded.is_some() {
                // What is taken away is matched by name alone, hidden or not.
                names.retain(|name| !pattern.matches(name));
            } else if pattern.is_wildcard() {
                wildcard_seen = true;
                names.extend(self.matching(&pattern, wildcards));
            } else {
                match self.names.get_key_value(pattern.as_str()) {
                    Some((name, _)) => {
                        names.insert(&**name);
                    }
                    None => missing.push(pattern.as_str().into()),
                }
            }
        }
        Ok(Resolved { names: names.into_iter().collect(), missing })
    }

    /// The names that a wildcard reaches, in order.
    pub fn matching<'c, 'p>(
        &'c self,
        pattern: &'p Pattern,
        wildcards: Wildcards,
    ) -> impl Iterator<Item = &'c str> + use<'c, 'p> {
        let dotted = pattern.as_str().starts_with('.');
        self.iter()
            .filter(move |(name, entry)| match entry {
                Entry::Index { hidden, closed, .. } => {
                    let visible = !hidden || wildcards.hidden || (dotted && name.starts_with('.'));
                    visible && (!closed || wildcards.closed)
                }
                Entry::Alias { .. } | Entry::DataStream { .. } => true,
            })
            .map(|(name, _)| name)
            .filter(move |name| pattern.matches(name))
    }
}
