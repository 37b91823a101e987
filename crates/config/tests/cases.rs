//! Configurations with mistakes in `cases/`, each beside what a person is shown.
#![expect(clippy::expect_used, reason = "a test ends at the first thing that is not as it should be")]

#[path = "support/expected.rs"]
mod expected;

use std::{fs, io, path::Path};

use config::{Found, Surroundings};
use zeroize::Zeroizing;

/// Surroundings in which a name says what is wrong with a thing.
struct Telling;

impl Surroundings for Telling {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "UNSET" => None,
            "EMPTY" => Some(String::new()),
            _ => Some(format!("the value of {name}")),
        }
    }

    fn secret_file(&self, path: &Path) -> io::Result<Zeroizing<String>> {
        self.inspect(path)?;
        Ok(Zeroizing::new("the content of a file\n".to_owned()))
    }

    fn inspect(&self, path: &Path) -> io::Result<Found> {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        match name {
            "missing" => Err(io::ErrorKind::NotFound.into()),
            "denied" => Err(io::ErrorKind::PermissionDenied.into()),
            "everyones" => Ok(Found::File { mode: Some(0o100_644) }),
            "groups" => Ok(Found::File { mode: Some(0o100_640) }),
            _ if path.extension().is_none() => Ok(Found::Directory),
            _ => Ok(Found::File { mode: Some(0o100_600) }),
        }
    }
}

#[test]
fn renderings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for path in cases {
        let text = fs::read_to_string(&path).expect("the case can be read");
        let name = path.file_name().expect("a case has a name");
        let rendering = match config::parse(&text, Path::new(name), &Telling) {
            Ok(loaded) => format!("accepted\n\n{}", loaded.warnings.render(false)),
            Err(diagnostics) => diagnostics.render(false),
        };
        assert!(!rendering.contains("hunter"), "{}: a secret is shown:\n{rendering}", path.display());
        expected::assert_equals(&path.with_extension("txt"), &rendering);
    }
}
