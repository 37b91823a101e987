//! What two answers to the same questions differ in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::question::{Answer, Question, texts};
use crate::error::printable;

/// Differences that people are shown; all of them are in the JSON.
const SHOWN: usize = 40;

/// Questions that are answered in another way than before, each with how often it was met.
#[derive(Debug, Default)]
pub(super) struct Differences(BTreeMap<(bool, String), Difference>);

#[derive(Debug)]
struct Difference {
    times: usize,
    said: String,
    value: Value,
}

impl Differences {
    /// Notes a question that was answered otherwise before.
    pub(super) fn note(&mut self, question: &Question, now: &Answer) {
        let entry = self.0.entry((now.allowed, question.told())).or_insert_with(|| Difference {
            times: 0,
            said: now.told(),
            value: json!({
                "who": question.who.told(),
                "operation": question.operation,
                "on": question.wants.iter().map(|(action, on)| format!("{action} {on}")).collect::<Vec<_>>(),
                "cluster": question.context.cluster,
                "decision": now.word(),
                "policies": texts(&now.by),
                "near": texts(&now.near),
                "failed": now.failed,
            }),
        });
        entry.times += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, by what they are answered with now.
    pub(super) fn count(&self, allowed: bool) -> usize {
        self.0.keys().filter(|(now, _)| *now == allowed).count()
    }

    /// For people: what becomes refused, then what becomes allowed.
    pub(super) fn told(&self) -> String {
        let line = |((allowed, question), difference): (&(bool, String), &Difference)| {
            let mark = if *allowed { "🔓 becomes allowed" } else { "🔒 becomes refused" };
            let times =
                if difference.times > 1 { format!(" ({} times)", difference.times) } else { String::new() };
            format!("{mark}: {}{times}\n   {}", printable(question), printable(&difference.said))
        };
        let mut lines: Vec<String> = self.0.iter().take(SHOWN).map(line).collect();
        if self.0.len() > SHOWN {
            lines.push(format!("… and {} more; --output json has all of them", self.0.len() - SHOWN));
        }
        lines.join("\n")
    }

    /// For programs.
    pub(super) fn value(&self) -> Vec<Value> {
        let one = |difference: &Difference| {
            let mut value = difference.value.clone();
            value["times"] = json!(difference.times);
            value
        };
        self.0.values().map(one).collect()
    }
}
