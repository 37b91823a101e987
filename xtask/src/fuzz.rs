//! `cargo xtask fuzz`: the programs of `fuzz` with libFuzzer, by the stable compiler.

mod build;
mod corpus;
mod progress;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;

use crate::cargo::{Call, program, workspace};
use crate::{Result, XtaskError};
use progress::Progress;

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Only these; otherwise all, one after the other.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each is run.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// Replaces what is kept in `fuzz/corpus` by the fewest inputs that reach each branch that was ever reached.
    #[arg(long)]
    keep: bool,
}

/// Longer inputs find nothing that shorter ones do not, and make each run slower. In bytes.
const LONGEST: &str = "-max_len=4096";
/// An input that takes longer is reported like a panic. In seconds.
const PATIENCE: &str = "-timeout=10";
const MEMORY: &str = "-rss_limit_mb=2048";
/// Lines of the log that are shown of a target that failed.
const SHOWN: usize = 25;

/// One target, and where things of it are.
#[derive(Debug)]
struct Target {
    name: String,
    program: PathBuf,
}

impl Target {
    /// Relative to the folder of the workspace, as the programs are started there and name what they write.
    fn folder(&self, kind: &str) -> String {
        format!("fuzz/{kind}/{}", self.name)
    }

    fn make_folder(&self, kind: &str) -> Result<String> {
        let folder = self.folder(kind);
        let made = fs::create_dir_all(workspace().join(&folder));
        made.map_err(|source| XtaskError::Write { path: folder.clone(), source })?;
        Ok(folder)
    }

    /// Everything that is known of it: what was written by hand, what is kept, and what was found since.
    fn inputs(&self) -> Vec<String> {
        let folders = ["found", "corpus", "seeds"].map(|kind| self.folder(kind));
        folders.into_iter().filter(|folder| workspace().join(folder).is_dir()).collect()
    }

    /// The words of its input, where that has any.
    fn dictionary(&self) -> Option<String> {
        let path = format!("fuzz/dictionaries/{}.dict", self.name);
        workspace().join(&path).is_file().then(|| format!("-dict={path}"))
    }

    fn call(&self, arguments: &[String]) -> Call {
        program(&self.program.to_string_lossy(), arguments)
    }
}

/// Builds the targets, and runs one after the other for as long as asked. All are run, whichever fails.
pub(crate) async fn run(args: &FuzzArgs) -> Result<()> {
    let targets = build::build(&build::chosen(&args.targets)?).await?;
    let mut broken = Vec::new();
    for target in &targets {
        if fuzz(target, args.seconds).await? {
            if args.keep {
                corpus::keep(target).await?;
            }
        } else {
            broken.push(target.name.clone());
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(XtaskError::PromiseBroken { targets: broken.join(", ") }) }
}

/// Whether the target survived whatever libFuzzer thought of.
async fn fuzz(target: &Target, seconds: u64) -> Result<bool> {
    let found = target.make_folder("found")?;
    let artifacts = target.make_folder("artifacts")?;
    let mut arguments = vec![
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={artifacts}/"),
        "-print_final_stats=1".to_owned(),
    ];
    arguments.extend([LONGEST, PATIENCE, MEMORY].map(str::to_owned));
    arguments.extend(target.dictionary());
    // New inputs are written into the first folder.
    arguments.push(found.clone());
    arguments.extend(target.inputs().into_iter().filter(|folder| *folder != found));
    let log = format!("{artifacts}/log.txt");
    let survived = logged(target.call(&arguments), &workspace().join(&log)).await?;
    let text = read(&log)?;
    anstream::eprintln!("  {}: {}", target.name, Progress::of(&text));
    if !survived {
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            anstream::eprintln!("    {line}");
        }
        let again = progress::reproducer(&text).map(|path| format!("{} {path}", target.program.display()));
        anstream::eprintln!("  the log: {log}");
        anstream::eprintln!("  to see it again: {}", again.as_deref().unwrap_or("no input was written"));
    }
    Ok(survived)
}

/// Runs a program and writes what it says into a file. Whether it ended well.
async fn logged(mut call: Call, log: &Path) -> Result<bool> {
    let file =
        File::create(log).map_err(|source| XtaskError::Write { path: log.display().to_string(), source })?;
    call.command.stdout(Stdio::null()).stderr(file);
    let status = call.command.status().await;
    Ok(status.map_err(|source| XtaskError::Spawn { command: call.shown, source })?.success())
}

fn read(path: &str) -> Result<String> {
    let bytes = fs::read(workspace().join(path))
        .map_err(|source| XtaskError::Read { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
