//! The archive: both programs with manual pages, completions, the unit, examples and documentation.

use std::path::Path;

use super::build::Built;
use super::{PROGRAMS, Release, SERVER, files};
use crate::Result;
use crate::cargo::program;

/// What of the source is in the archive as it is.
const AS_IT_IS: [&str; 8] =
    ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "deploy", "docs", "examples", "schema"];

pub(super) async fn make(release: &Release, built: &Built, third_party: &str, out: &Path) -> Result<()> {
    let name = release.name();
    let stage = release.source.join("target/dist-archive");
    let folder = stage.join(&name);
    files::empty(&folder)?;
    // Of the commit, without what else lies in the folders.
    let source = folder.join("source.tar");
    let take = ["archive", "--format=tar", "--output", &source.display().to_string(), &release.commit, "--"];
    program("git", &[&take[..], &AS_IT_IS].concat()).within(&release.source).output().await?;
    program("tar", &["--extract", "--file", "source.tar"]).within(&folder).output().await?;
    std::fs::remove_file(&source)
        .map_err(|error| crate::XtaskError::Write { path: source.display().to_string(), source: error })?;
    for program in PROGRAMS {
        files::install(&built.program(program), &folder.join("bin").join(program))?;
        completions(built, program, &folder.join("completions")).await?;
        manual(built, program, &folder.join("man/man1")).await?;
    }
    files::write(&folder.join("THIRD-PARTY"), third_party)?;
    files::write(&folder.join("BUILDINFO"), &built.info)?;
    let archive = out.join(format!("{name}.tar.gz"));
    tar(release, &stage, &[&name], &archive, &["--use-compress-program=gzip --best --no-name"]).await
}

/// Packs what is named in a folder, sorted, as root's and of the commit's time: the same content makes the same bytes.
pub(super) async fn tar(
    release: &Release,
    folder: &Path,
    names: &[&str],
    archive: &Path,
    options: &[&str],
) -> Result<()> {
    let (archive, mtime) = (archive.display().to_string(), format!("--mtime=@{}", release.epoch));
    let create = ["--create", "--file", &archive, "--format=ustar", "--sort=name", &mtime];
    let as_root = ["--owner=root:0", "--group=root:0", "--mode=u=rwX,go=rX"];
    program("tar", &[&create[..], &as_root, options, names].concat()).within(folder).run().await
}

/// Writes `<program>.bash`, `_<program>` for zsh and `<program>.fish`.
pub(super) async fn completions(built: &Built, name: &str, folder: &Path) -> Result<()> {
    let command = if name == SERVER { "completions" } else { "completion" };
    let own = built.program(name).display().to_string();
    for (shell, file) in
        [("bash", format!("{name}.bash")), ("zsh", format!("_{name}")), ("fish", format!("{name}.fish"))]
    {
        files::write(&folder.join(file), program(&own, &[command, shell]).output().await?)?;
    }
    Ok(())
}

/// Writes one page for each command.
pub(super) async fn manual(built: &Built, name: &str, folder: &Path) -> Result<()> {
    let own = built.program(name).display().to_string();
    program(&own, &["man", "--out", &folder.display().to_string()]).output().await?;
    Ok(())
}
