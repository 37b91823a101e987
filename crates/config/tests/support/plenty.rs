//! Surroundings for tests.

use std::{io, path::Path};

use config::{Found, Surroundings};
use zeroize::Zeroizing;

/// Surroundings where everything that a configuration refers to is there, as it should be.
#[derive(Debug)]
pub(crate) struct Plenty;

impl Surroundings for Plenty {
    fn variable(&self, _: &str) -> Option<String> {
        Some("value of a variable".to_owned())
    }

    fn secret_file(&self, _: &Path) -> io::Result<Zeroizing<String>> {
        Ok(Zeroizing::new("line of a file, long enough for a secret to derive keys from\n".to_owned()))
    }

    fn inspect(&self, path: &Path) -> io::Result<Found> {
        // What has no extension is a folder.
        Ok(if path.extension().is_none() { Found::Directory } else { Found::File { mode: Some(0o600) } })
    }
}
