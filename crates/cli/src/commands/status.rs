//! `status`.

use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::output::{moment, rough, shown_scopes};

pub(super) fn run(app: &App) -> Result<()> {
    let chosen = app.chosen()?;
    let session = app.session(&chosen)?;
    let now = Timestamp::now();
    let renewable = session.refresh_token.is_some();
    let expired = session.has_expired(now);
    if expired && !renewable {
        return Err(Error::login_needed(format!("the login of {} has expired", session.user)));
    }
    let expires = match session.remaining(now) {
        None => "unknown".to_owned(),
        Some(_) if expired => "renewed at its next use".to_owned(),
        Some(left) => format!("{} remaining", rough(left)),
    };
    let text = format!(
        "✅ Authenticated as {}\nProvider: {} | Expires: {expires}\nScopes: {}",
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
    });
    app.ui.result(&value, &text)
}
