//! The command line: types only, no behaviour.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  the command ran and the answer is no: a faulty configuration, an engine that differs, a request that is refused
  2  wrong usage
  3  something outside failed: a file, a port, the engine";

/// OAuth 2.0 in front of OpenSearch.
///
/// Clients bring a bearer token of your OpenID Connect provider; the proxy checks what the request touches against the
/// token's scopes, forwards what they allow under an engine identity with no more rights than that, and writes an audit
/// record of everything.
#[derive(Debug, Parser)]
#[command(name = "opensearch-oauth-proxy", version, styles = STYLES, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy.
    ///
    /// SIGHUP, or a change of the configuration or of a file it names, reloads; a faulty configuration leaves the one
    /// in force running and says why. SIGTERM and SIGINT let running requests end (`drain_timeout`), then stop.
    Serve(ConfigFile),
    /// Check a configuration and report every mistake with file, line, key and cure.
    ///
    /// Nothing is bound and nothing is connected to.
    CheckConfig(CheckConfig),
    /// Print the security configuration that the engine needs, apply it, or check a running engine against it.
    EngineSetup(Box<EngineSetup>),
    /// Make a private key for the `signed_jwt` identity.
    ///
    /// The file is created with mode 0600 and never overwritten. The public half goes into the engine by way of
    /// `engine-setup`.
    Keygen(Keygen),
    /// Say what a request needs, and whether scopes allow it.
    ///
    /// Nothing is connected to and no configuration is read. With a BODY the request is judged as on a cluster with
    /// `read_bodies`, by what it names. Without one nothing is known of it, so the request is judged as on a cluster
    /// without `read_bodies`; for a request without a body say /dev/null.
    Classify(Classify),
    /// Print the JSON schema of the configuration file.
    ///
    /// An editor that reads `# yaml-language-server: $schema=FILE` then completes and checks as you type.
    ConfigSchema,
    /// Print a completion script for a shell.
    ///
    /// For bash: opensearch-oauth-proxy completions bash > /etc/bash_completion.d/opensearch-oauth-proxy
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder; made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct ConfigFile {
    /// The configuration file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "OPENSEARCH_OAUTH_PROXY_CONFIG",
        default_value = "/etc/opensearch-oauth-proxy/config.yml"
    )]
    pub config: PathBuf,
}

/// Arguments of `check-config`.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: ConfigFile,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// Arguments of `engine-setup`.
#[derive(Args, Debug)]
pub struct EngineSetup {
    /// Where the configuration is.
    #[command(flatten)]
    pub file: ConfigFile,
    /// The cluster, when the configuration has several.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
    /// Compare a running engine with what it needs; exit code 1 when something is missing or differs.
    #[arg(long, conflicts_with = "apply")]
    pub check: bool,
    /// Write what is missing into a running engine through its security REST API. Entries of others stay.
    #[arg(long)]
    pub apply: bool,
    /// How to speak to the engine for --check and --apply.
    #[command(flatten)]
    pub admin: AdminAccess,
}

/// An administrator of the engine.
#[derive(Args, Debug)]
pub struct AdminAccess {
    /// The engine; without it, the cluster's first node.
    #[arg(long, value_name = "URL")]
    pub engine_url: Option<url::Url>,
    /// User with rights on the security API.
    #[arg(long, value_name = "NAME")]
    pub admin_user: Option<String>,
    /// File with that user's password; or set `OPENSEARCH_ADMIN_PASSWORD`.
    #[arg(long, value_name = "FILE", requires = "admin_user")]
    pub admin_password_file: Option<PathBuf>,
    /// Administrator's client certificate (PEM), instead of a user.
    #[arg(long, value_name = "FILE", requires = "admin_key", conflicts_with = "admin_user")]
    pub admin_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "admin_certificate")]
    pub admin_key: Option<PathBuf>,
}

/// Arguments of `keygen`.
#[derive(Args, Debug)]
pub struct Keygen {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The kind of key. An engine verifies RSA several times faster than EC.
    #[arg(long, value_enum, default_value_t)]
    pub kind: KeyKind,
}

/// Kinds of keys that the engine's `jwt` domain can verify.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    #[default]
    Rsa2048,
    /// RSA, 4096 bits.
    Rsa4096,
    /// Elliptic curve P-256.
    P256,
}

const CLASSIFY_EXAMPLES: &str = "\
Examples:
  opensearch-oauth-proxy classify GET '/logs-*/_search?size=1'
  opensearch-oauth-proxy classify GET '/log*/_search' /dev/null --scope 'read:logs-*'
  opensearch-oauth-proxy classify POST /_bulk lines.ndjson --scope 'write:app-logs-*'
  opensearch-oauth-proxy classify POST /_plugins/_sql - --output json < query.json
  opensearch-oauth-proxy classify --dashboards POST /api/saved_objects/_import export.ndjson --scope write:dashboards

Exit codes:
  0  the request is understood and, with --scope, allowed
  1  it is refused or denied
  2  wrong usage
  3  the body cannot be read";

/// Arguments of `classify`.
#[derive(Args, Debug)]
#[command(after_help = CLASSIFY_EXAMPLES)]
pub struct Classify {
    /// The method, in upper case.
    pub method: String,
    /// Path and query, encoded as on the wire. Quote it: `*`, `?` and `&` mean something to a shell.
    #[arg(value_name = "PATH[?QUERY]")]
    pub target: String,
    /// A file with the request's body, not compressed; `-` for standard input. It may be larger than memory.
    pub body: Option<PathBuf>,
    /// The body's media type. Without it: NDJSON for bulk and multi-search, for an import into Dashboards the file as a form, JSON
    /// otherwise.
    #[arg(long, value_name = "TYPE", requires = "body")]
    pub content_type: Option<String>,
    /// The request is for OpenSearch Dashboards. The path is without its base path.
    #[arg(long)]
    pub dashboards: bool,
    /// A scope of the token; repeat it, or put several into one text with spaces between. Mappings are not applied.
    #[arg(short, long = "scope", value_name = "SCOPE", value_delimiter = ' ')]
    pub scopes: Vec<access::Scope>,
    /// The cluster that is asked, when a scope names one.
    #[arg(long, value_name = "NAME", requires = "scopes")]
    pub cluster: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// How a command prints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
