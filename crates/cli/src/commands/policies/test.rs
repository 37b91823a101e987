//! `policy test`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use policy::{Decision, PolicySet, Wish};
use serde_json::json;

use super::cases::{self, Case};
use super::faults::told;
use super::files::{self, File};
use crate::error::{Error, Result, printable};
use crate::output::Ui;

/// What the policies say about a case.
#[derive(Debug, Default)]
struct Answer {
    allowed: bool,
    /// The policies that decide.
    by: Vec<Arc<str>>,
    /// Permits that hold elsewhere or under other circumstances, where none permits it.
    near: Vec<Arc<str>>,
    /// Why policies could not be evaluated.
    failed: Vec<String>,
}

pub(super) fn run(ui: Ui, path: &Path, policies: &[PathBuf]) -> Result<()> {
    let name = path.display().to_string();
    let cases = cases::read(&name, &files::text(path)?, Timestamp::now());
    let beside = if policies.is_empty() { files::beside(path)? } else { policies.to_vec() };
    let (cases, set) = match (cases, files::parse(&File::all(&beside)?)) {
        (Ok(cases), Ok(set)) => (cases, set),
        (cases, set) => {
            let mut faults = set.err().unwrap_or_default();
            faults.extend(cases.err().unwrap_or_default());
            return told(ui, &faults);
        }
    };
    let answers: Vec<(Case, Answer)> = cases
        .into_iter()
        .map(|case| {
            let answer = ask(&set, &case);
            (case, answer)
        })
        .collect();
    let differing = answers.iter().filter(|(case, answer)| !answer.meets(case)).count();
    let text = if differing == 0 {
        format!(
            "✅ {}",
            super::counted(answers.len(), "case is decided as expected", "cases are decided as expected")
        )
    } else {
        let lines = answers.iter().filter(|(case, answer)| !answer.meets(case));
        lines.map(|(case, answer)| difference(&name, case, answer)).collect::<Vec<_>>().join("\n")
    };
    let value: Vec<_> = answers.iter().map(|(case, answer)| value(case, answer)).collect();
    ui.result(&json!({ "cases": value }), &text)?;
    match differing {
        0 => Ok(()),
        _ => Err(Error::refused(format!(
            "{differing} of {} decided otherwise than expected",
            super::counted(answers.len(), "case is", "cases are")
        ))),
    }
}

/// A case with several indices is allowed only if each is, as a request is.
fn ask(set: &PolicySet, case: &Case) -> Answer {
    let (asker, about) = (case.asker(), case.circumstances());
    let mut permits = Answer { allowed: true, ..Answer::default() };
    let mut denial = Answer::default();
    for on in &case.on {
        let wish = Wish { operation: &case.operation, main: case.main, action: case.action, on };
        match set.decide(&asker, &wish, &about) {
            Decision::Allow { permits: by } => add(&mut permits.by, by),
            Decision::Deny { forbids, near, failed } => {
                permits.allowed = false;
                add(&mut denial.by, forbids);
                add(&mut denial.near, near);
                denial.failed.extend(failed);
            }
        }
    }
    if permits.allowed { permits } else { denial }
}

fn add(known: &mut Vec<Arc<str>>, more: Vec<Arc<str>>) {
    for id in more {
        if !known.contains(&id) {
            known.push(id);
        }
    }
}

impl Answer {
    fn meets(&self, case: &Case) -> bool {
        self.allowed == case.allowed
            && case.by.as_ref().is_none_or(|by| self.by.iter().any(|id| **id == **by))
    }

    fn told(&self) -> String {
        if !self.failed.is_empty() {
            return format!("denied, since policies could not be evaluated: {}", self.failed.join("; "));
        }
        match (self.allowed, self.by.is_empty(), self.near.is_empty()) {
            (true, ..) => format!("permitted by {}", quoted(&self.by)),
            (false, false, _) => format!("forbidden by {}", quoted(&self.by)),
            (false, true, true) => "no policy permits it".to_owned(),
            (false, true, false) => format!(
                "no policy permits it; elsewhere or under other circumstances {} would",
                quoted(&self.near)
            ),
        }
    }
}

fn quoted(ids: &[Arc<str>]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

fn word(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}

fn difference(file: &str, case: &Case, answer: &Answer) -> String {
    let by = case.by.as_ref().map(|by| format!(" by `{by}`")).unwrap_or_default();
    let what = format!("{}: expected {}{by}", case.name(), word(case.allowed));
    format!("❌ {file}:{}: {}\n   {}", case.line, printable(&what), printable(&answer.told()))
}

fn value(case: &Case, answer: &Answer) -> serde_json::Value {
    json!({
        "line": case.line,
        "name": case.name(),
        "expected": word(case.allowed),
        "expected_by": case.by,
        "decision": word(answer.allowed),
        "policies": texts(&answer.by),
        "near": texts(&answer.near),
        "failed": answer.failed,
        "as_expected": answer.meets(case),
    })
}

fn texts(ids: &[Arc<str>]) -> Vec<&str> {
    ids.iter().map(AsRef::as_ref).collect()
}
