//! Files and folders of a release.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::cargo::program;
use crate::{Result, XtaskError};

/// The checksums of a release, in its folder.
pub(super) const SUMS: &str = "SHA256SUMS";

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> XtaskError {
    |source| XtaskError::Write { path: path.display().to_string(), source }
}

/// The folder, made if need be, with nothing in it.
pub(super) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed(folder))?;
    }
    fs::create_dir_all(folder).map_err(failed(folder))
}

/// Writes a file that everybody may read, and the folders that lead to it.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    fs::write(path, content).map_err(failed(path))?;
    mode(path, 0o644)
}

pub(super) fn mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed(path))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| XtaskError::Read { path: path.display().to_string(), source })
}

/// Copies a file that everybody may read.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    write(to, read(from)?)
}

/// Copies a program.
pub(super) fn install(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    mode(to, 0o755)
}

/// What is in a folder, sorted by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| XtaskError::Read { path: folder.display().to_string(), source };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// Every file below a folder, sorted.
pub(super) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Where a path is, seen from `folder`.
pub(super) fn relative(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// Writes [`SUMS`] of all files in a folder, as `sha256sum --check` reads it.
pub(super) async fn sums(folder: &Path) -> Result<()> {
    let names: Vec<String> = entries(folder)?.iter().map(|path| relative(path, folder)).collect();
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let sums = program("sha256sum", &arguments).within(folder).output().await?;
    write(&folder.join(SUMS), sums)
}

/// SHA-256 of a file, in hex.
pub(super) async fn sha256(path: &Path) -> Result<String> {
    let sum = program("sha256sum", &[&path.display().to_string()]).output().await?;
    Ok(sum.split(' ').next().unwrap_or_default().to_owned())
}
