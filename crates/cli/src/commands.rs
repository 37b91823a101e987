//! What the subcommands do.

mod config_check;
mod contexts;
mod curl;
mod documents;
mod explain;
mod login;
mod logout;
mod policies;
mod policy_sets;
mod status;
mod token;
mod tokens;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;

use crate::app::App;
use crate::cli::{Cli, Command, ConfigCommand, Output};
use crate::error::{Error, Result};
use crate::net::Proxies;
use crate::output::Ui;
use crate::store::Home;

/// Runs the program. The exit codes are told by `--help`.
pub fn main() -> ExitCode {
    // Clap ends the program by itself with code 2 on wrong usage, and 0 after `--help`.
    let cli = Cli::parse();
    let output = cli.output;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, output);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Completion { shell } => return documents::completion(shell),
        Command::Man { out } => return documents::man(&out),
        Command::Policy(policy) => return policies::run(Ui::new(cli.output), &policy),
        _ => {}
    }
    transport::install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::outside(format!("this program cannot start: {error}")))?;
    let app = App {
        home: Home::new(std::env::var_os("HOME").map(PathBuf::from))?,
        proxies: Proxies::from_env(|name| std::env::var(name).ok())?,
        ui: Ui::new(cli.output),
        context: cli.context,
    };
    runtime.block_on(command(&app, cli.command))
}

async fn command(app: &App, command: Command) -> Result<()> {
    match command {
        Command::Contexts(contexts) => contexts::run(app, contexts).await,
        Command::Login(arguments) => login::run(app, &arguments).await,
        Command::Status => status::run(app),
        Command::Logout { all } => logout::run(app, all).await,
        Command::Token { header } => token::run(app, header).await,
        Command::Curl(arguments) => curl::run(app, &arguments).await,
        Command::CreateToken(arguments) => tokens::create(app, &arguments).await,
        Command::ListTokens(arguments) => tokens::list(app, &arguments).await,
        Command::ShowToken(arguments) => tokens::show(app, &arguments).await,
        Command::RevokeToken(arguments) => tokens::revoke(app, &arguments).await,
        Command::RotateToken(arguments) => tokens::rotate(app, &arguments).await,
        Command::ReviewTokens(filter) => tokens::review(app, &filter).await,
        Command::Revocations(revocations) => tokens::revocations(app, &revocations).await,
        Command::Consents(consents) => tokens::consents(app, &consents).await,
        Command::Requests(requests) => tokens::requests(app, &requests).await,
        Command::Explain(arguments) => explain::run(app, &arguments).await,
        Command::Policy(policy) => policies::run(app.ui, &policy),
        Command::PolicySets(sets) => policy_sets::run(app, &sets).await,
        Command::Config(ConfigCommand::Check { offline }) => config_check::run(app, offline).await,
        Command::Completion { shell } => documents::completion(shell),
        Command::Man { out } => documents::man(&out),
    }
}

fn complain(error: &Error, output: Output) {
    let mut stderr = anstream::stderr();
    // Nobody is left to tell when standard error is gone.
    let _ = match output {
        Output::Json => {
            let body = json!({"kind": error.kind.name(), "message": error.what, "cure": error.cure});
            writeln!(stderr, "{}", json!({ "error": body }))
        }
        Output::Text => {
            let style = anstyle::AnsiColor::Red.on_default().bold();
            let cure = error.cure.as_ref().map(|cure| format!("\n   {cure}")).unwrap_or_default();
            writeln!(stderr, "❌ {style}{}{style:#}{cure}", error.what)
        }
    };
}
