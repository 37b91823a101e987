//! Why there is no token.

use std::{sync::Arc, time::Duration};

use transport::HttpError;

/// Why the engine has no token for a request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// The rights cannot be said in a token.
    #[error(
        "api_token: `{0}` cannot be said in a token of the engine, which knows permissions on the cluster and on indices only; \
         configure a `fallback`"
    )]
    CannotExpress(String),
    /// The engine allows no more tokens.
    #[error(
        "api_token: the engine has no place for another token ({0}); it counts revoked and expired ones until they are deleted with an \
         administrator's certificate"
    )]
    Full(String),
    /// As many as this proxy may hold.
    #[error(
        "api_token: all {0} tokens of `max_tokens` are in use; raise it, and `api_tokens.max_tokens` of the engine"
    )]
    Limit(usize),
    /// The engine takes too long.
    #[error("api_token: the engine did not make a token within {} ms; it is asked for in the background", .0.as_millis())]
    Slow(Duration),
    /// The engine does not accept the administrator.
    #[error(
        "api_token: the engine answered {0} to the administrator of its tokens; a user needs a role of \
         `plugins.security.restapi.roles_enabled`, a certificate must be one of `plugins.security.authcz.admin_dn`"
    )]
    Admin(u16),
    /// Tokens are switched off.
    #[error(
        "api_token: the engine does not accept API tokens; set `api_tokens.enabled: true` (`engine-setup --apply` does)"
    )]
    Disabled,
    /// A token that the engine made is refused by it.
    #[error("api_token: the engine refuses a token that it has just made or loaded anew")]
    NotAccepted,
    /// The engine answered otherwise than it should.
    #[error("api_token: the engine answered {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The engine did not answer.
    #[error("api_token: the engine did not answer")]
    Http(#[source] Arc<HttpError>),
    /// A request cannot be built.
    #[error("api_token: the request for the engine cannot be built")]
    Request,
    /// The system has no randomness.
    #[error("api_token: no random name could be made")]
    Random,
    /// The proxy is stopping, or the token has just been ended.
    #[error("api_token: the token has been ended; send the request again")]
    Ended,
}

impl ApiTokenError {
    /// The HTTP status for a request that fails so.
    pub fn status(&self) -> u16 {
        match self {
            Self::CannotExpress(_) => 403,
            _ => 503,
        }
    }

    /// A stable label for audit records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::CannotExpress(_) => "api_token_cannot_express",
            Self::Full(_) | Self::Limit(_) => "api_tokens_exhausted",
            Self::Slow(_)
            | Self::Admin(_)
            | Self::Disabled
            | Self::NotAccepted
            | Self::Refused { .. }
            | Self::Http(_)
            | Self::Request
            | Self::Random
            | Self::Ended => "api_token_unavailable",
        }
    }
}

impl From<HttpError> for ApiTokenError {
    fn from(error: HttpError) -> Self {
        Self::Http(Arc::new(error))
    }
}
