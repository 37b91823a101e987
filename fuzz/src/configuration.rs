//! What reads configurations, over any bytes. Panics when a promise is broken.

use std::io;
use std::path::Path;

use config::{Found, Surroundings};
use zeroize::Zeroizing;

/// A configuration, where nothing is on the disk and in the environment.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(diagnostics) = config::parse(text, Path::new("/any/config.yml"), &Nowhere) {
        assert!(diagnostics.has_errors(), "refused without a reason");
        assert!(!diagnostics.render(false).is_empty(), "refused without a word");
    }
}

struct Nowhere;

impl Surroundings for Nowhere {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn secret_file(&self, _: &Path) -> io::Result<Zeroizing<String>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn inspect(&self, _: &Path) -> io::Result<Found> {
        Err(io::ErrorKind::NotFound.into())
    }
}
