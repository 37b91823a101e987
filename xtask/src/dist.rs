//! `cargo xtask dist`: what a release consists of.
//!
//! The same commit, compiler and C compiler make the same bytes, whatever the folder; `--verify` shows it. What decides
//! the bytes beside them stands in the file `BUILDINFO` of the archive.

mod archive;
mod build;
mod debian;
mod files;
mod image;
mod packages;
mod sbom;
mod signature;
mod third_party;
mod verify;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cargo::{program, workspace};
use crate::{Result, XtaskError};

#[derive(Debug, Args)]
pub(crate) struct DistArgs {
    /// The folder for the files of the release; what is in it is replaced.
    #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
    out: PathBuf,
    /// Builds the last commit twice, in two new folders below FOLDER, and fails if a byte differs.
    #[arg(long)]
    verify: bool,
    /// Builds with changes that are not committed. What comes of it cannot be made again.
    #[arg(long, conflicts_with = "verify")]
    allow_dirty: bool,
    /// Signs the checksums with this SSH key, a private one or a public one whose other half the agent holds.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["verify", "allow_dirty"])]
    sign_with: Option<PathBuf>,
}

/// The programs, which are also the names of their packages.
const PROGRAMS: [&str; 2] = [SERVER, CLIENT];
const SERVER: &str = "opensearch-oauth-proxy";
const CLIENT: &str = "opensearch-auth";

/// What is released: a folder with the source of one commit.
#[derive(Debug, Clone)]
struct Release {
    source: PathBuf,
    version: String,
    /// When the commit was made: seconds since 1970, in place of the time of the build.
    epoch: String,
    /// The same as `2026-01-31T09:30:00Z`.
    date: String,
    commit: String,
}

impl Release {
    async fn of(source: &Path) -> Result<Self> {
        let git = async |arguments: &[&str]| {
            let call = program("git", arguments).within(source).env("TZ", "UTC");
            call.output().await.map(|output| output.trim().to_owned())
        };
        Ok(Self {
            source: source.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: git(&["log", "-1", "--format=%ct"]).await?,
            date: git(&["log", "-1", "--format=%cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ"]).await?,
            commit: git(&["rev-parse", "HEAD"]).await?,
        })
    }

    /// The name of the archive, and of the folder in it.
    fn name(&self) -> String {
        format!("{SERVER}-{}-{}", self.version, build::target())
    }
}

pub(crate) async fn run(args: &DistArgs) -> Result<()> {
    let source = workspace();
    let out = source.join(&args.out);
    if args.verify {
        return verify::run(source, &out).await;
    }
    let changed = program("git", &["status", "--porcelain"]).output().await?;
    if !changed.is_empty() && !args.allow_dirty {
        return Err(XtaskError::Dirty);
    }
    make(&Release::of(source).await?, &out).await?;
    if let Some(key) = &args.sign_with {
        signature::sign(key, &out.join(files::SUMS)).await?;
    }
    anstream::println!("{}", out.display());
    Ok(())
}

/// Builds everything into `out`.
async fn make(release: &Release, out: &Path) -> Result<()> {
    files::empty(out)?;
    let built = build::programs(release).await?;
    let mut all = packages::Packages::default();
    for name in PROGRAMS {
        let packages = packages::linked_into(name, release).await?;
        let bom = sbom::cyclonedx(name, release, &built.compiler, &packages);
        files::write(&out.join(format!("{name}-{}.cdx.json", release.version)), format!("{bom:#}\n"))?;
        all.extend(packages);
    }
    let third_party = third_party::text(&all)?;
    archive::make(release, &built, &third_party, out).await?;
    for name in PROGRAMS {
        debian::package(name, release, &built, &third_party, out).await?;
    }
    image::make(release, &built, &third_party, out).await?;
    files::sums(out).await
}
