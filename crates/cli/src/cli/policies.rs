//! The command line of `policy`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;

const TEST_HELP: &str = "\
A file of cases:
  cases:
    - name: no agent sees personal data
      who: {agent: report-agent, groups: [agents]}     # or user: NAME; provider: NAME
      operation: search                                # action: read asks for a part of it
      on: {index: logs-pii-1}                          # or {type: dashboard}, {plugin: ml}, {workspace: w1}, cluster, dashboards
      context: {source: 10.1.2.3, acr: mfa}            # cluster, client, scopes, time, token_age, tenant
      expect: deny                                     # or allow
      by: no agent sees personal data                  # the policy that decides; may be left out";

/// The subcommands of `policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Read policies as the proxy would, and show each fault in its line.
    Check {
        /// The files, which are read together.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Ask the policies about cases, and show those that are not decided as expected.
    #[command(after_help = TEST_HELP)]
    Test {
        /// The cases, in YAML.
        cases: PathBuf,
        /// The policies, which are read together; without any, all `*.cedar` beside the cases.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say what the policies decide about a request, by which of them, and for a refusal what would have allowed it.
    Explain(Box<ExplainRequest>),
    /// Ask the policies about the requests of an audit trail, and show those that would be decided otherwise.
    Simulate(Simulate),
    /// Show what becomes allowed and what refused, from old policies to new ones.
    ///
    /// Asked are requests that are made up from all that either names, and those of an audit trail.
    Diff(Diff),
    /// Print the schema that policies are held against: entities, actions, context.
    Schema,
    /// Format policies in place.
    ///
    /// A file of which a comment would be lost is left as it is.
    Fmt {
        /// Change nothing; say which files are not formatted.
        #[arg(long)]
        check: bool,
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Arguments of `policy explain`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("who").required(true).args(["agent", "user"]))]
pub(crate) struct ExplainRequest {
    /// The client that asks for itself, as policies name it.
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// The person that asks, as policies name them.
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// A group that they are in; may be repeated.
    #[arg(long = "group", value_name = "NAME")]
    pub(crate) groups: Vec<String>,
    /// The provider of the token.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// The cluster; `main` without it.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// The client through which a person asks.
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<String>,
    /// The scopes of the token, with spaces between.
    #[arg(long, value_name = "SCOPES", value_delimiter = ' ')]
    pub(crate) scopes: Vec<String>,
    /// Where the request comes from; 127.0.0.1 without it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<IpAddr>,
    /// When; now without it.
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<Timestamp>,
    /// How long ago the token was issued, as in `2h`.
    #[arg(long, value_name = "DURATION", value_parser = crate::time::duration)]
    pub(crate) token_age: Option<Duration>,
    /// How the person was authenticated.
    #[arg(long)]
    pub(crate) acr: Option<String>,
    /// The method.
    pub(crate) method: String,
    /// The path, with its query.
    #[arg(value_name = "PATH")]
    pub(crate) target: String,
    /// The policies, which are read together.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `policy simulate`.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// A file of the audit trail; may be repeated.
    #[arg(long, required = true, value_name = "FILE")]
    pub(crate) audit: Vec<PathBuf>,
    /// The policies name principals and groups with their provider, as with `principal_ids: qualified`.
    #[arg(long)]
    pub(crate) qualified: bool,
    /// End with exit code 1 when something is decided otherwise.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// The policies, which are read together.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Arguments of `policy diff`.
#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A file of the audit trail, whose requests are asked about, too; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Vec<PathBuf>,
    /// The policies name principals and groups with their provider, as with `principal_ids: qualified`.
    #[arg(long)]
    pub(crate) qualified: bool,
    /// End with exit code 1 when something is decided otherwise.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// The policies as they are: a file, or a folder with `*.cedar`.
    pub(crate) old: PathBuf,
    /// The policies as they shall be: a file, or a folder with `*.cedar`.
    pub(crate) new: PathBuf,
}
