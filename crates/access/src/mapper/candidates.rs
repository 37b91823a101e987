//! Which of many mappings a token could meet, found by what the token says instead of by asking each of them.

use std::collections::{BTreeSet, HashMap};

use claims::ClaimPath;

use crate::{Condition, Glob, Mapping, Scope, Subject};

/// Positions of mappings, each under one thing that a token must say to meet it.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    scopes: Globs,
    own_scopes: HashMap<Scope, Vec<usize>>,
    groups: Globs,
    claims: HashMap<ClaimPath, HashMap<Box<str>, Vec<usize>>>,
}

/// Globs by what precedes their first `*`, so that a text is compared with its own beginnings only.
#[derive(Debug, Default)]
struct Globs {
    whole: HashMap<Box<str>, Vec<usize>>,
    prefixes: HashMap<Box<str>, Vec<usize>>,
    /// Of the prefixes, in bytes.
    lengths: BTreeSet<usize>,
}

impl Candidates {
    pub(super) fn new(mappings: &[Mapping]) -> Self {
        let mut all = Self::default();
        for (at, mapping) in mappings.iter().enumerate() {
            match rarest(&mapping.when) {
                Some(Condition::Scope(glob)) => all.scopes.add(glob, at),
                Some(Condition::OwnScope(scope)) => all.own_scopes.entry(scope.clone()).or_default().push(at),
                Some(Condition::Group(glob)) => all.groups.add(glob, at),
                Some(Condition::Claim { path, equals }) => {
                    let texts = all.claims.entry(path.clone()).or_default();
                    texts.entry(equals.clone()).or_default().push(at);
                }
                // Without a condition it is never met.
                Some(Condition::All(_)) | None => {}
            }
        }
        all
    }

    /// The mappings that this token could meet, in order. It meets no other.
    pub(super) fn of(&self, subject: &impl Subject) -> Vec<usize> {
        let mut found = Vec::new();
        subject.scopes().for_each(|scope| self.scopes.find(scope, &mut found));
        if !self.own_scopes.is_empty() {
            let parsed = subject.scopes().filter_map(|text| text.parse::<Scope>().ok());
            found.extend(parsed.filter_map(|scope| self.own_scopes.get(&scope)).flatten());
        }
        subject.groups().for_each(|group| self.groups.find(group, &mut found));
        for (path, texts) in &self.claims {
            found.extend(subject.claim(path).iter().filter_map(|text| texts.get(&**text)).flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Globs {
    fn add(&mut self, glob: &Glob, at: usize) {
        let (texts, key) = match glob.prefix() {
            None => (&mut self.whole, glob.as_str()),
            Some(prefix) => {
                self.lengths.insert(prefix.len());
                (&mut self.prefixes, prefix)
            }
        };
        texts.entry(key.into()).or_default().push(at);
    }

    fn find(&self, text: &str, found: &mut Vec<usize>) {
        found.extend(self.whole.get(text).into_iter().flatten());
        let beginnings = self.lengths.iter().filter_map(|length| text.get(..*length));
        found.extend(beginnings.filter_map(|beginning| self.prefixes.get(beginning)).flatten());
    }
}

/// Of the conditions that must all hold, the one that the fewest tokens will meet; `None` if there is none.
fn rarest(condition: &Condition) -> Option<&Condition> {
    match condition {
        Condition::All(conditions) => {
            conditions.iter().filter_map(rarest).max_by_key(|condition| literal(condition))
        }
        single => Some(single),
    }
}

/// How much of the text that a condition wants is given.
fn literal(condition: &Condition) -> usize {
    match condition {
        Condition::Scope(glob) | Condition::Group(glob) => glob.prefix().map_or(usize::MAX, str::len),
        Condition::OwnScope(_) | Condition::Claim { .. } | Condition::All(_) => usize::MAX,
    }
}
