//! `check-config`

use serde::Serialize;

use super::{Failure, print};
use crate::cli::{CheckConfig, Output};

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    diagnostics: Vec<&'a config::Diagnostic>,
}

pub(super) fn run(arguments: &CheckConfig) -> Result<(), Failure> {
    let path = &arguments.file.config;
    let outcome = config::load(path, &|name| std::env::var(name).ok());
    let (ok, diagnostics) = match &outcome {
        Ok(loaded) => (true, &loaded.warnings),
        Err(diagnostics) => (false, diagnostics),
    };
    match arguments.output {
        Output::Json => {
            let report = Report {
                ok,
                diagnostics: diagnostics.iter().collect(),
            };
            print(&serde_json::to_string_pretty(&report)?)?;
        }
        Output::Text => {
            let mut text = diagnostics.render(true);
            if ok {
                let style = anstyle::AnsiColor::Green.on_default();
                text.push_str(&format!("{style}ok{style:#} {}", path.display()));
            }
            print(&text)?;
        }
    }
    if ok { Ok(()) } else { Err(Failure::No) }
}
