//! Files of policies.

use std::path::{Path, PathBuf};

use policy::{PolicySet, Source};

use super::faults::Fault;
use super::{names, pieces};
use crate::error::{Error, Result};

/// A file of policies.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// As it was given.
    pub(super) path: PathBuf,
    /// Its name without the folder, which is the first part of the ids of its policies.
    name: String,
    pub(super) text: String,
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, text: text(path)? })
    }

    pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn source(&self) -> Source {
        Source { name: self.name.clone(), text: self.text.clone() }
    }

    /// A fault that was found in this file.
    fn fault(&self, fault: &policy::Fault) -> Fault {
        let about = fault.source.strip_prefix(&format!("{}, policy ", self.name));
        let message = match about {
            Some(id) => format!("policy `{id}`: {}", fault.message),
            None => plain(&fault.message),
        };
        let shown = Fault::new(message).help(help(fault)).file(self.path.display().to_string());
        if let Some((line, column)) = fault.at {
            return shown.at(&self.text, line, column);
        }
        let policies = pieces::policies(&self.name, &self.text);
        // Of two with one id it is the second that should not be.
        let policy = policies.iter().rfind(|policy| policy.id == about.unwrap_or(&fault.source));
        match policy {
            Some(policy) => shown.at_byte(&self.text, policy.at),
            None => shown,
        }
    }
}

/// Without what Cedar says for each action of the schema, and without its own number of the policy, since the place is told.
fn plain(message: &str) -> String {
    let numbered = message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once("`, "));
    let message = numbered.map_or(message, |(_, message)| message);
    match message.split_once(" for Action::\"") {
        Some((before, rest)) => match rest.split_once('"') {
            Some((_, after)) => format!("{before}{after}"),
            None => message.to_owned(),
        },
        None => message.to_owned(),
    }
}

/// What to do. Cedar knows only some operations while it reads a file, so what is like a misspelt one is looked for here.
fn help(fault: &policy::Fault) -> Option<String> {
    let unknown = fault.message.split_once("unrecognized action `Action::\"");
    match unknown.and_then(|(_, rest)| rest.split_once("\"`")) {
        Some((name, _)) => Some(names::like(name, true).map_or_else(
            || "`opensearch-auth policy schema` prints all actions".to_owned(),
            |like| format!("did you mean {like}?"),
        )),
        None => fault.help.clone(),
    }
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::outside(format!("{} cannot be read: {error}", path.display())))
}

/// All `*.cedar` of a folder, by name.
pub(super) fn beside(cases: &Path) -> Result<Vec<PathBuf>> {
    let folder = cases.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error| Error::outside(format!("the folder {} cannot be read: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = PathBuf::from(entry.map_err(failed)?.file_name());
        if name.extension().is_some_and(|extension| extension == "cedar") {
            found.push(if folder == Path::new(".") { name } else { folder.join(name) });
        }
    }
    if found.is_empty() {
        return Err(Error::usage(format!("there is no `*.cedar` in {}", folder.display()))
            .cure("name the files of the policies after the cases"));
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads files together, as the proxy does; all faults, with their places.
pub(super) fn parse(files: &[File]) -> Result<PolicySet, Vec<Fault>> {
    let sources: Vec<Source> = files.iter().map(File::source).collect();
    let mut together = match PolicySet::parse(&sources) {
        Ok(set) => return Ok(set),
        Err(faults) => faults,
    };
    let mut faults = Vec::new();
    // Names need not tell files apart, so each is read once more alone.
    for (file, source) in files.iter().zip(&sources) {
        let begin = faults.len();
        for fault in PolicySet::parse(std::slice::from_ref(source)).err().into_iter().flatten() {
            // The help is left out: Cedar chooses among names that are equally like.
            let same = |known: &policy::Fault| {
                (&known.source, known.at, &known.message) == (&fault.source, fault.at, &fault.message)
            };
            if let Some(known) = together.iter().position(same) {
                together.remove(known);
            }
            let fault = file.fault(&fault);
            // Cedar tells some faults once for each action.
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        // Cedar finds them in no order.
        faults[begin..].sort_by_key(Fault::place);
    }
    // What is left is wrong only of files together: one id in two of them.
    for fault in together {
        let holds = |file: &&File| {
            pieces::policies(&file.name, &file.text).iter().any(|policy| policy.id == fault.source)
        };
        let holders: Vec<&File> = files.iter().filter(holds).collect();
        faults.push(match holders.as_slice() {
            [first, .., last] => {
                let elsewhere = policy::Fault {
                    message: format!("the policy `{}` is in {} too", fault.source, first.path.display()),
                    ..fault
                };
                last.fault(&elsewhere)
            }
            _ => Fault::new(format!("{}: {}", fault.source, fault.message)).help(fault.help),
        });
    }
    Err(faults)
}
