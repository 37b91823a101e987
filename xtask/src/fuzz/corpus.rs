//! What of the inputs is kept.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{LONGEST, MEMORY, PATIENCE, Target, logged};
use crate::cargo::workspace;
use crate::{Result, XtaskError};

/// A branch counts once, however often an input takes it: what differs in that alone is found again within a minute, and would make
/// the corpus several times as large.
const BRANCHES: &str = "-use_counters=0";

/// Replaces the corpus by the fewest inputs that reach each branch that is reached by it, by the seeds, or by what was found, which
/// is removed.
pub(super) async fn keep(target: &Target) -> Result<()> {
    let merged = target.folder("target/merged");
    let failed = |source| XtaskError::Write { path: merged.clone(), source };
    empty(&workspace().join(&merged)).map_err(failed)?;
    let mut arguments = vec!["-set_cover_merge=1".to_owned()];
    arguments.extend([BRANCHES, LONGEST, PATIENCE, MEMORY].map(str::to_owned));
    arguments.push(merged.clone());
    arguments.extend(target.inputs());
    let log = workspace().join(format!("{merged}.log"));
    if !logged(target.call(&arguments), &log).await? {
        return Err(XtaskError::Failed { command: format!("merging; its log is {}", log.display()) });
    }
    let [corpus, seeds, found] =
        ["corpus", "seeds", "found"].map(|kind| workspace().join(target.folder(kind)));
    let replace = || -> io::Result<(usize, u64)> {
        let written = contents(&seeds)?;
        empty(&corpus)?;
        let (mut inputs, mut size) = (0, 0);
        for entry in fs::read_dir(workspace().join(&merged))? {
            let entry = entry?;
            if !written.contains(&fs::read(entry.path())?) {
                inputs += 1;
                size += fs::copy(entry.path(), corpus.join(entry.file_name()))?;
            }
        }
        empty(&found)?;
        Ok((inputs, size))
    };
    let (inputs, size) = replace().map_err(failed)?;
    anstream::eprintln!("    kept: {inputs} inputs of {size} bytes in all");
    Ok(())
}

fn contents(folder: &Path) -> io::Result<BTreeSet<Vec<u8>>> {
    fs::read_dir(folder)?.map(|entry| fs::read(entry?.path())).collect()
}

/// Makes the folder, without anything in it.
fn empty(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}
