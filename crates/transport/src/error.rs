//! What can go wrong when files of TLS are read and when calls are made.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::ConnectError;

/// A certificate, key or trust bundle that cannot be used. Every message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; check that the file exists and that this process may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is no PEM (RFC 7468).
    #[error("{} is not valid PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Where the format is broken. Never holds content of the file.
        reason: String,
    },
    /// The file holds no `CERTIFICATE` section.
    #[error("{} holds no certificate: expected at least one `BEGIN CERTIFICATE` section", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no private key section.
    #[error(
        "{} holds no private key: expected a `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY` \
         section, not encrypted", path.display()
    )]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate of a trust bundle cannot be parsed.
    #[error("certificate {position} of {} cannot be trusted: {source}", path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// The place of the certificate in the file, counted from 1.
        position: usize,
        /// What rustls said.
        source: rustls::Error,
    },
    /// Certificate and key are no pair, or of a kind that is not supported.
    #[error("certificate {} and key {} cannot be used together: {source}", certificate.display(), key.display())]
    Identity {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The trust store of the operating system cannot be used.
    #[error("the trust store of the operating system cannot be used: {source}; name a CA file instead")]
    Platform {
        /// What rustls said.
        source: rustls::Error,
    },
    /// The verifier of client certificates cannot be built from the CA file.
    #[error("clients cannot be verified with {}: {reason}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The crypto provider does not support the protocol versions asked for.
    #[error("TLS cannot be configured: {source}")]
    Protocol {
        /// What rustls said.
        source: rustls::Error,
    },
}

/// A call that did not yield a response. URLs are shown without credentials, query and fragment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URL cannot be called.
    #[error("{url} cannot be called: {reason}")]
    Url {
        /// The URL, redacted.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No connection: name resolution, TCP, or the forward proxy.
    #[error("cannot connect to {url}: {source}")]
    Connect {
        /// The URL, redacted.
        url: String,
        /// The step that failed.
        source: ConnectError,
    },
    /// The TLS handshake failed, most often for a certificate that is not trusted.
    #[error("TLS with {url} failed: {reason}; check the CA file and the host name of the certificate")]
    Tls {
        /// The URL, redacted.
        url: String,
        /// What rustls said.
        reason: String,
    },
    /// The whole call, body included, took longer than allowed.
    #[error("no complete response from {url} within {after:?}")]
    Timeout {
        /// The URL, redacted.
        url: String,
        /// The time allowed.
        after: Duration,
    },
    /// The response body is larger than allowed.
    #[error("the response of {url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL, redacted.
        url: String,
        /// The bytes allowed.
        limit: usize,
    },
    /// The peer broke HTTP or closed the connection early.
    #[error("no valid HTTP response from {url}: {reason}")]
    Protocol {
        /// The URL, redacted.
        url: String,
        /// What hyper said.
        reason: String,
    },
    /// The body is no JSON of the expected shape. Holds the place, never the content.
    #[error("the response of {url} is not the expected JSON (line {line}, column {column}, {category})")]
    Json {
        /// The URL, redacted.
        url: String,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// Whether the syntax, the data or the end is wrong.
        category: &'static str,
    },
}

impl HttpError {
    /// Whether the peer may have acted on the request: false as long as no connection stood.
    pub fn may_have_been_sent(&self) -> bool {
        !matches!(self, Self::Url { .. } | Self::Connect { .. } | Self::Tls { .. })
    }
}

/// The URL as errors and logs may show it: scheme, host, port and path; no credentials, query or fragment.
pub fn redact_url(url: &Url) -> String {
    let host = url.host_str().unwrap_or("-");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}
