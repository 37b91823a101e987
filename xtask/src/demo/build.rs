//! Builds the proxy.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use testbed::Progress;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::cargo::cargo;
use crate::{Result, XtaskError};

const PACKAGE: &str = "opensearch-oauth-proxy";

/// Builds the program, and says where it is.
pub(crate) async fn proxy(debug: bool, progress: &Progress) -> Result<PathBuf> {
    let task = progress.task("Proxy");
    task.say("compiling");
    let mut arguments =
        vec!["build", "--package", PACKAGE, "--bin", PACKAGE, "--message-format", "json-render-diagnostics"];
    if !debug {
        arguments.push("--release");
    }
    let mut build = cargo(&arguments);
    let failed = |source| XtaskError::Spawn { command: build.shown.clone(), source };
    let mut child = build.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(&failed)?;
    let mut executable = None;
    let mut said = Vec::new();
    let artifacts = each_line(child.stdout.take(), |line| {
        if let Some(path) = executable_of(&line) {
            executable = Some(path);
        }
    });
    let progress = each_line(child.stderr.take(), |line| {
        task.detail(line.trim());
        said.push(line);
    });
    let (artifacts, progress) = tokio::join!(artifacts, progress);
    artifacts.and(progress).map_err(&failed)?;
    let status = child.wait().await.map_err(&failed)?;
    match executable {
        Some(path) if status.success() => {
            task.done("compiled");
            Ok(path)
        }
        _ => Err(XtaskError::FailedWithOutput { command: build.shown, output: said.join("\n") }),
    }
}

async fn each_line(
    stream: Option<impl AsyncRead + Unpin>,
    mut each: impl FnMut(String),
) -> std::io::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        each(line);
    }
    Ok(())
}

/// The program that a message of cargo names, if it is ours.
fn executable_of(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let ours = message["reason"] == "compiler-artifact" && message["target"]["name"] == PACKAGE;
    ours.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":{executable}}}"#
            )
        };
        assert_eq!(executable_of(&artifact(PACKAGE, "\"/t/p\"")), Some(PathBuf::from("/t/p")));
        assert_eq!(executable_of(&artifact(PACKAGE, "null")), None);
        assert_eq!(executable_of(&artifact("other", "\"/t/o\"")), None);
        assert_eq!(executable_of("no JSON"), None);
    }
}
