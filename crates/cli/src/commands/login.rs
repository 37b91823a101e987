//! `login`.

use jiff::Timestamp;
use serde_json::json;

use crate::app::{App, Chosen};
use crate::cli;
use crate::error::{Error, Result};
use crate::output::{moment, rough, shown_scopes};
use crate::provider::{Browser, Metadata, by_browser, by_device, who};
use crate::resource::Resource;
use crate::store::{Provider, Session, TOKEN_FILE};

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
    let (client_id, limit) = (&provider.client_id, arguments.timeout);
    let (grant, nonce) = if arguments.device {
        (by_device(&http, &metadata, client_id, &scopes, limit, app.ui).await?, None)
    } else {
        let browser = if arguments.no_browser { Browser::Show } else { Browser::Open };
        let (grant, nonce) = by_browser(&http, &metadata, client_id, &scopes, browser, limit, app.ui).await?;
        (grant, Some(nonce))
    };
    let user = who(&grant, &provider.issuer, client_id, nonce.as_deref())?;
    let session = Session {
        url: chosen.context.url.clone(),
        provider: name.to_owned(),
        issuer: provider.issuer.clone(),
        client_id: client_id.clone(),
        user,
        access_token: grant.access_token,
        refresh_token: grant.refresh_token,
        scopes: grant.scopes.unwrap_or(scopes),
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
    };
    let lock = app.home.lock().await?;
    let mut sessions = app.home.sessions()?;
    sessions.sessions.insert(chosen.name.clone(), session.clone());
    lock.write_sessions(&sessions)?;
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
    let text = format!(
        "✅ Authenticated as {}\nToken stored in ~/.opensearch/{TOKEN_FILE}{expires}\nScopes: {}",
        session.user,
        shown_scopes(&session.scopes)
    );
    let value = json!({
        "context": chosen.name,
        "provider": session.provider,
        "user": session.user,
        "scopes": session.scopes,
        "expires_at": session.expires_at.map(moment),
        "refreshable": session.refresh_token.is_some(),
        "stored_in": app.home.path(TOKEN_FILE),
    });
    app.ui.result(&value, &text)
}
