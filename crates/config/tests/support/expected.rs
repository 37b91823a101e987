//! Files that must equal what the code gives; `UPDATE_EXPECTED=1` writes them anew.

use std::{env, fs, path::Path};

/// Compares; panics with the difference's place.
pub(crate) fn assert_equals(path: &Path, actual: &str) {
    if env::var_os("UPDATE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(path, actual).expect("the file can be written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    let line = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count() + 1;
    assert!(
        expected == actual,
        "{} differs from line {line} on. If what is new is right, run the test with UPDATE_EXPECTED=1 and commit.\n\
         now:\n{actual}",
        path.display(),
    );
}
