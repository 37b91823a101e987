//! The client of the provider's token endpoint, and what it is granted.

use bytes::Bytes;
use http::{HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ErrorResponse, ExtraTokenFields,
    HttpRequest, HttpResponse, RefreshToken, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::confidential_client::{ConfidentialClient, Proof};
use crate::error::{Error, Result, printable};
use crate::net::Http;
use crate::secret::Secret;

/// What OpenID Connect adds to the answer of the token endpoint.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct IdTokenField {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<Secret>,
}

impl ExtraTokenFields for IdTokenField {}

pub(super) type Answer = StandardTokenResponse<IdTokenField, BasicTokenType>;

pub(super) type Client<Auth = EndpointNotSet, Device = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Auth,
    Device,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A public client (RFC 8252 section 8.4) that knows the token endpoint.
pub(super) fn client(metadata: &Metadata, client_id: &str) -> Result<Client> {
    let token_url = TokenUrl::new(metadata.token_endpoint.clone())
        .map_err(|_| Error::outside("the provider's token endpoint is no URL"))?;
    Ok(oauth2::Client::new(ClientId::new(client_id.to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(token_url))
}

/// What a provider granted.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    /// `None`: as asked (RFC 6749 section 5.1).
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Grant {
    pub(super) fn new(answer: &Answer, issued_at: Timestamp) -> Result<Self> {
        let access_token = answer.access_token().secret();
        // It is to become part of a header.
        if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::outside(
                "the provider issued an access token that is no bearer token (RFC 6750)",
            ));
        }
        let expires_at = answer.expires_in().and_then(|life| {
            let life = SignedDuration::try_from(life).ok()?;
            issued_at.checked_add(life).ok()
        });
        Ok(Self {
            access_token: Secret::new(access_token.clone()),
            refresh_token: answer.refresh_token().map(|token| Secret::new(token.secret().clone())),
            id_token: answer.extra_fields().id_token.clone(),
            scopes: answer.scopes().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
            issued_at,
            expires_at,
        })
    }
}

/// The provider's endpoints as the library calls them.
pub(super) async fn call(http: &Http, request: HttpRequest) -> Result<HttpResponse> {
    let response = http.send(request.map(Bytes::from)).await?;
    let mut answer = HttpResponse::new(response.body.to_vec());
    *answer.status_mut() = response.status;
    if let Some(media_type) = response.headers.get(header::CONTENT_TYPE) {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::clone(media_type));
    }
    Ok(answer)
}

/// What the token endpoint's failure means.
pub(super) fn failed<T: ErrorResponse + 'static>(error: RequestTokenError<Error, T>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => {
            Error::refused(format!("the provider refused: {}", printable(&answer.to_string())))
        }
        // The body may hold tokens.
        RequestTokenError::Parse(..) => {
            Error::outside("the provider's token endpoint did not answer as RFC 6749 has it")
        }
        RequestTokenError::Other(what) => {
            Error::outside(format!("the provider's answer: {}", printable(&what)))
        }
    }
}

/// Gets a token for a client itself (RFC 6749 section 4.4).
pub(crate) async fn by_client_credentials(
    http: &Http,
    metadata: &Metadata,
    confidential: &ConfidentialClient,
) -> Result<Grant> {
    let mut client = client(metadata, &confidential.id)?;
    let mut assertion = None;
    match &confidential.proof {
        Proof::Secret(secret) => {
            client = client
                .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
                .set_auth_type(AuthType::BasicAuth);
        }
        Proof::Key(key) => assertion = Some(key.assert(&confidential.id, &metadata.issuer)?),
    }
    let mut request = client.exchange_client_credentials();
    for (name, value) in assertion.into_iter().flatten() {
        request = request.add_extra_param(name, value);
    }
    let send = |request| call(http, request);
    let issued_at = Timestamp::now();
    let answer = request.request_async(&send).await.map_err(failed)?;
    Grant::new(&answer, issued_at)
}

/// Gets the next access token for a refresh token. Login is needed when the provider does not take that any more.
pub(crate) async fn refresh(
    http: &Http,
    metadata: &Metadata,
    client_id: &str,
    token: &Secret,
) -> Result<Grant> {
    let client = client(metadata, client_id)?;
    let token = RefreshToken::new(token.expose().to_owned());
    let send = |request| call(http, request);
    let issued_at = Timestamp::now();
    match client.exchange_refresh_token(&token).request_async(&send).await {
        Ok(answer) => Grant::new(&answer, issued_at),
        Err(RequestTokenError::ServerResponse(answer))
            if matches!(answer.error(), BasicErrorResponseType::InvalidGrant) =>
        {
            Err(Error::login_needed(format!("the login has ended: {}", printable(&answer.to_string()))))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Revokes a token at the provider (RFC 7009); `false` when that has no endpoint for it.
pub(crate) async fn revoke(
    http: &Http,
    metadata: &Metadata,
    client_id: &str,
    token: &Secret,
    hint: &str,
) -> Result<bool> {
    let Some(endpoint) = &metadata.revocation_endpoint else {
        return Ok(false);
    };
    let url = endpoint.parse().map_err(|_| Error::outside("the provider's revocation endpoint is no URL"))?;
    let fields = [("token", token.expose()), ("token_type_hint", hint), ("client_id", client_id)];
    let response = http.post_form(&url, &fields).await?;
    if response.status.is_success() {
        return Ok(true);
    }
    let status = response.status.as_u16();
    Err(Error::outside(format!("{} is answered with status {status}", response.url())))
}
