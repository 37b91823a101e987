//! Requests that a person is asked about: by the browser (RFC 6749 section 4.1) or by a device (RFC 8628).

use crate::request::seconds;
use crate::{CodeChallenge, ErrorCode, Form, OAuthError, ScopeSet, Target};

/// What a client would like to be allowed. Nothing given means: as much as it can have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// The scopes.
    pub scope: Option<ScopeSet>,
    /// Seconds until the token expires; above 0.
    pub expires_in: Option<u64>,
    /// Where the token shall count.
    pub targets: Vec<Target>,
}

impl Wish {
    /// Reads one.
    pub fn read(form: &Form) -> Result<Self, OAuthError> {
        Ok(Self {
            scope: form.get("scope").map(str::parse).transpose()?,
            expires_in: form.get("expires_in").map(seconds).transpose()?,
            targets: Target::read(form),
        })
    }
}

/// A request for an authorization code, but for client and redirect URI, which must be good before anything is answered to
/// them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorizationRequest {
    /// What is wanted.
    pub wish: Wish,
    /// What the client must show with the code.
    pub challenge: CodeChallenge,
    /// How much the person may be troubled.
    pub prompt: Prompt,
    /// Who is expected, for the provider.
    pub login_hint: Option<String>,
}

impl AuthorizationRequest {
    /// Reads one.
    pub fn read(form: &Form) -> Result<Self, OAuthError> {
        if form.required("response_type")? != "code" {
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, "response_type must be code"));
        }
        if form.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(OAuthError::request("response_mode can only be query"));
        }
        if form.get("request").is_some() || form.get("request_uri").is_some() {
            return Err(OAuthError::request(
                "request and request_uri are not read here; send the parameters",
            ));
        }
        Ok(Self {
            wish: Wish::read(form)?,
            challenge: CodeChallenge::read(form)?,
            prompt: form.get("prompt").map_or(Ok(Prompt::default()), str::parse)?,
            login_hint: form.get("login_hint").map(str::to_owned),
        })
    }
}

/// How much the person may be troubled (OpenID Connect Core 1.0 section 3.1.2.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prompt {
    /// Not at all: whatever needs the person is an error.
    pub none: bool,
    /// Asked again, even for what was allowed before.
    pub consent: bool,
    /// What the provider is to do.
    pub provider: Option<String>,
}

impl std::str::FromStr for Prompt {
    type Err = OAuthError;

    fn from_str(text: &str) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        let mut provider = Vec::new();
        for value in text.split(' ').filter(|value| !value.is_empty()) {
            match value {
                "none" => {
                    prompt.none = true;
                    provider.push(value);
                }
                "consent" => prompt.consent = true,
                "login" | "select_account" => provider.push(value),
                _ => {
                    return Err(OAuthError::request("prompt can be none, login, select_account and consent"));
                }
            }
        }
        if prompt.none && (prompt.consent || provider.len() > 1) {
            return Err(OAuthError::request("prompt=none goes with nothing else"));
        }
        prompt.provider = (!provider.is_empty()).then(|| provider.join(" "));
        Ok(prompt)
    }
}
