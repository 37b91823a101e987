//! `logout`.

use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::net::Http;
use crate::output::{moment, warn};
use crate::provider::{Metadata, revoke};
use crate::store::{Session, Tokens};

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
    let vault = app.home.vault()?;
    let mut ended = Vec::new();
    let (mut failure, mut left) = (None, None);
    for name in names {
        let Some(session) = sessions.sessions.remove(&name) else {
            continue;
        };
        let tokens = vault.tokens(&name, &session).await;
        // Forgotten here whatever the keyring and the provider say.
        lock.write_sessions(&sessions)?;
        if let Err(error) = vault.forget(&name, &session).await {
            left.get_or_insert(error);
        }
        let provider =
            config.contexts.get(&name).and_then(|context| context.providers.get(&session.provider));
        let http = Http::new(&app.proxies, provider.and_then(|provider| provider.ca.as_deref()));
        let fate = match tokens {
            Ok(tokens) => end(&http, &session, &tokens).await,
            Err(error) => Fate::Unknown(error),
        };
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
    if let Some(error) = left {
        return Err(Error {
            what: format!("logged out here, but the tokens are left: {}", error.what),
            ..error
        });
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

async fn end(http: &Http, session: &Session, tokens: &Tokens) -> Fate {
    let revoked = async {
        let metadata = Metadata::discover(http, &session.issuer).await?;
        let mut told = false;
        if let Some(token) = &tokens.refresh_token {
            told = revoke(http, &metadata, &session.client_id, token, "refresh_token").await?;
        }
        Ok(revoke(http, &metadata, &session.client_id, &tokens.access_token, "access_token").await? || told)
    };
    match revoked.await {
        Ok(true) => Fate::Revoked,
        Ok(false) => Fate::Kept,
        Err(error) => Fate::Unknown(error),
    }
}
