//! `logout`.

use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::net::Http;
use crate::output::{moment, warn};
use crate::provider::{Metadata, revoke};
use crate::store::Session;

/// What became of a login's tokens at the provider.
enum Fate {
    Revoked,
    /// The provider has no endpoint for it.
    Kept,
    /// It could not be told.
    Unknown(Error),
}

pub(super) async fn run(app: &App, all: bool) -> Result<()> {
    let config = app.config()?;
    let lock = app.home.lock().await?;
    let mut sessions = app.home.sessions()?;
    let names = if all { sessions.sessions.keys().cloned().collect() } else { vec![app.chosen()?.name] };
    let mut ended = Vec::new();
    let mut failure = None;
    for name in names {
        let Some(session) = sessions.sessions.remove(&name) else {
            continue;
        };
        // Forgotten here whatever the provider says.
        lock.write_sessions(&sessions)?;
        let provider =
            config.contexts.get(&name).and_then(|context| context.providers.get(&session.provider));
        let http = Http::new(&app.proxies, provider.and_then(|provider| provider.ca.as_deref()));
        let fate = end(&http, &session).await;
        let end = session.expires_at.map_or_else(|| "they end".to_owned(), moment);
        let revoked = match fate {
            Fate::Revoked => true,
            Fate::Kept => {
                warn(&format!(
                    "{} cannot revoke tokens; the access token counts until {end}",
                    session.provider
                ));
                false
            }
            Fate::Unknown(error) => {
                failure = Some(error);
                false
            }
        };
        ended.push(json!({"context": name, "user": session.user, "revoked": revoked}));
    }
    if let Some(error) = failure {
        return Err(Error {
            what: format!("logged out here, but the provider was not told: {}", error.what),
            cure: Some("the tokens count until they end; revoke the session at the provider".to_owned()),
            ..error
        });
    }
    let text = if ended.is_empty() { "Nobody was logged in" } else { "✅ Logged out" };
    app.ui.result(&json!({ "logged_out": ended }), text)
}

async fn end(http: &Http, session: &Session) -> Fate {
    let revoked = async {
        let metadata = Metadata::discover(http, &session.issuer).await?;
        let mut told = false;
        if let Some(token) = &session.refresh_token {
            told = revoke(http, &metadata, &session.client_id, token, "refresh_token").await?;
        }
        Ok(revoke(http, &metadata, &session.client_id, &session.access_token, "access_token").await? || told)
    };
    match revoked.await {
        Ok(true) => Fate::Revoked,
        Ok(false) => Fate::Kept,
        Err(error) => Fate::Unknown(error),
    }
}
