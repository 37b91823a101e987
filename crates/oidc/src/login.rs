//! Logging a person in at a provider, as a client of it (OpenID Connect Core 1.0 section 3.1).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use transport::client_secret_basic;
use url::Url;

use crate::discovery::is_secure;
use crate::jws::{self, Parts};
use crate::provider::Provider;
use crate::relay::{Answer, RelayError, token_endpoint};
use crate::validation::{self, Source};
use crate::{BearerToken, KeySource, Providers, TokenError};

/// What is asked of the person's browser.
#[derive(Clone, Copy, Debug)]
pub struct LoginRequest<'a> {
    /// The client, as the provider knows it.
    pub client_id: &'a str,
    /// Where the browser is to come back to.
    pub redirect_uri: &'a str,
    /// Scopes, joined by spaces; `openid` among them.
    pub scope: &'a str,
    /// Comes back with the browser.
    pub state: &'a str,
    /// Comes back in the ID token.
    pub nonce: &'a str,
    /// The SHA-256 of what is shown with the code (RFC 7636).
    pub code_challenge: &'a str,
    /// How much the person may be troubled.
    pub prompt: Option<&'a str>,
    /// Who is expected.
    pub login_hint: Option<&'a str>,
}

/// What the browser brought back, and what was kept meanwhile.
#[derive(Clone, Copy)]
pub struct LoginAnswer<'a> {
    /// The code.
    pub code: &'a str,
    /// The client, as the provider knows it.
    pub client_id: &'a str,
    /// Its secret there.
    pub client_secret: &'a str,
    /// As in the request.
    pub redirect_uri: &'a str,
    /// What the challenge was made from.
    pub code_verifier: &'a str,
    /// As in the request.
    pub nonce: &'a str,
    /// The longest token to be taken, in bytes.
    pub max_length: usize,
}

impl fmt::Debug for LoginAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginAnswer").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Who logged in.
#[derive(Debug)]
pub struct Login {
    /// For this person. Not checked: see [`authenticate`](Providers::authenticate).
    pub access_token: BearerToken,
    /// Whom the ID token names.
    pub subject: Box<str>,
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The provider gave no token.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// It publishes no authorization endpoint that can be used.
    #[error("the identity provider names no authorization endpoint that is https")]
    NoAuthorizationEndpoint,
    /// The answer is of another provider than was asked, or of one that does not say so though it should (RFC 9207).
    #[error("the answer does not come from the identity provider that was asked (`iss`)")]
    Issuer,
    /// The ID token does not do.
    #[error("the identity provider's ID token: {0}")]
    IdToken(TokenError),
    /// It was issued for another login.
    #[error("the identity provider's ID token was issued for another login (`nonce`)")]
    Nonce,
    /// This provider's tokens are not checked by keys.
    #[error("a person can log in only at a provider whose tokens are verified by its keys")]
    NoKeys,
}

impl Providers {
    /// Where to send the browser.
    pub async fn login_address(&self, provider: &str, request: &LoginRequest<'_>) -> Result<Url, LoginError> {
        let provider = self.named(provider).ok_or(RelayError::UnknownProvider)?;
        let metadata = provider.known_metadata().await.map_err(RelayError::Unavailable)?;
        let endpoint = metadata.authorization_endpoint.as_ref();
        let endpoint = endpoint.filter(|url| is_secure(url, provider.config.allow_http));
        let mut url = endpoint.ok_or(LoginError::NoAuthorizationEndpoint)?.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", request.client_id)
            .append_pair("redirect_uri", request.redirect_uri)
            .append_pair("scope", request.scope)
            .append_pair("state", request.state)
            .append_pair("nonce", request.nonce)
            .append_pair("code_challenge", request.code_challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(request.prompt.map(|prompt| ("prompt", prompt)))
            .extend_pairs(request.login_hint.map(|hint| ("login_hint", hint)));
        Ok(url)
    }

    /// Whether an answer that the browser brought comes from this provider: `iss` is what it says of that (RFC 9207 section 2.4).
    pub async fn check_login_issuer(&self, provider: &str, iss: Option<&str>) -> Result<(), LoginError> {
        let provider = self.named(provider).ok_or(RelayError::UnknownProvider)?;
        let metadata = provider.known_metadata().await.map_err(RelayError::Unavailable)?;
        match iss {
            Some(iss) if *iss == *provider.issuer => Ok(()),
            None if !metadata.names_issuer_in_answers => Ok(()),
            _ => Err(LoginError::Issuer),
        }
    }

    /// Exchanges the code of a login for the person's tokens, and checks that they are of this login.
    pub async fn log_in(&self, provider: &str, answer: LoginAnswer<'_>) -> Result<Login, LoginError> {
        let provider = self.named(provider).ok_or(RelayError::UnknownProvider)?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", answer.code),
            ("redirect_uri", answer.redirect_uri),
            ("code_verifier", answer.code_verifier),
        ];
        let authorization = client_secret_basic(answer.client_id, answer.client_secret);
        let tokens = token_endpoint(provider, &fields, Some(&authorization), answer.max_length).await?;
        let Answer { access_token, id_token } = tokens;
        let id_token = id_token.ok_or(RelayError::Unusable("it has no id_token"))?;
        if id_token.len() > answer.max_length {
            return Err(LoginError::IdToken(TokenError::TooLong));
        }
        let subject = check_id_token(provider, &id_token, answer.client_id, answer.nonce).await?;
        Ok(Login { access_token, subject })
    }
}

/// OpenID Connect Core 1.0 section 3.1.3.7. Its signature is checked though the connection vouches for it already.
async fn check_id_token(
    provider: &Arc<Provider>,
    token: &str,
    client_id: &str,
    nonce: &str,
) -> Result<Box<str>, LoginError> {
    let wrong = |error| LoginError::IdToken(error);
    if provider.config.keys == KeySource::IntrospectionOnly {
        return Err(LoginError::NoKeys);
    }
    if !jws::is_jws(token) {
        return Err(wrong(TokenError::Malformed));
    }
    let parts = Parts::of(token).map_err(wrong)?;
    let jws = parts.parse().map_err(wrong)?;
    let text = |name| validation::text(&jws.claims, name).map_err(wrong);
    if text("iss")? != Some(&*provider.issuer) {
        return Err(wrong(TokenError::UnknownIssuer));
    }
    let audiences = validation::audiences(&jws.claims).map_err(wrong)?;
    let party = text("azp")?;
    let meant = audiences.iter().any(|audience| **audience == *client_id)
        && party.map_or(audiences.len() == 1, |party| party == client_id);
    if !meant {
        return Err(wrong(TokenError::WrongAudience));
    }
    let now = provider.clock.unix();
    validation::times(provider.config.leeway, &jws.claims, now, Source::Token).map_err(wrong)?;
    let given = text("nonce")?.unwrap_or_default();
    if verify_slices_are_equal(given.as_bytes(), nonce.as_bytes()).is_err() {
        return Err(LoginError::Nonce);
    }
    let subject = text("sub")?.filter(|subject| !subject.is_empty());
    let subject = subject.ok_or_else(|| wrong(TokenError::MissingClaim("sub".to_owned())))?.into();
    provider.check_signature(&jws).await.map_err(wrong)?;
    Ok(subject)
}
