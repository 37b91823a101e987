//! Calls of cargo and of other programs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::{Result, XtaskError};

/// The cargo that runs us, in the folder of the workspace.
pub(crate) fn cargo<I: AsRef<str>>(arguments: &[I]) -> Call {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut call = Call::new(&program, "cargo", arguments);
    // Set for us by the cargo that started us; it would have the compiler build everything anew.
    call.command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME");
    call
}

/// A program of the machine, in the folder of the workspace.
pub(crate) fn program<I: AsRef<str>>(name: &str, arguments: &[I]) -> Call {
    Call::new(name, name, arguments)
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// A call that is not made yet.
#[derive(Debug)]
pub(crate) struct Call {
    /// As one would type it.
    pub(crate) shown: String,
    /// The call itself.
    pub(crate) command: Command,
}

impl Call {
    fn new<I: AsRef<str>>(program: impl AsRef<OsStr>, name: &str, arguments: &[I]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null()).kill_on_drop(true);
        command.current_dir(workspace());
        let shown: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        Self { shown: format!("{name} {}", shown.join(" ")), command }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// In another folder than that of the workspace.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with its output shown. Fails if the program does.
    pub(crate) async fn run(mut self) -> Result<()> {
        anstream::eprintln!("  $ {}", self.shown);
        let status = self.command.status().await;
        let status = status.map_err(|source| XtaskError::Spawn { command: self.shown.clone(), source })?;
        if status.success() { Ok(()) } else { Err(XtaskError::Failed { command: self.shown }) }
    }

    /// What it prints. Fails if the program does.
    pub(crate) async fn output(mut self) -> Result<String> {
        let output = self.command.output().await;
        let output = output.map_err(|source| XtaskError::Spawn { command: self.shown.clone(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(XtaskError::FailedWithOutput { command: self.shown, output: said })
    }
}
