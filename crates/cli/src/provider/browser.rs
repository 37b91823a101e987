//! Login by the browser: the code flow with PKCE and a loopback redirect (RFC 6749, RFC 7636, RFC 8252).

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use oauth2::{AuthUrl, AuthorizationCode, CsrfToken, EndpointSet, PkceCodeChallenge, RedirectUrl, Scope};
use tokio::sync::oneshot;

use super::client::{Client, call, client, failed};
use super::loopback::{Expected, Loopback};
use super::{Grant, Metadata};
use crate::error::{Error, Result, printable};
use crate::net::Http;
use crate::output::{Ui, waiting};

/// Who opens the address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Browser {
    /// This program.
    Open,
    /// The user, who is shown it.
    Show,
}

/// Sends the browser to the provider and waits for it to come back. The grant comes with the nonce that its ID token
/// must hold.
pub(crate) async fn by_browser(
    http: &Http,
    metadata: &Metadata,
    client_id: &str,
    scopes: &[String],
    browser: Browser,
    limit: Duration,
    ui: Ui,
) -> Result<(Grant, String)> {
    let endpoint = metadata.authorization_endpoint.clone().ok_or_else(|| {
        Error::refused(format!("{} has no login by browser", printable(&metadata.issuer)))
            .cure("try --device")
    })?;
    let endpoint = AuthUrl::new(endpoint)
        .map_err(|_| Error::outside("the provider's authorization endpoint is no URL"))?;
    let loopback = Loopback::bind().await?;
    let redirect = RedirectUrl::new(loopback.redirect().to_owned())
        .map_err(|_| Error::outside("the loopback address is no URL"))?;
    let client: Client<EndpointSet> =
        client(metadata, client_id)?.set_auth_uri(endpoint).set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random().into_secret();
    let (address, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(scopes.iter().cloned().map(Scope::new))
        .add_extra_param("nonce", nonce.clone())
        .set_pkce_challenge(challenge)
        .url();
    let expected = Expected {
        state: state.into_secret(),
        issuer: metadata.issuer.clone(),
        issuer_required: metadata.authorization_response_iss_parameter_supported,
    };
    let code = tokio::time::timeout(limit, async {
        tokio::select! {
            code = loopback.code(expected) => code,
            Err(error) = show(address.as_str(), browser, ui) => Err(error),
        }
    });
    let code = code.await.map_err(|_| {
        Error::login_needed("the browser did not come back in time")
            .cure("run the command again; where no browser can reach this machine, add --device")
    })??;
    let send = |request| call(http, request);
    let exchange = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
    let issued_at = Timestamp::now();
    let answer = exchange.request_async(&send).await.map_err(failed)?;
    Ok((Grant::new(&answer, issued_at)?, nonce))
}

/// Gets the address opened, and then waits without end unless the terminal is gone.
async fn show(address: &str, browser: Browser, ui: Ui) -> Result<Infallible> {
    if browser == Browser::Show {
        ui.say(&format!("🌐 Open this address in a browser on this machine:\n   {address}"))?;
    } else {
        ui.say("🌐 Opening browser for authentication...")?;
        if !opened(address.to_owned()).await {
            ui.say(&format!("   No browser could be opened. Open this address yourself:\n   {address}"))?;
        }
    }
    // A browser can be started and show nothing, as on a machine without a screen.
    let _sign =
        waiting("waiting for the browser; if none opened, press Ctrl-C and add --no-browser".to_owned());
    std::future::pending().await
}

/// Whether a browser took the address. Some return only when they are closed, so this has a thread of its own.
async fn opened(address: String) -> bool {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let open = webbrowser::Browser::is_available() && webbrowser::open(&address).is_ok();
        // Nobody listens any more once the login has come back.
        let _ = tell.send(open);
    });
    told.await.unwrap_or(false)
}
