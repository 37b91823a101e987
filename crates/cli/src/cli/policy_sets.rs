//! The command line of `policy-sets`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The subcommands of `policy-sets`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicySets {
    /// List the sets, with the version that counts.
    List,
    /// Print the policies of a set.
    Show {
        /// The set.
        set: String,
        /// An earlier version; the one that counts without it.
        #[arg(value_name = "VERSION")]
        number: Option<u32>,
    },
    /// List the versions of a set, newest first: who wrote them, when, and why.
    Versions {
        /// The set.
        set: String,
    },
    /// Write a new version of a set. It counts at once.
    ///
    /// Policies with a fault are shown with the line, and change nothing.
    Write {
        /// The set.
        set: String,
        /// The policies, all that the set shall hold.
        file: PathBuf,
        #[command(flatten)]
        change: Change,
    },
    /// Write an earlier version of a set once more, as a new one.
    Rollback {
        /// The set.
        set: String,
        /// The version whose policies shall count again.
        #[arg(value_name = "VERSION")]
        number: u32,
        #[command(flatten)]
        change: Change,
    },
}

/// How a version is replaced.
#[derive(Args, Debug)]
pub(crate) struct Change {
    /// Why, for whoever looks at the versions.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Only if this version still counts; without it, whichever does.
    #[arg(long, value_name = "VERSION")]
    pub(crate) replaces: Option<u32>,
}
