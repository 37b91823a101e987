//! What can go wrong, each with its cure.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the testbed is not there. Every message ends with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestbedError {
    /// Neither a cache folder is named nor a home is known.
    #[error("no folder to keep downloads in: set OPENSEARCH_OAUTH_CACHE to a folder of at least 2 GB")]
    NoCache,
    /// The cache folder must not be used.
    #[error("the cache folder {} cannot be used: {reason}; set OPENSEARCH_OAUTH_CACHE to another folder", path.display())]
    UnusableCache {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Maven is missing.
    #[error(
        "Maven (`mvn`) was not found on the PATH; it downloads OpenSearch and Keycloak. \
         On Debian or Ubuntu: `apt-get install maven`"
    )]
    NoMaven,
    /// No Java development kit of a usable version.
    #[error(
        "no JDK from {minimum} to {maximum} was found (looked at JAVA_HOME, /usr/lib/jvm and the PATH; saw {seen}). \
         On Debian 13 or Ubuntu 24.04: `apt-get install openjdk-21-jdk-headless`; elsewhere install any JDK of these \
         versions and name its folder in JAVA_HOME"
    )]
    NoJdk {
        /// Lowest feature version that will do.
        minimum: u32,
        /// Highest feature version that will do.
        maximum: u32,
        /// The versions that were found.
        seen: String,
    },
    /// A port is in use.
    #[error(
        "port {port}, wanted for {purpose}, is in use{owner}; stop that process or choose another port with {option}"
    )]
    PortTaken {
        /// The port on 127.0.0.1.
        port: u16,
        /// What it is wanted for.
        purpose: String,
        /// ` by pid 17 (java)`, or empty if that cannot be told.
        owner: String,
        /// The option that chooses another port.
        option: String,
    },
    /// Maven failed.
    #[error("the download of {what} failed{detail}; the whole output is in {}; nothing is lost, run the command again", log.display())]
    Download {
        /// What was to be downloaded.
        what: String,
        /// `: ` and the line of Maven that tells the artifact, or empty.
        detail: String,
        /// Where Maven's output is.
        log: PathBuf,
    },
    /// A downloaded artifact is not what was expected.
    #[error("{what} cannot be assembled: {reason}; remove {} and run the command again", path.display())]
    Assembly {
        /// What was to be assembled.
        what: String,
        /// What is wrong.
        reason: String,
        /// The folder to remove.
        path: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}; check permissions and free space", path.display())]
    File {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program cannot be started.
    #[error("cannot start {program}: {source}; check that it is installed and may be executed")]
    Start {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A server ended while it was booting, or a set-up command failed.
    #[error("{what} ended early ({status}); its last lines, of {}:\n{tail}", log.display())]
    Ended {
        /// The program.
        what: String,
        /// Its exit status.
        status: String,
        /// Its output.
        log: PathBuf,
        /// The last lines of the output.
        tail: String,
    },
    /// A server did not become ready.
    #[error("{what} was not ready after {after:?} ({last}); its last lines, of {}:\n{tail}", log.display())]
    NotReady {
        /// The program.
        what: String,
        /// How long was waited.
        after: Duration,
        /// What it answered last.
        last: String,
        /// Its output.
        log: PathBuf,
        /// The last lines of the output.
        tail: String,
    },
    /// A process could not be stopped.
    #[error("process {pid} did not end after it was killed; look at it with `ps -fp {pid}`")]
    StillRunning {
        /// The process.
        pid: u32,
    },
    /// Certificates cannot be made.
    #[error("the test certificates cannot be made: {0}; this is a defect of the testbed")]
    Certificate(#[from] rcgen::Error),
    /// The call of a server failed.
    #[error("{0}; is the testbed still running? `cargo xtask testbed status` tells")]
    Http(#[from] transport::HttpError),
    /// The CA or key files of the testbed cannot be used.
    #[error("{0}; start the testbed again to renew its files")]
    Tls(#[from] transport::TlsError),
    /// A server answered otherwise than expected.
    #[error("{call} answered {status}: {body}; the request or the state of the testbed is not as expected")]
    Answer {
        /// Method and address.
        call: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// An address cannot be called.
    #[error(
        "`{0}` is not an address that can be called; give a path that begins with `/` and is percent-encoded"
    )]
    Address(String),
    /// A token that cannot stand in a header.
    #[error("the token cannot stand in a header: it holds control characters or line ends")]
    Header,
    /// The variable that names the info file is not set.
    #[error(
        "OPENSEARCH_OAUTH_TESTBED is not set: this test needs a running OpenSearch and Keycloak. \
         Run `cargo xtask test`, or `cargo xtask testbed up` and set the variable as that command tells"
    )]
    NoTestbed,
    /// The info file is no such thing.
    #[error("{} does not describe a testbed: {reason}; start it again with `cargo xtask testbed up`", path.display())]
    Info {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl TestbedError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}
