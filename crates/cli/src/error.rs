//! What can go wrong, in the four kinds that the exit codes tell apart.

use std::fmt;

use transport::{HttpError, TlsError};

/// The kind of an error. It decides the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// It ran, and the answer is no.
    Refused,
    /// It cannot be done as asked.
    Usage,
    /// Something outside failed: a file, a connection, a server.
    Outside,
    /// There is no login that counts.
    LoginNeeded,
}

impl Kind {
    /// The exit code.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Outside => 3,
            Self::LoginNeeded => 4,
        }
    }

    /// The name that programs read.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Usage => "usage",
            Self::Outside => "outside",
            Self::LoginNeeded => "login_needed",
        }
    }
}

/// An error with what to do about it. Holds no secret.
#[derive(Debug)]
pub(crate) struct Error {
    /// Its kind.
    pub(crate) kind: Kind,
    /// What is wrong, and where.
    pub(crate) what: String,
    /// What to do.
    pub(crate) cure: Option<String>,
}

/// The result of nearly everything here.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, what: what.into(), cure: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, what: what.into(), cure: None }
    }

    pub(crate) fn outside(what: impl Into<String>) -> Self {
        Self { kind: Kind::Outside, what: what.into(), cure: None }
    }

    pub(crate) fn login_needed(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::LoginNeeded,
            what: what.into(),
            cure: Some("run `opensearch-auth login`, or set OPENSEARCH_AUTH_TOKEN to a token".to_owned()),
        }
    }

    /// Says what to do.
    #[must_use]
    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let cure = match &error {
            HttpError::Connect { .. } => Some(
                "check the address, and whether an HTTP proxy is needed (HTTPS_PROXY) or to be passed by (NO_PROXY)",
            ),
            HttpError::Tls { .. } => Some(
                "name who vouches for that server with `contexts add --ca FILE` (the proxy) or `--provider-ca FILE`",
            ),
            HttpError::Timeout { .. } => Some("try again; is the server reachable from here?"),
            _ => None,
        };
        Self { kind: Kind::Outside, what: error.to_string(), cure: cure.map(str::to_owned) }
    }
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        Self::outside(error.to_string())
    }
}

/// Text of others, fit for a terminal: one line of bounded length without control characters.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 400;
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    // Marks that turn the direction of writing could make a line show something else than it says.
    one_line
        .filter(|c| !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(LONGEST)
        .collect()
}
