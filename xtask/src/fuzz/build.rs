//! Building the targets.

use std::collections::BTreeSet;
use std::fs;

use super::Target;
use crate::cargo::{cargo, program, workspace};
use crate::{Result, XtaskError};

/// What libFuzzer follows: a counter in each branch, where each of them is, and what is compared. The stable compiler has the
/// pass of LLVM that puts them there; only sanitizers, of which safe code has little, need a nightly one.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing";
const FOLDER: &str = "fuzz/target";

/// The names of these targets; of all, if there are none.
pub(super) fn chosen(named: &[String]) -> Result<Vec<String>> {
    let folder = "fuzz/fuzz_targets";
    let failed = |source| XtaskError::Read { path: folder.to_owned(), source };
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(workspace().join(folder)).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        known.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    if let Some(name) = named.iter().find(|name| !known.contains(*name)) {
        let known: Vec<String> = known.into_iter().collect();
        return Err(XtaskError::NoSuchTarget { name: name.clone(), known: known.join(", ") });
    }
    Ok(if named.is_empty() { known.into_iter().collect() } else { named.to_vec() })
}

/// Builds them. Named as a target of its own, this machine gets the flags for the programs alone, and not for build scripts, which
/// libFuzzer is not linked to.
pub(super) async fn build(names: &[String]) -> Result<Vec<Target>> {
    let about = program("rustc", &["-vV"]).output().await?;
    let machine = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let arguments = ["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", machine];
    let mut arguments: Vec<&str> = arguments.into_iter().chain(["--target-dir", FOLDER]).collect();
    arguments.extend(names.iter().flat_map(|name| ["--bin", name]));
    cargo(&arguments).env("RUSTFLAGS", FLAGS).run().await?;
    let folder = workspace().join(FOLDER).join(machine).join("release");
    Ok(names.iter().map(|name| Target { name: name.clone(), program: folder.join(name) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_are_chosen_unless_some_are_named() {
        let all = chosen(&[]).unwrap();
        assert!(all.len() > 1 && all.is_sorted());
        let one = vec![all[1].clone()];
        assert_eq!(chosen(&one).unwrap(), one);
        let wrong = chosen(&["nothing".to_owned()]).unwrap_err().to_string();
        assert!(all.iter().all(|name| wrong.contains(name)), "{wrong}");
    }
}
