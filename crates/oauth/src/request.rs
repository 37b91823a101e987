//! Requests for a token: RFC 6749 sections 4.1 and 4.4, RFC 8628 and RFC 8693 section 2.1, with what this service adds.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::{
    ACCESS_TOKEN_TYPE, ClaimedClient, ClientAuthentication, CodeVerifier, ErrorCode, Form, JWT_TYPE,
    OAuthError, ScopeSet, labels,
};

/// `grant_type` of RFC 6749 section 4.4.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// `grant_type` of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// `grant_type` of RFC 6749 section 4.1.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// `grant_type` of RFC 8628.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A request for a token.
#[derive(Debug)]
pub struct TokenRequest {
    /// What is presented for it.
    pub grant: Grant,
    /// What the token shall be like.
    pub options: TokenOptions,
}

/// What is presented for a token.
#[derive(Debug)]
pub enum Grant {
    /// The client's own credentials.
    ClientCredentials(ClientAuthentication),
    /// Another token.
    TokenExchange(Exchange),
    /// A code that came by a person's browser.
    AuthorizationCode(CodeRedemption),
    /// The code of a device.
    DeviceCode(DeviceRedemption),
}

/// An authorization code and what goes with it (RFC 6749 section 4.1.3).
#[derive(Debug)]
pub struct CodeRedemption {
    /// Who presents it.
    pub client: ClaimedClient,
    /// The code.
    pub code: SecretString,
    /// Where it came to.
    pub redirect_uri: String,
    /// What only whoever asked for it has.
    pub verifier: CodeVerifier,
}

/// A device's code (RFC 8628 section 3.4).
#[derive(Debug)]
pub struct DeviceRedemption {
    /// Who presents it.
    pub client: ClaimedClient,
    /// The code.
    pub device_code: SecretString,
}

/// A token that is given for another.
#[derive(Debug)]
pub struct Exchange {
    /// Whom the new token stands for.
    pub subject_token: SecretString,
    /// Who acts for the subject, if it is somebody else.
    pub actor_token: Option<SecretString>,
}

/// What a token shall be like. Nothing given means: as much as is allowed.
#[derive(Debug, Default)]
pub struct TokenOptions {
    /// The scopes asked for.
    pub scope: Option<ScopeSet>,
    /// Seconds until it expires; above 0.
    pub expires_in: Option<u64>,
    /// A name for people.
    pub name: Option<String>,
    /// Why it exists.
    pub description: Option<String>,
    /// Anything else that is to be known about it.
    pub metadata: BTreeMap<String, String>,
    /// The provider that knows the client, where there are several.
    pub provider: Option<String>,
    /// The scopes to ask the provider for, where they are others than those of the token.
    pub provider_scope: Option<ScopeSet>,
    /// Where the token shall count.
    pub targets: Vec<Target>,
    /// Whom it is for, if not for who asks.
    pub owner: Option<Owner>,
}

/// Whom a token is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The subject, of the same issuer as who asks.
    pub subject: String,
    /// The client.
    pub client_id: Option<String>,
    /// The person, if it is not the client itself.
    pub user: Option<String>,
}

/// Where a token shall count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// `resource`: a URI (RFC 8707).
    Resource(String),
    /// `audience`: a name.
    Audience(String),
}

