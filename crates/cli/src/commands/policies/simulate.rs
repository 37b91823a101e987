//! `policy simulate`: which recorded requests would be decided otherwise.

use serde_json::json;

use super::differences::Differences;
use super::files::{self, File};
use super::{counted, faults, recorded};
use crate::cli::policies::Simulate;
use crate::error::{Error, Result};
use crate::output::Ui;

pub(super) fn run(ui: Ui, arguments: &Simulate) -> Result<()> {
    let Simulate { audit, qualified, exit_code, files } = arguments;
    let set = match files::parse(&File::all(files)?) {
        Ok(set) => set,
        Err(found) => return faults::told(ui, &found),
    };
    let mut differences = Differences::default();
    let mut elsewhere = 0;
    let counts = recorded::each(audit, *qualified, |recorded| match recorded.allowed {
        Some(allowed) => {
            let answer = recorded.question.ask(&set);
            if answer.allowed != allowed {
                differences.note(&recorded.question, &answer);
            }
        }
        None => elsewhere += 1,
    })?;
    let asked = counts.asked - elsewhere;
    let mut lines = vec![if differences.is_empty() {
        let same = ("recorded request is decided as it was", "recorded requests are decided as they were");
        format!("✅ {}", counted(asked, same.0, same.1))
    } else {
        differences.told()
    }];
    if elsewhere > 0 {
        let refused = ("was refused by another layer", "were refused by another layer");
        lines.push(format!("·  {}", counted(elsewhere, refused.0, refused.1)));
    }
    if counts.incomplete > 0 {
        let incomplete = counted(counts.incomplete, "record does not hold", "records do not hold");
        lines.push(format!(
            "⚠️  {incomplete} all that policies are asked by, such as every one of very many indices"
        ));
    }
    let value = json!({
        "asked": asked,
        "refused_elsewhere": elsewhere,
        "incomplete": counts.incomplete,
        "differences": differences.value(),
    });
    ui.result(&value, &lines.join("\n"))?;
    end(&differences, *exit_code)
}

/// The end of a command that compares.
pub(super) fn end(differences: &Differences, exit_code: bool) -> Result<()> {
    if differences.is_empty() || !exit_code {
        return Ok(());
    }
    let (refused, allowed) = (differences.count(false), differences.count(true));
    Err(Error::refused(format!("{refused} become refused, and {allowed} become allowed")))
}
