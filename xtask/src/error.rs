//! Why a command failed, and with which exit status.

use anstyle::{AnsiColor, Style};
use testbed::TestbedError;

pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XtaskError {
    #[error("the asynchronous runtime cannot be started: {0}; the machine is out of threads or files")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    #[error("cannot run `{command}`: {source}; is it installed?")]
    Spawn { command: String, source: std::io::Error },
    #[error("`{command}` failed; see its output above")]
    Failed { command: String },
    #[error("`{command}` failed and said:\n{output}")]
    FailedWithOutput { command: String, output: String },
    #[error("the demo stopped at the step \"{step}\": {reason}\nLogs: {logs}")]
    Step { step: String, reason: String, logs: String },
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: std::io::Error },
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("`cargo metadata` printed what is no JSON: {0}")]
    Metadata(serde_json::Error),
    #[error(
        "there are changes that are not committed, so a release could not be made again; \
         commit them, or say --allow-dirty"
    )]
    Dirty,
    #[error("two builds of the same commit differ:\n{sums}")]
    NotReproducible { sums: String },
    #[error("the chart takes the values {values}, which it must refuse")]
    NotRefused { values: String },
    #[error("port {port} is wanted twice: by {first} and by {second}; choose different ports")]
    SamePort { port: u16, first: &'static str, second: &'static str },
    #[error(
        "{program} is not there, and the load is sent with it: install the package {package}, or run this with --install"
    )]
    Missing { program: &'static str, package: &'static str },
    #[error("there is no fuzz target `{name}`; there are: {known}")]
    NoSuchTarget { name: String, known: String },
    #[error("a promise is broken: {targets}; what breaks it, and how to run it again, is told above")]
    PromiseBroken { targets: String },
    #[error("no testbed is running; start one with `cargo xtask testbed up`")]
    NotRunning,
    #[error(
        "the running testbed was started by another version of this code and would not match the tests; \
         stop it with `cargo xtask testbed down` and run the command again"
    )]
    Outdated,
    #[error("interrupted; what was started has been stopped")]
    Interrupted,
}

impl XtaskError {
    /// The exit status, as the help text states them.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed { .. }
            | Self::FailedWithOutput { .. }
            | Self::Step { .. }
            | Self::Dirty
            | Self::NotReproducible { .. }
            | Self::NotRefused { .. }
            | Self::PromiseBroken { .. }
            | Self::NotRunning => 1,
            Self::Runtime(_)
            | Self::Testbed(_)
            | Self::Spawn { .. }
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Missing { .. }
            | Self::Metadata(_)
            | Self::Outdated => 3,
            Self::SamePort { .. } | Self::NoSuchTarget { .. } => 2,
            Self::Interrupted => 130,
        }
    }
}
