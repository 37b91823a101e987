//! docs/differential.md: how often both sides agree, and why they do not where the proxy is the stricter.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    data::Asked,
    judge::{Direct, Pair, Proxied},
};

/// The heading of the causes.
pub(crate) const CAUSES: &str = "\n## Where only the proxy refuses\n";

/// A request with its two answers.
pub(crate) type Tried = (&'static str, Asked, Pair);

/// How many requests were let through although the role refuses.
#[derive(Debug, Default)]
pub(crate) struct Excused {
    harmless: usize,
    open: usize,
}

impl Excused {
    pub(crate) fn count(&mut self, is_open: bool) {
        *(if is_open { &mut self.open } else { &mut self.harmless }) += 1;
    }

    fn in_words(&self) -> String {
        let mut words = format!(
            "{} requests are excused, because the answer reveals and changes nothing: by `excused.txt` with the reason of each, \
             lists that hold an exclusion beside a missing name, where the engine takes the exclusion for a name, and lists where one name \
             is wanted, which to the engine is the name of an index that cannot exist",
            self.harmless
        );
        if self.open > 0 {
            let _ =
                write!(words, "; {} more are known and still to be put right, in the same file", self.open);
        }
        words
    }
}

/// The page for these answers.
pub(crate) fn page(version: &str, tried: &[Tried], excused: &Excused) -> String {
    let mut sets: Vec<(&str, Counts)> = Vec::new();
    let mut causes: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    for (scopes, asked, pair) in tried {
        if sets.last().is_none_or(|(last, _)| last != scopes) {
            sets.push((scopes, Counts::default()));
        }
        let counts = &mut sets.last_mut().unwrap().1;
        counts.add(pair);
        if let (Proxied::Refused { code, needed }, Direct::Answered(status)) = (&pair.proxied, pair.direct) {
            let engine = if status.is_success() { "allows" } else { "has nothing to judge" };
            let key = (format!("`{code}`: {}", why(code, scopes, needed.as_deref())), engine.to_owned());
            let entry = causes.entry(key).or_insert_with(|| (0, format!("`{scopes}`: {}", shown(asked))));
            entry.0 += 1;
        }
    }
    let mut total = Counts::default();
    for (_, counts) in &sets {
        total.merge(counts);
    }
    let mut page = format!(
        "# The proxy beside the engine's own roles\n\n\
         The same {} requests, through the proxy with the administrator of the engine behind it, and directly at OpenSearch \
         {version} as a user with exactly the roles that `engine-setup` makes for the scopes. Where the proxy lets through what \
         the role refuses, the test fails; {}. It also fails where both allow and the answer through the proxy names an index, alias \
         or data stream that the direct one does not.\n\n\
         This page is written by the test `real_differential` in `crates/e2e`, which also says there what is excused and holds the requests: \
         `templates.txt`, `targets.txt` and `by-hand.txt`.\n\n\
         ## By scopes\n\n\
         | Scopes | Both allow | Both refuse | Only the proxy refuses | Only the role refuses |\n\
         | --- | --- | --- | --- | --- |\n",
        total.all(),
        excused.in_words(),
    );
    for (scopes, counts) in &sets {
        counts.row(&mut page, &format!("`{scopes}`"));
    }
    total.row(&mut page, "all");
    page += CAUSES;
    page += "\n\
             \"Allows\": the engine answered with success. \"Has nothing to judge\": it answered that the request is wrong or its \
             target is not there; the role did not stand in the way.\n\n\
             | The proxy | The engine | Requests | For example |\n| --- | --- | --- | --- |\n";
    for ((cause, engine), (count, example)) in causes {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| {cause} | {engine} | {count} | {example} |");
    }
    page
}

#[derive(Debug, Default)]
struct Counts {
    both_allow: usize,
    both_refuse: usize,
    proxy: usize,
    role: usize,
}

impl Counts {
    fn add(&mut self, pair: &Pair) {
        let cell = match (&pair.proxied, pair.direct) {
            (Proxied::LetThrough(_), Direct::Answered(_)) => &mut self.both_allow,
            (Proxied::LetThrough(_), Direct::Refused) => &mut self.role,
            (Proxied::Refused { .. }, Direct::Answered(_)) => &mut self.proxy,
            (Proxied::Refused { .. } | Proxied::RefusedToAll, _) => &mut self.both_refuse,
        };
        *cell += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.both_allow += other.both_allow;
        self.both_refuse += other.both_refuse;
        self.proxy += other.proxy;
        self.role += other.role;
    }

    fn all(&self) -> usize {
        self.both_allow + self.both_refuse + self.proxy + self.role
    }

    fn row(&self, page: &mut String, name: &str) {
        let Self { both_allow, both_refuse, proxy, role } = self;
        let _ = writeln!(page, "| {name} | {both_allow} | {both_refuse} | {proxy} | {role} |");
    }
}

fn shown(asked: &Asked) -> String {
    format!("`{}`", asked.line().replace('|', "\\|"))
}

/// The cause of a refusal, in words that many requests share.
fn why(code: &str, scopes: &str, needed: Option<&str>) -> String {
    let Some(needed) = needed.filter(|_| code == "insufficient_scope") else {
        return "the request has no single meaning, or none that is known".to_owned();
    };
    let (action, rest) = needed.split_once(':').unwrap_or((needed, ""));
    let held = scopes.split(' ').any(|scope| scope.split(':').next() == Some(action));
    match (held, rest) {
        (_, "cluster") => format!("needs `{action}:cluster`"),
        (true, "*") => format!("needs `{action}:*`, since it names everything or what cannot be narrowed"),
        (true, _) => format!("needs `{action}` over more than the scope's pattern, by name"),
        (false, _) => format!("needs `{action}`, which the token has not at all"),
    }
}
