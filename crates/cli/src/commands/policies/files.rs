//! Files of policies.

use std::path::{Path, PathBuf};

use policy::{Fault, PolicySet, Source};

use crate::error::{Error, Result};

/// A file of policies.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// As it was given.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl File {
    pub(super) fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        paths.iter().map(|path| Ok(Self { path: path.clone(), text: text(path)? })).collect()
    }
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Error::outside(format!("{} cannot be read: {error}", path.display())))
}

/// All `*.cedar` beside the cases, by name.
pub(super) fn beside(cases: &Path) -> Result<Vec<PathBuf>> {
    in_folder(cases.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// All `*.cedar` of a folder, by name.
pub(super) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
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
            .cure("name the files of the policies"));
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads files together, as the proxy does.
pub(super) fn parse(files: &[File]) -> Result<PolicySet, Vec<Fault>> {
    let source = |file: &File| Source { name: file.path.display().to_string(), text: file.text.clone() };
    PolicySet::parse(&files.iter().map(source).collect::<Vec<_>>())
}
