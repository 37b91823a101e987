//! From a file to a checked configuration.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    check,
    diagnostic::{Diagnostic, Diagnostics, Severity},
    model::Config,
    parts::{self, Parts},
    refer,
    report::{Findings, Report},
    source::Source,
    structure,
    surroundings::{Disk, Surroundings},
    tree::At,
    yaml,
};

/// Larger files are refused unread.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// A configuration without errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration; its paths are absolute, its secrets resolved.
    pub config: Config,
    /// The file it came from, absolute.
    pub path: PathBuf,
    /// This file and every file it refers to: a change of any of them calls for loading anew.
    pub watched: Vec<PathBuf>,
    /// What is allowed but probably not meant.
    pub warnings: Diagnostics,
}

/// Reads and checks a configuration file. Relative paths in it count from its own folder.
///
/// `env` answers for the environment: `&|name| std::env::var(name).ok()`.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Diagnostics> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match read(path) {
        Ok(text) => stages(&text, path, &absolute, &Disk { env }),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Checks a configuration given as text; `name` is the path it is known by, and relative paths in it count from there.
pub fn parse(text: &str, name: &Path, surroundings: &dyn Surroundings) -> Result<Loaded, Diagnostics> {
    stages(text, name, name, surroundings)
}

/// `shown` is the path as the user knows it, `path` the same, absolute.
fn stages(
    text: &str,
    shown: &Path,
    path: &Path,
    surroundings: &dyn Surroundings,
) -> Result<Loaded, Diagnostics> {
    let mut source = Source::new(shown, text);
    let mut report = Report::new(shown.to_owned());
    let tree = yaml::parse(&source, &mut report);
    refer::blot(&mut source, tree.as_ref());
    let source = Arc::new(source);
    let Some(tree) = tree else {
        return Err(report.into_diagnostics(source));
    };

    let mut findings = Findings::new(&mut report, &tree);
    let mut document = tree.to_value();
    structure::check(&mut document, &mut findings);
    let folder = path.parent().unwrap_or(Path::new(""));
    let references = refer::follow(&mut document, folder, surroundings, &mut findings);
    check::all(&Parts::new(&document, &mut findings), &mut findings);

    let diagnostics = report.clone().into_diagnostics(Arc::clone(&source));
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let mut watched = vec![path.to_owned()];
    watched.extend(references.files.iter().cloned());
    watched.sort();
    watched.dedup();
    references.fill_in(&mut document);
    match model(document) {
        Ok(config) => Ok(Loaded { config, path: path.to_owned(), watched, warnings: diagnostics }),
        Err((at, message)) => {
            let mut findings = Findings::new(&mut report, &tree);
            findings.error(&at, message, "correct this value");
            Err(report.into_diagnostics(source))
        }
    }
}

fn model(document: Value) -> Result<Config, (At, String)> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| (parts::to_at(error.path()), error.into_inner().to_string()))
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    fs::read_to_string(path)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostics {
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        file: path.to_owned(),
        position: None,
        key: String::new(),
        message: format!("the configuration file {} cannot be read: {error}", path.display()),
        cure: "give the path of a readable YAML file in UTF-8".to_owned(),
        label: 0..0,
    };
    Diagnostics::new(vec![diagnostic], Arc::new(Source::new(path, "")))
}
