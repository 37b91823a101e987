//! `login`.

use jiff::Timestamp;
use serde_json::json;

use crate::app::{App, Chosen};
use crate::cli;
use crate::error::{Error, Result};
use crate::output::{moment, rough, shown_scopes, warn};
use crate::provider::{Browser, Metadata, by_browser, by_device, who};
use crate::resource::Resource;
use crate::store::{Kept, Place, Provider, Session, TOKEN_FILE, Tokens};

pub(super) async fn run(app: &App, arguments: &cli::Login) -> Result<()> {
    let chosen = app.chosen()?;
    let (name, provider) = chosen.context.provider(arguments.provider.as_deref())?;
    let http = app.to_provider(&chosen.context, name);
    let metadata = Metadata::discover(&http, &provider.issuer).await?;
    let scopes = wanted(app, &chosen, provider, &arguments.scopes).await?;
    // Found out now, not after the login.
    let lock = app.home.lock().await?;
    app.home.sessions()?;
    drop(lock);
    let vault = app.home.vault()?;
    let place = vault.place().await?;
    let (client_id, limit) = (&provider.client_id, arguments.timeout);
    let (grant, nonce) = if arguments.device {
        (by_device(&http, &metadata, client_id, &scopes, limit, app.ui).await?, None)
    } else {
        let browser = if arguments.no_browser { Browser::Show } else { Browser::Open };
        let (grant, nonce) = by_browser(&http, &metadata, client_id, &scopes, browser, limit, app.ui).await?;
        (grant, Some(nonce))
    };
    let user = who(&grant, &provider.issuer, client_id, nonce.as_deref())?;
    let tokens = Tokens { access_token: grant.access_token, refresh_token: grant.refresh_token };
    let mut session = Session {
        url: chosen.context.url.clone(),
        provider: name.to_owned(),
        issuer: provider.issuer.clone(),
        client_id: client_id.clone(),
        user,
        kept: Kept::File(tokens),
        scopes: grant.scopes.unwrap_or(scopes),
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
    };
    let lock = app.home.lock().await?;
    let former = app.home.sessions()?.sessions.remove(&chosen.name);
    vault.settle(&chosen.name, &mut session, place).await?;
    lock.write_session(&chosen.name, session.clone())?;
    // In the keyring, the new tokens took the place of the former ones.
    if let Some(former) = former.filter(|_| session.kept.place() == Place::File)
        && let Err(error) = vault.forget(&chosen.name, &former).await
    {
        warn(&format!("the former tokens are not removed: {}", error.what));
    }
    drop(lock);
    report(app, &chosen, &session)
}

/// The scopes to ask for: those of the command, of the context, or those that the proxy names.
async fn wanted(app: &App, chosen: &Chosen, provider: &Provider, given: &[String]) -> Result<Vec<String>> {
    let given: Vec<String> = given.iter().filter(|scope| !scope.is_empty()).cloned().collect();
    let mut scopes = if !given.is_empty() {
        given
    } else if !provider.scopes.is_empty() {
        provider.scopes.clone()
    } else {
        let found = Resource::discover(&app.to_proxy(&chosen.context), &chosen.context.url).await;
        let found = found.map_err(|error| Error {
            cure: Some("say which scopes you want with --scopes".to_owned()),
            ..error
        })?;
        found.scopes_supported
    };
    // It asks for the ID token, from which is known who logged in.
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    Ok(scopes)
}

fn report(app: &App, chosen: &Chosen, session: &Session) -> Result<()> {
    let now = Timestamp::now();
    let expires =
        session.remaining(now).map(|left| format!(" (expires in {})", rough(left))).unwrap_or_default();
    let (shown, stored_in) = match session.kept.place() {
        Place::File => (format!("~/.opensearch/{TOKEN_FILE}"), json!(app.home.path(TOKEN_FILE))),
        Place::Keyring => ("the system keyring".to_owned(), json!("keyring")),
    };
    let text = format!(
        "✅ Authenticated as {}\nToken stored in {shown}{expires}\nScopes: {}",
        session.user,
        shown_scopes(&session.scopes)
    );
    let value = json!({
        "context": chosen.name,
        "provider": session.provider,
        "user": session.user,
        "scopes": session.scopes,
        "expires_at": session.expires_at.map(moment),
        "refreshable": session.kept.is_refreshable(),
        "stored_in": stored_in,
    });
    app.ui.result(&value, &text)
}
