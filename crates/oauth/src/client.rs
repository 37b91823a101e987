//! Client authentication (RFC 6749 section 2.3, RFC 7523 section 2.2), read and never checked here: whoever knows the
//! client checks it.

use std::fmt;

use data_encoding::BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::{ErrorCode, Form, OAuthError, form::decode};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client says who it is. To be passed on as it came.
pub enum ClientAuthentication {
    /// `client_secret_basic`.
    Basic {
        /// The client.
        client_id: String,
        /// The whole value of the `Authorization` header.
        authorization: SecretString,
    },
    /// `client_secret_post`.
    Post {
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// `private_key_jwt`.
    Assertion {
        /// The client, if it is named beside the assertion, which names it anyway.
        client_id: Option<String>,
        /// The signed JWT.
        assertion: SecretString,
    },
}

impl ClientAuthentication {
    /// Reads the client authentication of a request: `authorization` is its `Authorization` header. `None` if there is
    /// none; more than one method at once is refused (RFC 6749 section 2.3).
    pub fn read(authorization: Option<&[u8]>, form: &Form) -> Result<Option<Self>, OAuthError> {
        let named = form.get("client_id");
        let secret = form.get("client_secret");
        let assertion = form.get("client_assertion");
        if [authorization.is_some(), secret.is_some(), assertion.is_some()]
            .iter()
            .filter(|used| **used)
            .count()
            > 1
        {
            return Err(OAuthError::request(
                "the client authenticates in more than one way; use the Authorization header, client_secret or client_assertion",
            ));
        }
        if form.get("client_assertion_type").is_some() != assertion.is_some() {
            return Err(OAuthError::request("client_assertion and client_assertion_type belong together"));
        }
        if let Some(header) = authorization {
            return basic(header, named).map(Some);
        }
        if let Some(secret) = secret {
            let client_id = form.required("client_id")?.to_owned();
            return Ok(Some(Self::Post { client_id, client_secret: SecretString::from(secret) }));
        }
        let Some(assertion) = assertion else { return Ok(None) };
        if form.get("client_assertion_type") != Some(JWT_BEARER) {
            return Err(OAuthError::new(
                ErrorCode::InvalidClient,
                format!("client_assertion_type must be {JWT_BEARER}"),
            ));
        }
        let jwt = assertion.split('.').count() == 3
            && assertion.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !jwt {
            return Err(OAuthError::new(ErrorCode::InvalidClient, "client_assertion is not a signed JWT"));
        }
        Ok(Some(Self::Assertion {
            client_id: named.map(str::to_owned),
            assertion: SecretString::from(assertion),
        }))
    }

    /// The client, as far as the request names it outside of an assertion.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Basic { client_id, .. } | Self::Post { client_id, .. } => Some(client_id),
            Self::Assertion { client_id, .. } => client_id.as_deref(),
        }
    }

    /// The method's registered name.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "client_secret_basic",
            Self::Post { .. } => "client_secret_post",
            Self::Assertion { .. } => "private_key_jwt",
        }
    }
}

/// A client of this service's own, as a request names it: with its secret, or by its name alone if it is a public one.
#[derive(Clone, Debug)]
pub struct ClaimedClient {
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub secret: Option<SecretString>,
}

impl ClaimedClient {
    /// Reads it; `authorization` is the `Authorization` header of the request.
    pub fn read(authorization: Option<&[u8]>, form: &Form) -> Result<Self, OAuthError> {
        let authentication = ClientAuthentication::read(authorization, form)?;
        Self::of(authentication.as_ref(), form)
    }

    pub(crate) fn of(authentication: Option<&ClientAuthentication>, form: &Form) -> Result<Self, OAuthError> {
        let (client_id, secret) = match authentication {
            None => (form.required("client_id")?, None),
            Some(ClientAuthentication::Post { client_id, client_secret }) => {
                (client_id.as_str(), Some(client_secret.clone()))
            }
            Some(ClientAuthentication::Basic { client_id, authorization }) => {
                (client_id.as_str(), Some(basic_secret(authorization.expose_secret().as_bytes())?))
            }
            Some(ClientAuthentication::Assertion { .. }) => {
                let why = "a client of this service authenticates with its secret";
                return Err(OAuthError::new(ErrorCode::InvalidClient, why));
            }
        };
        Ok(Self { client_id: client_id.to_owned(), secret })
    }
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthentication")
            .field("method", &self.method())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}

fn refuse(why: &str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, why)
}

fn malformed() -> OAuthError {
    refuse("the Basic credentials are malformed")
}

/// Client and secret, joined by the colon at the place that is told. Both are form-encoded before that (RFC 6749 section 2.3.1).
fn basic_parts(header: &[u8]) -> Result<(Zeroizing<Vec<u8>>, usize), OAuthError> {
    const SCHEME: &[u8] = b"basic ";
    let encoded = match header.split_at_checked(SCHEME.len()) {
        Some((scheme, encoded)) if scheme.eq_ignore_ascii_case(SCHEME) => encoded,
        _ => return Err(refuse("a client authenticates here by Basic, in the form, or by client_assertion")),
    };
    let decoded = Zeroizing::new(BASE64.decode(encoded).map_err(|_| malformed())?);
    let colon = decoded.iter().position(|&byte| byte == b':').ok_or_else(malformed)?;
    Ok((decoded, colon))
}

fn basic_secret(header: &[u8]) -> Result<SecretString, OAuthError> {
    let (decoded, colon) = basic_parts(header)?;
    let secret = decode(&decoded[colon + 1..]).ok_or_else(malformed)?;
    Ok(SecretString::from(secret.as_str()))
}

fn basic(header: &[u8], named: Option<&str>) -> Result<ClientAuthentication, OAuthError> {
    let (decoded, colon) = basic_parts(header)?;
    let client_id = decode(&decoded[..colon]).filter(|id| !id.is_empty()).ok_or_else(malformed)?;
    if named.is_some_and(|named| *named != **client_id) {
        return Err(OAuthError::request("client_id differs from the client of the Authorization header"));
    }
    let header = std::str::from_utf8(header).map_err(|_| malformed())?;
    Ok(ClientAuthentication::Basic {
        client_id: client_id.as_str().to_owned(),
        authorization: SecretString::from(header),
    })
}
