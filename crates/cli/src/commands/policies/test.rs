//! `policy test`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::cases::{self, Case};
use super::faults::told;
use super::files::{self, File};
use super::question::{Answer, texts, word};
use crate::error::{Error, Result, printable};
use crate::output::Ui;

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
            let answer = case.question.ask(&set);
            (case, answer)
        })
        .collect();
    let differing = answers.iter().filter(|(case, answer)| !case.is_met_by(answer)).count();
    let text = if differing == 0 {
        format!(
            "✅ {}",
            super::counted(answers.len(), "case is decided as expected", "cases are decided as expected")
        )
    } else {
        let lines = answers.iter().filter(|(case, answer)| !case.is_met_by(answer));
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

impl Case {
    fn is_met_by(&self, answer: &Answer) -> bool {
        self.allowed == answer.allowed
            && self.by.as_ref().is_none_or(|by| answer.by.iter().any(|id| **id == **by))
    }
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
        "decision": answer.word(),
        "policies": texts(&answer.by),
        "near": texts(&answer.near),
        "failed": answer.failed,
        "as_expected": case.is_met_by(answer),
    })
}
