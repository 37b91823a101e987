//! `cargo xtask dist --verify`: whether the same commit makes the same bytes elsewhere.

use std::path::Path;

use super::{Release, files, make};
use crate::cargo::program;
use crate::{Result, XtaskError};

/// Builds the last commit in two new folders, whose paths differ in length too, and compares what comes out.
pub(super) async fn run(source: &Path, out: &Path) -> Result<()> {
    let origin = source.display().to_string();
    let commit = Release::of(source).await?.commit;
    let mut sums = Vec::new();
    for folder in ["first", "again/in-another-folder"] {
        let folder = out.join(folder);
        files::empty(&folder)?;
        let clone = folder.join("source");
        let clone_text = clone.display().to_string();
        program("git", &["clone", "--quiet", "--no-hardlinks", &origin, &clone_text]).run().await?;
        // Whoever commits meanwhile does not change what is compared.
        program("git", &["checkout", "--quiet", "--detach", &commit]).within(&clone).run().await?;
        let release = Release::of(&clone).await?;
        make(&release, &folder.join("dist")).await?;
        let text = files::read(&folder.join("dist").join(files::SUMS))?;
        sums.push(String::from_utf8_lossy(&text).into_owned());
    }
    if let [first, again] = &sums[..]
        && first == again
    {
        anstream::print!("{first}");
        return Ok(());
    }
    Err(XtaskError::NotReproducible { sums: sums.join("\n") })
}
