//! `status`.

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::output::{moment, rough, shown_scopes};
use crate::store::{Place, TOKEN_FILE};

pub(super) fn run(app: &App) -> Result<()> {
    let chosen = app.chosen()?;
    let session = app.session(&chosen)?;
    let now = Timestamp::now();
    let renewable = session.kept.is_refreshable();
    let expired = session.has_expired(now);
    if expired && !renewable {
        return Err(Error::login_needed(format!("the login of {} has expired", session.user)));
    }
    let expires = match session.remaining(now) {
        None => "unknown".to_owned(),
        Some(_) if expired => "renewed at its next use".to_owned(),
        Some(left) => format!("{} remaining", rough(left)),
    };
    let (kept, stored_in) = match session.kept.place() {
        Place::File => ("", json!(app.home.path(TOKEN_FILE))),
        Place::Keyring => ("\nToken: in the system keyring", json!("keyring")),
    };
    let text = format!(
        "✅ Authenticated as {}\nProvider: {} | Expires: {expires}\nScopes: {}{kept}",
        session.user,
        session.provider,
        shown_scopes(&session.scopes)
    );
    let value = json!({
        "context": chosen.name,
        "url": chosen.context.url,
        "provider": session.provider,
        "issuer": session.issuer,
        "user": session.user,
        "scopes": session.scopes,
        "expires_at": session.expires_at.map(moment),
        "expired": expired,
        "refreshable": renewable,
        "stored_in": stored_in,
    });
    app.ui.result(&value, &text)
}
