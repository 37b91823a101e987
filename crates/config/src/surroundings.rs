//! What a configuration file refers to outside of itself.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

/// Secret files beyond this are refused: whatever they are, they are not a password.
const MAX_SECRET_FILE: u64 = 64 * 1024;

/// The environment and the file system, as far as loading needs them.
pub trait Surroundings {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a secret file.
    fn secret_file(&self, path: &Path) -> io::Result<Zeroizing<String>>;
    /// What is at `path`; an error when nothing is there or this process may not read it.
    fn inspect(&self, path: &Path) -> io::Result<Found>;
}

/// What was found at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// A readable file with its permission bits, where the system has such bits.
    File {
        /// As in `0o600`.
        mode: Option<u32>,
    },
    /// A directory.
    Directory,
}

/// The real file system, with an environment of the caller's choice.
pub(crate) struct Disk<'a> {
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings for Disk<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    fn secret_file(&self, path: &Path) -> io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        let read = File::open(path)?.take(MAX_SECRET_FILE + 1).read_to_string(&mut text)?;
        if u64::try_from(read).is_ok_and(|read| read > MAX_SECRET_FILE) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 64 KiB"));
        }
        Ok(text)
    }

    fn inspect(&self, path: &Path) -> io::Result<Found> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(Found::Directory);
        }
        // A special file could block on opening; its metadata has to do.
        if metadata.is_file() {
            File::open(path)?;
        }
        Ok(Found::File { mode: mode(&metadata) })
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such bits")]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<u32> {
    None
}
