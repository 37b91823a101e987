//! What is allowed of a pattern is allowed of every name in it, and of a name what Cedar says of that name.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use policy::{Asker, Circumstances, Kind, PolicySet, Source, Wish};
use proptest::{prelude::*, sample::select};
use rest::{Action, Pattern, Resource};

/// Every name of up to four letters.
fn names() -> Vec<String> {
    let mut names: Vec<String> = vec![String::new()];
    let mut all = Vec::new();
    for _ in 0..4 {
        names = names.iter().flat_map(|name| ["a", "b"].map(|letter| format!("{name}{letter}"))).collect();
        all.extend(names.iter().cloned());
    }
    all
}

fn pattern() -> impl Strategy<Value = String> {
    select(vec!["*", "a*", "b*", "*b", "ab*", "a*b", "ab", "aab", "*a*", "bb*", "aa"]).prop_map(str::to_owned)
}

/// A condition, and whether a name meets it.
#[derive(Clone, Debug)]
enum Condition {
    In(String),
    Is(String),
    Same(String),
    Other(String),
    Among(String, String),
    Not(Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    If(bool, Box<Condition>, Box<Condition>),
}

impl Condition {
    fn text(&self) -> String {
        match self {
            Self::In(pattern) => format!("resource in Index::\"{pattern}\""),
            Self::Is(pattern) => format!("resource is Index in Index::\"{pattern}\""),
            Self::Same(pattern) => format!("resource == Index::\"{pattern}\""),
            Self::Other(pattern) => format!("resource != Index::\"{pattern}\""),
            Self::Among(one, other) => {
                format!("resource in [Index::\"{one}\", Index::\"{other}\"]")
            }
            Self::Not(inner) => format!("!({})", inner.text()),
            Self::Both(one, other) => format!("({}) && ({})", one.text(), other.text()),
            Self::Either(one, other) => format!("({}) || ({})", one.text(), other.text()),
            Self::If(which, one, other) => {
                let source = if *which { "10.0.0.0/8" } else { "11.0.0.0/8" };
                format!(
                    "if context.source.isInRange(ip(\"{source}\")) then ({}) else ({})",
                    one.text(),
                    other.text()
                )
            }
        }
    }

    fn holds(&self, name: &str) -> bool {
        let matches = |pattern: &str| Pattern::parse(pattern).unwrap().matches(name);
        match self {
            Self::In(pattern) | Self::Is(pattern) => matches(pattern),
            // A pattern is no name, so nothing that exists is the same.
            Self::Same(pattern) => pattern == name,
            Self::Other(pattern) => pattern != name,
            Self::Among(one, other) => matches(one) || matches(other),
            Self::Not(inner) => !inner.holds(name),
            Self::Both(one, other) => one.holds(name) && other.holds(name),
            Self::Either(one, other) => one.holds(name) || other.holds(name),
            Self::If(which, one, other) => {
                if *which {
                    one.holds(name)
                } else {
                    other.holds(name)
                }
            }
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = select(vec!["ab", "aab", "b", "bb"]).prop_map(str::to_owned);
    let leaf = prop_oneof![
        pattern().prop_map(Condition::In),
        pattern().prop_map(Condition::Is),
        name.clone().prop_map(Condition::Same),
        name.prop_map(Condition::Other),
        (pattern(), pattern()).prop_map(|(one, other)| Condition::Among(one, other)),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            two.clone().prop_map(|(one, other)| Condition::Both(Box::new(one), Box::new(other))),
            two.clone().prop_map(|(one, other)| Condition::Either(Box::new(one), Box::new(other))),
            (any::<bool>(), two).prop_map(|(which, (one, other))| Condition::If(
                which,
                Box::new(one),
                Box::new(other)
            )),
        ]
    })
}

#[derive(Clone, Debug)]
struct Written {
    permits: bool,
    head: Option<String>,
    unless: bool,
    condition: Condition,
}

impl Written {
    fn text(&self) -> String {
        let effect = if self.permits { "permit" } else { "forbid" };
        let head = self.head.as_ref().map_or_else(
            || "resource is Index".to_owned(),
            |pattern| format!("resource in Index::\"{pattern}\""),
        );
        let kind = if self.unless { "unless" } else { "when" };
        format!("{effect}(principal, action, {head}) {kind} {{ {} }};\n", self.condition.text())
    }

    fn holds(&self, name: &str) -> bool {
        self.head.as_ref().is_none_or(|pattern| Pattern::parse(pattern).unwrap().matches(name))
            && self.condition.holds(name) != self.unless
    }
}

fn written() -> impl Strategy<Value = Written> {
    (prop::bool::weighted(0.7), prop::option::of(pattern()), any::<bool>(), condition())
        .prop_map(|(permits, head, unless, condition)| Written { permits, head, unless, condition })
}

fn decide(set: &PolicySet, asked: &str) -> bool {
    let asker = Asker { kind: Kind::User, id: "alice", provider: "p", groups: &[] };
    let on = Resource::Index(asked.parse().unwrap());
    let wish = Wish { operation: "search", main: Action::Read, action: Action::Read, on: &on };
    set.decide(&asker, &wish, &Circumstances::new("main", "cli", "10.1.2.3".parse().unwrap())).is_allowed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_allowed_of_a_pattern_is_allowed_of_all_in_it(policies in prop::collection::vec(written(), 1..4)) {
        let text: String = policies.iter().map(Written::text).collect();
        let set = PolicySet::parse(&[Source { name: "p".into(), text: text.clone() }]);
        // A policy that can never hold is refused by the strict validation of Cedar.
        let Ok(set) = set else { return Ok(()) };
        let by_name: Vec<(String, bool)> = names()
            .into_iter()
            .map(|name| {
                let permitted = policies.iter().any(|policy| policy.permits && policy.holds(&name));
                let forbidden = policies.iter().any(|policy| !policy.permits && policy.holds(&name));
                (name, permitted && !forbidden)
            })
            .collect();
        for (name, allowed) in &by_name {
            prop_assert_eq!(decide(&set, name), *allowed, "{} of\n{}", name, text);
        }
        for asked in ["*", "a*", "b*", "*b", "ab*", "a*b", "*a", "aa*", "ab*b", "bb*"] {
            let pattern = Pattern::parse(asked).unwrap();
            if decide(&set, asked) {
                for (name, allowed) in by_name.iter().filter(|(name, _)| pattern.matches(name)) {
                    prop_assert!(allowed, "{} is allowed and {} is not by\n{}", asked, name, text);
                }
            }
        }
    }
}
