//! Calls of cargo.

use std::process::Stdio;

use tokio::process::Command;

use crate::{Result, XtaskError};

/// The cargo that runs us, in the folder of the workspace.
pub(crate) fn cargo<I: AsRef<str>>(arguments: &[I]) -> Cargo {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    // Set for us by the cargo that started us; it would have the compiler build everything anew.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME");
    command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null()).kill_on_drop(true);
    command.current_dir(workspace());
    let shown: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    Cargo { shown: format!("cargo {}", shown.join(" ")), command }
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static std::path::Path {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// A call of cargo that is not made yet.
#[derive(Debug)]
pub(crate) struct Cargo {
    /// As one would type it.
    pub(crate) shown: String,
    /// The call itself.
    pub(crate) command: Command,
}

impl Cargo {
    pub(crate) fn env(mut self, name: &str, value: &std::path::Path) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with its output shown. Fails if cargo does.
    pub(crate) async fn run(mut self) -> Result<()> {
        anstream::eprintln!("  $ {}", self.shown);
        let status = self.command.status().await;
        let status = status.map_err(|source| XtaskError::Spawn { command: self.shown.clone(), source })?;
        if status.success() { Ok(()) } else { Err(XtaskError::Failed { command: self.shown }) }
    }
}
