//! Login without a browser on this machine: the device authorization grant (RFC 8628).

use std::time::Duration;

use jiff::Timestamp;
use oauth2::{
    DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointSet, PkceCodeChallenge, RequestTokenError,
    Scope, StandardDeviceAuthorizationResponse,
};

use super::client::{Client, call, client, failed};
use super::{Grant, Metadata};
use crate::error::{Error, Result, printable};
use crate::net::Http;
use crate::output::{Ui, waiting};

/// Shows a code to enter elsewhere, and waits until that was done.
pub(crate) async fn by_device(
    http: &Http,
    metadata: &Metadata,
    client_id: &str,
    scopes: &[String],
    limit: Duration,
    ui: Ui,
) -> Result<Grant> {
    let endpoint = metadata.device_authorization_endpoint.clone().ok_or_else(|| {
        Error::refused(format!("{} has no device login", printable(&metadata.issuer)))
            .cure("log in without --device, or with --no-browser to open the address yourself")
    })?;
    let endpoint = DeviceAuthorizationUrl::new(endpoint)
        .map_err(|_| Error::outside("the provider's device authorization endpoint is no URL"))?;
    let client: Client<_, EndpointSet> = client(metadata, client_id)?.set_device_authorization_url(endpoint);
    let send = |request| call(http, request);
    // RFC 7636 is about codes that travel through a browser; some providers want it here too, of clients that must use
    // it there, and the others pass over it.
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let asked = client
        .exchange_device_code()
        .add_scopes(scopes.iter().cloned().map(Scope::new))
        .add_extra_param("code_challenge", challenge.as_str().to_owned())
        .add_extra_param("code_challenge_method", challenge.method().as_str().to_owned());
    let details: StandardDeviceAuthorizationResponse = asked.request_async(&send).await.map_err(failed)?;
    ui.say(&instructions(&details))?;
    let sign = waiting("waiting for the login".to_owned());
    let answer = client
        .exchange_device_access_token(&details)
        .add_extra_param("code_verifier", verifier.into_secret())
        .request_async(&send, tokio::time::sleep, Some(limit))
        .await
        .map_err(|error| match &error {
            RequestTokenError::ServerResponse(answer) => match answer.error() {
                DeviceCodeErrorResponseType::ExpiredToken => {
                    Error::login_needed("nobody entered the code in time").cure("run the command again")
                }
                DeviceCodeErrorResponseType::AccessDenied => Error::refused("the login was declined"),
                _ => failed(error),
            },
            _ => failed(error),
        })?;
    drop(sign);
    Grant::new(&answer, Timestamp::now())
}

fn instructions(details: &StandardDeviceAuthorizationResponse) -> String {
    let address = printable(details.verification_uri().as_str());
    let code = printable(details.user_code().secret());
    let mut text = format!("🌐 Open {address} on any device and enter the code {code}");
    if let Some(complete) = details.verification_uri_complete() {
        text.push_str("\n   or open ");
        text.push_str(&printable(complete.secret()));
    }
    text
}
