//! What the subcommands do. Output goes to standard output, complaints to standard error.

mod check_config;
mod classify;
mod engine_setup;
mod keygen;
mod serve;

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser as _};

use crate::{
    cli::{Cli, Command},
    errors,
};

/// How a command ended, when not well.
#[derive(Debug)]
pub enum Failure {
    /// It ran, and the answer is no; everything was said already.
    No,
    /// Something outside failed.
    Outside(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::No => ExitCode::from(1),
            Self::Outside(_) => ExitCode::from(3),
        }
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Outside(Box::new(error))
    }
}

/// Something is wrong and this says what.
#[derive(Debug)]
pub(crate) struct Complaint(pub(crate) String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Complaint {}

/// Runs the program. The exit codes are told by `--help`.
pub fn main() -> ExitCode {
    // Clap ends the program by itself with code 2 on wrong usage, and 0 after `--help`.
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(file) => serve::run(&file),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::EngineSetup(arguments) => engine_setup::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::ConfigSchema => config_schema(),
        Command::Completions { shell } => completions(shell),
        Command::Man { out } => {
            clap_mangen::generate_to(Cli::command(), man_folder(&out)).map_err(Failure::from)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Failure::Outside(error) = &failure {
                let style = anstyle::AnsiColor::Red.on_default().bold();
                // Nobody is left to tell when standard error is gone.
                let _ =
                    writeln!(anstream::stderr(), "{style}error:{style:#} {}", errors::chain(error.as_ref()));
            }
            failure.exit_code()
        }
    }
}

fn config_schema() -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(&config::schema())?)
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "opensearch-oauth-proxy", &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn man_folder(out: &std::path::Path) -> &std::path::Path {
    // A folder that cannot be made shows when the first page is written.
    let _ = std::fs::create_dir_all(out);
    out
}

/// Prints a text and a line end. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(Failure::from),
    }
}

/// The configuration, or every mistake in it on standard error.
fn load(path: &std::path::Path) -> Result<config::Loaded, Failure> {
    config::load(path, &|name| std::env::var(name).ok()).map_err(|diagnostics| {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(anstream::stderr(), "{}", diagnostics.render(true));
        Failure::No
    })
}
