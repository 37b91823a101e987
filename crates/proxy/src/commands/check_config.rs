//! `check-config`

use std::fmt::Write as _;

use serde::Serialize;

use super::{Failure, print};
use crate::{
    cli::{CheckConfig, Output},
    errors,
    policies::Policies,
};

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    diagnostics: Vec<&'a config::Diagnostic>,
    /// What is wrong with the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<String>,
}

pub(super) fn run(arguments: &CheckConfig) -> Result<(), Failure> {
    let path = &arguments.file.config;
    let outcome = config::load(path, &|name| std::env::var(name).ok());
    let (ok, diagnostics) = match &outcome {
        Ok(loaded) => (true, &loaded.warnings),
        Err(diagnostics) => (false, diagnostics),
    };
    let mistakes = outcome.as_ref().ok().and_then(|loaded| Policies::read(&loaded.config).err());
    let ok = ok && mistakes.is_none();
    let policies = mistakes.as_ref().map(|mistakes| errors::chain(mistakes));
    match arguments.output {
        Output::Json => {
            let report = Report { ok, diagnostics: diagnostics.iter().collect(), policies };
            print(&serde_json::to_string_pretty(&report)?)?;
        }
        Output::Text => {
            let mut text = diagnostics.render(true);
            text.extend(policies);
            if ok {
                // Writing to a string cannot fail.
                let style = anstyle::AnsiColor::Green.on_default();
                let _ = write!(text, "{style}ok{style:#} {}", path.display());
            }
            print(&text)?;
        }
    }
    if ok { Ok(()) } else { Err(Failure::No) }
}
