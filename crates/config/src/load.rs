//! From a file to a checked configuration.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Severity},
    model::Config,
    source::Source,
    surroundings::{Disk, Surroundings},
};

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
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Diagnostics> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &absolute, &Disk { env }),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

/// Checks a configuration given as text; `name` is the path it is known by.
pub fn parse(text: &str, name: &Path, _surroundings: &dyn Surroundings) -> Result<Loaded, Diagnostics> {
    let config = serde_json::from_str(text).map_err(|error| unreadable(name, &error.to_string()))?;
    Ok(Loaded {
        config,
        path: name.to_owned(),
        watched: vec![name.to_owned()],
        warnings: Diagnostics::new(Vec::new(), Arc::new(Source::new(name, text))),
    })
}

fn unreadable(path: &Path, message: &str) -> Diagnostics {
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        file: path.to_owned(),
        position: None,
        key: String::new(),
        message: format!("the file cannot be read: {message}"),
        cure: "give the path of a readable YAML file in UTF-8".to_owned(),
        label: 0..0,
    };
    Diagnostics::new(vec![diagnostic], Arc::new(Source::new(path, "")))
}