impl TokenRequest {
    /// Reads a request; `authorization` is its `Authorization` header.
    pub fn read(authorization: Option<&[u8]>, form: &Form) -> Result<Self, OAuthError> {
        let client = ClientAuthentication::read(authorization, form)?;
        let grant = match form.required("grant_type")? {
            CLIENT_CREDENTIALS => {
                // RFC 6749 section 4.4: for confidential clients only.
                let Some(client) = client else {
                    return Err(OAuthError::new(
                        ErrorCode::InvalidClient,
                        "the client must authenticate: by Basic, with client_id and client_secret, or with client_assertion",
                    ));
                };
                Grant::ClientCredentials(client)
            }
            TOKEN_EXCHANGE => {
                if client.is_some() {
                    return Err(OAuthError::request(
                        "token exchange is authorised by subject_token; leave the client's credentials out",
                    ));
                }
                Grant::TokenExchange(Exchange::read(form)?)
            }
            AUTHORIZATION_CODE => Grant::AuthorizationCode(CodeRedemption {
                client: ClaimedClient::of(client.as_ref(), form)?,
                code: SecretString::from(form.required("code")?),
                redirect_uri: form.required("redirect_uri")?.to_owned(),
                verifier: CodeVerifier::parse(form.required("code_verifier")?)
                    .ok_or_else(|| OAuthError::request("code_verifier has not the form of RFC 7636"))?,
            }),
            DEVICE_CODE => Grant::DeviceCode(DeviceRedemption {
                client: ClaimedClient::of(client.as_ref(), form)?,
                device_code: SecretString::from(form.required("device_code")?),
            }),
            _ => {
                return Err(OAuthError::new(
                    ErrorCode::UnsupportedGrantType,
                    format!(
                        "grant_type must be {CLIENT_CREDENTIALS}, {AUTHORIZATION_CODE}, {DEVICE_CODE} or {TOKEN_EXCHANGE}"
                    ),
                ));
            }
        };
        Ok(Self { grant, options: TokenOptions::read(form)? })
    }
}

impl Target {
    pub(crate) fn read(form: &Form) -> Vec<Self> {
        let resources = form.all("resource").map(|uri| Self::Resource(uri.to_owned()));
        let audiences = form.all("audience").map(|name| Self::Audience(name.to_owned()));
        resources.chain(audiences).collect()
    }
}

impl Exchange {
    fn read(form: &Form) -> Result<Self, OAuthError> {
        let subject_token = SecretString::from(form.required("subject_token")?);
        token_type(form.required("subject_token_type")?, "subject_token_type")?;
        let actor_token = form.get("actor_token").map(SecretString::from);
        // RFC 8693 section 2.1: required with an actor token, and not to be there without.
        match (&actor_token, form.get("actor_token_type")) {
            (Some(_), Some(kind)) => token_type(kind, "actor_token_type")?,
            (None, None) => {}
            _ => return Err(OAuthError::request("actor_token and actor_token_type belong together")),
        }
        if form.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN_TYPE) {
            return Err(OAuthError::request(format!("requested_token_type can only be {ACCESS_TOKEN_TYPE}")));
        }
        Ok(Self { subject_token, actor_token })
    }
}

fn token_type(given: &str, parameter: &str) -> Result<(), OAuthError> {
    match given {
        ACCESS_TOKEN_TYPE | JWT_TYPE => Ok(()),
        _ => Err(OAuthError::request(format!("{parameter} must be {ACCESS_TOKEN_TYPE} or {JWT_TYPE}"))),
    }
}

impl TokenOptions {
    fn read(form: &Form) -> Result<Self, OAuthError> {
        let text = |name: &str| form.get(name).map(str::to_owned);
        Ok(Self {
            scope: form.get("scope").map(str::parse).transpose()?,
            expires_in: form.get("expires_in").map(seconds).transpose()?,
            name: text("name"),
            description: text("description"),
            metadata: form.get("metadata").map(labels::read).transpose()?.unwrap_or_default(),
            provider: text("provider"),
            provider_scope: form.get("provider_scope").map(str::parse).transpose()?,
            targets: Target::read(form),
            owner: owner(form)?,
        })
    }
}

fn owner(form: &Form) -> Result<Option<Owner>, OAuthError> {
    let text = |name: &str| form.get(name).map(str::to_owned);
    let (client_id, user) = (text("owner_client_id"), text("owner_user"));
    match text("owner") {
        Some(subject) => Ok(Some(Owner { subject, client_id, user })),
        None if client_id.is_none() && user.is_none() => Ok(None),
        None => Err(OAuthError::request("owner_client_id and owner_user need owner, the subject")),
    }
}

pub(crate) fn seconds(text: &str) -> Result<u64, OAuthError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|&seconds| digits && seconds > 0)
        .ok_or_else(|| OAuthError::request("expires_in must be a number of seconds above 0"))
}
