//! The command line: types only, no behaviour.

pub(crate) mod policies;
pub(crate) mod policy_sets;
pub(crate) mod tokens;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};
use url::Url;

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

const AFTER: &str = "\
First steps:
  opensearch-auth contexts add prod --url https://search.example.com:8443
  opensearch-auth login
  opensearch-auth curl '/logs-*/_search?size=1'

Exit codes:
  0  success
  1  the answer is no: refused by the provider or the proxy, a fault found, a question answered with no
  2  it cannot be done as asked: wrong usage, no such context, files that others can read
  3  something outside failed: a connection, a server, a file
  4  login is needed: nobody is logged in, or the login has ended
`curl` ends with the exit code of curl itself.

Environment:
  HTTPS_PROXY, http_proxy, ALL_PROXY, NO_PROXY  HTTP proxies, as for curl
  NO_COLOR                                      no colours
  BROWSER                                       the browser that `login` opens
  OPENSEARCH_AUTH_TOKEN                         a token to use instead of the login's
  OPENSEARCH_AUTH_CLIENT_SECRET                 the secret for --client-id and --as-client

Files:
  ~/.opensearch/config.yaml  the contexts
  ~/.opensearch/token        the logins; mode 0600";

/// Tokens for OpenSearch behind opensearch-oauth-proxy.
///
/// Log in with your browser at the identity provider, then search with a token that is renewed by itself.
#[derive(Debug, Parser)]
#[command(name = "opensearch-auth", version, styles = STYLES, after_help = AFTER, propagate_version = true)]
pub(crate) struct Cli {
    /// The context to work with, instead of the current one.
    #[arg(long, global = true, value_name = "NAME", env = "OPENSEARCH_AUTH_CONTEXT")]
    pub(crate) context: Option<String>,
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a command prints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value on standard output; an error as JSON on standard error.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The clusters that you work with.
    #[command(subcommand)]
    Contexts(Contexts),
    /// Log in at the identity provider.
    ///
    /// Opens the browser, and waits for it to come back to a port of this machine. Where that cannot be, --device shows
    /// a code to enter on another device.
    Login(Login),
    /// Who is logged in, for how long and with which scopes.
    Status,
    /// Revoke the login's tokens at the provider, and forget them.
    Logout {
        /// Of all contexts.
        #[arg(long, conflicts_with = "context")]
        all: bool,
    },
    /// Print the access token, renewed if it is about to end.
    ///
    /// For programs that need one. In a shell prefer `curl`, or --header with `curl -H @-`: an argument can be seen by
    /// everybody on the machine.
    Token {
        /// As the header that it is sent in.
        #[arg(long)]
        header: bool,
    },
    /// Run curl with the token in its header.
    ///
    /// The token is handed over on a file descriptor, never as an argument, and goes to the context's proxy only. A body is
    /// sent as JSON unless you say otherwise.
    #[command(after_help = CURL_EXAMPLES)]
    Curl(Curl),
    /// Have the proxy issue a token: narrower than yours, with a life of its own.
    ///
    /// For yourself, in exchange for your login's token; or as a client of the provider, by its secret or its key.
    CreateToken(Box<tokens::CreateToken>),
    /// List the tokens that the proxy issued: your own, or with the scope `monitor:tokens` all.
    ListTokens(Box<tokens::ListTokens>),
    /// Show all about one token but the token itself.
    ShowToken(tokens::ShowToken),
    /// End tokens: by id, or all that meet a filter, after showing them and asking.
    RevokeToken(Box<tokens::RevokeToken>),
    /// Replace a token by a new one with the same rights.
    RotateToken(tokens::RotateToken),
    /// Tokens that somebody should look at again: unused, over-broad, long-lived.
    ReviewTokens(Box<tokens::Filter>),
    /// Tokens of the providers that shall count no more, though they have not ended.
    #[command(subcommand)]
    Revocations(tokens::Revocations),
    /// What people allow programs at the proxy's page of consent.
    #[command(subcommand)]
    Consents(tokens::Consents),
    /// Tokens that wait for approval.
    #[command(subcommand)]
    Requests(tokens::Requests),
    /// Say why a request was refused, layer by layer, and what would have allowed it.
    ///
    /// One's own requests; with the scope `monitor:decisions` everybody's.
    Explain(Explain),
    /// Check, test and format Cedar policies. Needs no proxy and no login.
    #[command(subcommand)]
    Policy(policies::PolicyCommand),
    /// Read and write the sets of policies that the proxy keeps.
    ///
    /// To see them takes the scope `monitor:policies`, to write them `admin:policies`.
    #[command(subcommand)]
    PolicySets(policy_sets::PolicySets),
    /// Look after the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell.
    ///
    /// For bash: opensearch-auth completion bash > ~/.local/share/bash-completion/completions/opensearch-auth
    Completion {
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

/// The subcommands of `contexts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Contexts {
    /// Add a cluster.
    ///
    /// The proxy is asked where one logs in, unless --provider says so. The first context becomes the current one.
    Add(Box<ContextsAdd>),
    /// List the contexts.
    List,
    /// Make a context the current one.
    Use {
        /// Its name.
        name: String,
    },
    /// Remove a context, and forget its login. To revoke its tokens too, log out first.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Arguments of `contexts add`.
#[derive(Args, Debug)]
pub(crate) struct ContextsAdd {
    /// A name of your choice.
    pub(crate) name: String,
    /// The proxy's address, with the cluster's path if it has one.
    #[arg(long)]
    pub(crate) url: String,
    /// PEM file with the authorities to trust for the proxy, instead of the operating system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Where one logs in; may be repeated.
    #[arg(long = "provider", value_name = "NAME=ISSUER", value_parser = provider)]
    pub(crate) providers: Vec<(String, String)>,
    /// PEM file with the authorities to trust for the providers, instead of the operating system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) provider_ca: Option<PathBuf>,
    /// As what this program is registered at the providers: a public client with loopback redirect.
    #[arg(long, value_name = "ID", default_value = "opensearch-auth")]
    pub(crate) client_id: String,
    /// Scopes to ask for at login, with spaces between; without it, those that the proxy names.
    #[arg(long, value_name = "SCOPES", value_delimiter = ' ')]
    pub(crate) scopes: Vec<String>,
    /// Replace a context of that name. Its login is forgotten.
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Arguments of `login`.
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// The provider, when the context has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Scopes to ask for, with spaces between.
    #[arg(long, value_name = "SCOPES", value_delimiter = ' ')]
    pub(crate) scopes: Vec<String>,
    /// Log in on another device: shows an address and a code (RFC 8628).
    #[arg(long)]
    pub(crate) device: bool,
    /// Show the address instead of opening a browser.
    #[arg(long, conflicts_with = "device")]
    pub(crate) no_browser: bool,
    /// How long to wait for you, as in `90s` or `10m`.
    #[arg(long, value_name = "DURATION", value_parser = crate::time::duration, default_value = "5m")]
    pub(crate) timeout: std::time::Duration,
}

const CURL_EXAMPLES: &str = "\
Examples:
  opensearch-auth curl '/logs-*/_search?size=1'
  opensearch-auth curl '/logs-*/_search' -d '{\"query\": {\"match\": {\"level\": \"error\"}}}'
  opensearch-auth --context staging curl /_cluster/health --fail-with-body --silent";

/// Arguments of `curl`.
#[derive(Args, Debug)]
pub(crate) struct Curl {
    /// The path below the context's address, or a full address of the same server. Quote it: `*`, `?` and `&` mean
    /// something to a shell.
    #[arg(value_name = "PATH")]
    pub(crate) target: String,
    /// Anything that curl understands.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "CURL ARGUMENT")]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The id in the refusal: `decision_id` of its body, or the header X-Decision-Id.
    pub(crate) decision_id: String,
    /// Look into this file of the audit trail instead of asking the proxy; may be repeated. Needs no login.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Vec<PathBuf>,
}

/// The subcommands of `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check files, proxies and providers, and say what is wrong with each.
    Check {
        /// Files only: nothing is connected to.
        #[arg(long)]
        offline: bool,
    },
}

fn provider(text: &str) -> Result<(String, String), String> {
    let (name, issuer) = text.split_once('=').ok_or("write it as NAME=ISSUER")?;
    if !crate::store::is_name(name) {
        return Err("a name consists of letters, digits, `-`, `_` and `.`".to_owned());
    }
    Url::parse(issuer).map_err(|_| "the issuer is no URL".to_owned())?;
    Ok((name.to_owned(), issuer.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
