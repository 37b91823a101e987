//! Why a token is refused, why a provider cannot be reached, and why a configuration cannot be used.

use transport::{HttpError, TlsError};

/// Why a token is refused. Messages never hold any part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The credentials are of another scheme than `Bearer`.
    #[error("the Authorization header holds no bearer token")]
    OtherScheme,
    /// Not the grammar of RFC 6750, not a JWS, or claims of the wrong JSON types.
    #[error("the token is malformed")]
    Malformed,
    /// Longer than allowed.
    #[error("the token is longer than this server accepts")]
    TooLong,
    /// A JSON object in the token names a member twice.
    #[error("the token names a member twice")]
    DuplicateMember,
    /// The header demands an extension (`crit`, RFC 7515 section 4.1.11); none is supported.
    #[error("the token demands a JOSE extension that is not supported")]
    CriticalHeader,
    /// The header brings or points to its own key (`jwk`, `jku`, `x5u`).
    #[error("the token brings its own key, which is never used")]
    EmbeddedKey,
    /// `none`, symmetric, unknown, not configured for the issuer, or not fitting the key.
    #[error("the signature algorithm of the token is not allowed for its issuer")]
    AlgorithmNotAllowed,
    /// No provider is configured with this `iss`.
    #[error("the issuer of the token is not known here")]
    UnknownIssuer,
    /// The provider publishes no such key.
    #[error("the token is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the signature of the token is not valid")]
    BadSignature,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `aud` names none of the configured audiences.
    #[error("the token is not meant for this server")]
    WrongAudience,
    /// An ID token, refresh token or logout token, or a `typ` that is not configured.
    #[error("the token is no access token of a configured type")]
    WrongType,
    /// A required claim is missing.
    #[error("the token lacks the claim `{0}`")]
    MissingClaim(String),
    /// Bound to a key of its sender (`cnf`), but presented as a bearer token.
    #[error("the token is bound to a key of its sender and cannot be used as a bearer token")]
    SenderConstrained,
    /// The provider says that the token is not active (RFC 7662).
    #[error("the token is not active")]
    NotActive,
    /// The token is opaque and no provider with introspection is configured.
    #[error("opaque tokens are not accepted here")]
    OpaqueNotAccepted,
    /// Keys or introspection are needed but cannot be had now; the token may be good.
    #[error("the token cannot be checked now: its identity provider is not reachable")]
    ProviderUnavailable,
}

impl TokenError {
    /// A stable label for metrics and audit records.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::OtherScheme => "other_scheme",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::DuplicateMember => "duplicate_member",
            Self::CriticalHeader => "critical_header",
            Self::EmbeddedKey => "embedded_key",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongAudience => "wrong_audience",
            Self::WrongType => "wrong_type",
            Self::MissingClaim(_) => "missing_claim",
            Self::SenderConstrained => "sender_constrained",
            Self::NotActive => "not_active",
            Self::OpaqueNotAccepted => "opaque_not_accepted",
            Self::ProviderUnavailable => "provider_unavailable",
        }
    }

    /// The `error` of the `WWW-Authenticate` challenge (RFC 6750 section 3.1).
    pub fn oauth_error(&self) -> &'static str {
        match self {
            Self::OtherScheme => "invalid_request",
            _ => "invalid_token",
        }
    }

    /// Whether the fault is not the token's: to be answered with 503, not 401.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::ProviderUnavailable)
    }
}

/// A provider configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Two providers share a name.
    #[error("two providers are named `{0}`; give each its own name")]
    DuplicateName(String),
    /// Two providers share an issuer, so a token could not be told which it belongs to.
    #[error("two providers have the issuer `{0}`; put their audiences into one provider")]
    DuplicateIssuer(String),
    /// A setting is missing, empty or contradicts another.
    #[error("provider `{provider}`: {problem}")]
    Provider {
        /// The provider's name.
        provider: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// A URL is neither HTTPS nor on this host.
    #[error(
        "provider `{provider}`: {url} must be https; only loopback hosts may be http, or set `allow_http`"
    )]
    Insecure {
        /// The provider's name.
        provider: String,
        /// The URL, redacted.
        url: String,
    },
    /// The TLS files cannot be used.
    #[error("provider `{provider}`: {source}")]
    Tls {
        /// The provider's name.
        provider: String,
        /// Which file and why.
        source: Box<TlsError>,
    },
}

/// Why the documents of a provider could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The call failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The provider answered with another status than 200.
    #[error("{url} answered {status}")]
    Status {
        /// The URL, redacted.
        url: String,
        /// The status.
        status: http::StatusCode,
    },
    /// The discovery document is for another issuer (RFC 8414 section 3.3).
    #[error(
        "{url} is the document of another issuer; set `issuer` to exactly what the provider calls itself"
    )]
    IssuerMismatch {
        /// The URL, redacted.
        url: String,
    },
    /// A document that lacks what is needed.
    #[error("{url} {problem}")]
    Document {
        /// The URL, redacted.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An endpoint is neither HTTPS nor on this host.
    #[error("the discovery document names {url}, which is not https")]
    Insecure {
        /// The URL, redacted.
        url: String,
    },
}
