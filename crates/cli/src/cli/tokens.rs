//! The part about tokens that the proxy issues itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::time::{When, duration, when};

const CREATE_EXAMPLES: &str = "\
Examples:
  opensearch-auth create-token --scopes 'read:logs-*' --expires 24h --name nightly-report
  opensearch-auth create-token --scopes 'write:logs-app-*' --client-id fluent-bit --client-secret-file secret --save token
  pass show fluent-bit | opensearch-auth create-token --client-id fluent-bit --client-secret-file - --save token
  opensearch-auth create-token --scopes 'read:logs-*' --client-id nightly --client-key nightly.pem --save token";

/// The argument that names a client to act as: without it, nothing of [`ClientProof`] makes sense.
const CLIENT: &str = "client";

/// How a client of the provider proves that it is that client.
#[derive(Args, Debug)]
pub(crate) struct ClientProof {
    /// File with the client's secret; `-` for standard input. Or set `OPENSEARCH_AUTH_CLIENT_SECRET`.
    #[arg(long, value_name = "FILE", requires = CLIENT)]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// PEM file with the client's private key, for a client that has no secret but signs (`private_key_jwt`); `-` for
    /// standard input.
    #[arg(long, value_name = "FILE", requires = CLIENT, conflicts_with = "client_secret_file")]
    pub(crate) client_key: Option<PathBuf>,
    /// The key's id (`kid`) at the provider, when that knows several of the client's.
    #[arg(long, value_name = "ID", requires = "client_key")]
    pub(crate) client_key_id: Option<String>,
    /// The provider that knows the client, when there are several.
    #[arg(long, value_name = "NAME", requires = CLIENT)]
    pub(crate) provider: Option<String>,
}

/// As whom a command acts: whoever is logged in, or a client of the provider.
#[derive(Args, Debug)]
pub(crate) struct Acting {
    /// As this client of the provider, by its secret or its key, instead of as yourself.
    #[arg(long, id = CLIENT, value_name = "ID")]
    pub(crate) as_client: Option<String>,
    #[command(flatten)]
    pub(crate) proof: ClientProof,
}

/// Arguments of `create-token`.
#[derive(Args, Debug)]
#[command(after_help = CREATE_EXAMPLES)]
pub(crate) struct CreateToken {
    /// What it may do, with spaces between; without it, as much as is allowed.
    #[arg(long, value_name = "SCOPES", value_delimiter = ' ')]
    pub(crate) scopes: Vec<String>,
    /// How long it shall live, as in `24h` or `7d`; without it, as the proxy is configured.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) expires: Option<Duration>,
    /// A name for people.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Why it exists.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Whatever else is to be known about it; may be repeated.
    #[arg(long = "metadata", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Only for this cluster behind the proxy; may be repeated.
    #[arg(long = "cluster", value_name = "NAME")]
    pub(crate) clusters: Vec<String>,
    /// As this client of the provider, by its secret or its key, instead of for yourself.
    #[arg(long, id = CLIENT, value_name = "ID", visible_alias = "as-client")]
    pub(crate) client_id: Option<String>,
    #[command(flatten)]
    pub(crate) proof: ClientProof,
    /// What the provider is asked for, with spaces between, where its names for scopes are others.
    #[arg(long, value_name = "SCOPES", requires = CLIENT)]
    pub(crate) provider_scopes: Option<String>,
    /// Write the token into a new file of mode 0600 instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

/// Which tokens are meant: those that meet all that is given.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this client.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Whose owner is this subject.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) owner: Option<String>,
    /// Whose owner is this user.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// With a scope that has something in common with this one.
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// For this cluster.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// That stand so.
    #[arg(long, value_enum)]
    pub(crate) status: Option<Status>,
    /// Made by this subject, user or client.
    #[arg(long, value_name = "WHO")]
    pub(crate) created_by: Option<String>,
    /// That end before this time, or within this duration: `2026-12-31T00:00:00Z`, `7d`.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) expires_before: Option<When>,
    /// Not used since this time, or for this duration.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) unused_since: Option<When>,
}

/// How a token stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Status {
    /// Waits for approval.
    Pending,
    /// Can be used.
    Active,
    /// Was ended.
    Revoked,
    /// Was not approved.
    Denied,
    /// Its time is over.
    Expired,
}

/// Arguments of `show-token`.
#[derive(Args, Debug)]
pub(crate) struct ShowToken {
    /// Its id.
    pub(crate) token_id: String,
    #[command(flatten)]
    pub(crate) acting: Acting,
}

/// Arguments of `list-tokens`.
#[derive(Args, Debug)]
pub(crate) struct ListTokens {
    #[command(flatten)]
    pub(crate) acting: Acting,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// The order.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// The reverse of it.
    #[arg(long)]
    pub(crate) reverse: bool,
    /// How many at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sort {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they end.
    ExpiresAt,
    /// When they were used last.
    LastUsed,
    /// Their names.
    Name,
}

/// Arguments of `revoke-token`.
#[derive(Args, Debug)]
pub(crate) struct RevokeToken {
    #[command(flatten)]
    pub(crate) acting: Acting,
    /// This one; may be repeated.
    #[arg(long = "token-id", value_name = "ID")]
    pub(crate) token_ids: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// All that you have a say over.
    #[arg(long, conflicts_with = "token_ids")]
    pub(crate) all: bool,
    /// Why; it is kept with the token.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Only show which ones would be revoked.
    #[arg(long, conflicts_with = "token_ids")]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Arguments of `rotate-token`.
#[derive(Args, Debug)]
pub(crate) struct RotateToken {
    #[command(flatten)]
    pub(crate) acting: Acting,
    /// The token.
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: String,
    /// How long the old one goes on working, as in `1h`; without it, not at all.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) overlap: Option<Duration>,
    /// Why; it is kept with the token.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Write the new token into a file of mode 0600, in place of what it holds, instead of showing it.
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

/// The subcommands of `revocations`.
#[derive(Debug, Subcommand)]
pub(crate) enum Revocations {
    /// List what was revoked.
    List,
    /// Let tokens of the providers count no more: one, or all of a client or a subject.
    Add(Box<RevocationsAdd>),
    /// Take a revocation back.
    Withdraw {
        /// Its id.
        revocation_id: String,
    },
}

/// Arguments of `revocations add`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["jti", "client_id", "subject"]))]
pub(crate) struct RevocationsAdd {
    /// The token with this `jti`.
    #[arg(long)]
    pub(crate) jti: Option<String>,
    /// All tokens of this client.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// All tokens of this subject (`sub`).
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Only those of this issuer.
    #[arg(long)]
    pub(crate) issuer: Option<String>,
    /// Only those issued before this time, or longer than this duration ago.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) issued_before: Option<When>,
    /// Until this time, or for this duration; without it, for good.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) until: Option<When>,
    /// Why; it is kept.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// The subcommands of `consents`.
#[derive(Debug, Subcommand)]
pub(crate) enum Consents {
    /// List what you allowed, or with the scope `monitor:tokens` what anybody did.
    List,
    /// Take one back, and revoke the tokens that were issued under it.
    Withdraw {
        /// Its id.
        consent_id: String,
    },
}

/// The subcommands of `requests`.
#[derive(Debug, Subcommand)]
pub(crate) enum Requests {
    /// List the tokens that wait for approval.
    List,
    /// Approve one.
    Approve(Decision),
    /// Deny one.
    Deny(Decision),
}

/// A decision about a request.
#[derive(Args, Debug)]
pub(crate) struct Decision {
    /// The token's id.
    pub(crate) token_id: String,
    /// Why; it is kept with the token.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
