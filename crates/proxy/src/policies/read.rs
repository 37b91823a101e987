//! Policies in files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use policy::Source;

use super::PoliciesError;

/// How often a folder is read until two readings agree.
const READINGS: usize = 5;

/// The texts of these files, or of a folder.
pub(super) fn sources(files: &[PathBuf], folder: Option<&Path>) -> Result<Vec<Source>, PoliciesError> {
    match folder {
        Some(folder) => settled(folder),
        None => files.iter().map(|path| source(path)).collect(),
    }
}

/// The texts of a folder, none older than another: a volume that swaps its files while they are read is read again.
fn settled(folder: &Path) -> Result<Vec<Source>, PoliciesError> {
    let mut before = Vec::new();
    for _ in 0..READINGS {
        let files = cedar_files(folder).map_err(|error| PoliciesError::Read(folder.to_owned(), error))?;
        if files.is_empty() {
            return Err(PoliciesError::Empty(folder.to_owned()));
        }
        let read = files.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?;
        if read == before {
            return Ok(read);
        }
        before = read;
    }
    Err(PoliciesError::Changing(folder.to_owned()))
}

/// The `*.cedar` of a folder, by name.
///
/// # Errors
/// If the folder cannot be listed.
pub fn cedar_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cedar") && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn source(path: &Path) -> Result<Source, PoliciesError> {
    let text = fs::read_to_string(path).map_err(|error| PoliciesError::Read(path.to_owned(), error))?;
    Ok(Source { name: path.display().to_string(), text })
}
