//! Builds the programs as single files that need no library of the machine.

use std::path::{Path, PathBuf};

use super::{PROGRAMS, Release, files, image};
use crate::cargo::{cargo, program};
use crate::{Result, XtaskError};

/// What the programs are built for: the processor of this machine, and musl for the C library. glibc cannot be linked
/// in whole: it loads modules of the machine to resolve names.
pub(super) fn target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Programs that were built, and by what.
#[derive(Debug)]
pub(super) struct Built {
    folder: PathBuf,
    /// The version of the Rust compiler.
    pub(super) compiler: String,
    /// What beside the commit decides what comes out.
    pub(super) info: String,
}

impl Built {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

pub(super) async fn programs(release: &Release) -> Result<Built> {
    let target = target();
    let source = &release.source;
    // Says which package is missing, where a failing build of C would not.
    let linker = program("musl-gcc", &["--version"]).output().await?;
    // Without rustup the compiler may have the target all the same; else the build says that it lacks it.
    match program("rustup", &["target", "add", &target]).within(source).run().await {
        Ok(()) | Err(XtaskError::Spawn { .. }) => {}
        Err(error) => return Err(error),
    }
    cargo(&["fetch", "--locked", "--target", &target]).within(source).run().await?;
    let compiler = program("rustc", &["--version"]).within(source).output().await?.trim().to_owned();
    let hidden = hidden_paths(source)?;
    let prefixes = |option: &str| {
        let flags = hidden.iter().map(|(from, to)| format!("{option}={}={to}", from.display()));
        flags.collect::<Vec<_>>()
    };
    let mut arguments = vec!["build", "--locked", "--release", "--target", &target];
    arguments.extend(PROGRAMS.iter().flat_map(|name| ["--package", *name]));
    let variable = target.replace('-', "_");
    let build = cargo(&arguments)
        .within(source)
        .env("CARGO_ENCODED_RUSTFLAGS", prefixes("--remap-path-prefix").join("\x1f"))
        .env(&format!("CFLAGS_{variable}"), prefixes("-ffile-prefix-map").join(" "))
        .env("CARGO_TARGET_DIR", source.join("target"))
        .env("SOURCE_DATE_EPOCH", &release.epoch);
    build.run().await?;
    let certificates = files::sha256(&Path::new("/").join(image::CERTIFICATES)).await?;
    let info = format!(
        "commit: {}\ntarget: {target}\nrust: {compiler}\nc: {}\ncertificates: sha256:{certificates}\n",
        release.commit,
        linker.lines().next().unwrap_or_default()
    );
    Ok(Built { folder: source.join("target").join(&target).join("release"), compiler, info })
}

/// Folders of this machine that compilers would write into programs, each with what is written instead.
fn hidden_paths(source: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut paths = vec![(source.to_owned(), "/source"), (cargo_home.clone(), "/cargo")];
    // Named after the registry's address. Of several prefixes that fit, the last one given counts.
    let registries = files::entries(&cargo_home.join("registry/src"))?;
    paths.extend(registries.into_iter().map(|folder| (folder, "/crates")));
    Ok(paths)
}
