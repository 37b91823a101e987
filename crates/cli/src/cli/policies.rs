//! The command line of `policy`.

use std::path::PathBuf;

use clap::Subcommand;

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
