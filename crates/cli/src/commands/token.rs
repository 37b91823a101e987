//! `token`.

use serde_json::json;

use crate::app::App;
use crate::error::Result;
use crate::output::moment;

pub(super) async fn run(app: &App, header: bool) -> Result<()> {
    let chosen = app.chosen()?;
    let bearer = app.bearer(&chosen).await?;
    let token = bearer.token.expose();
    let value = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_at": bearer.expires_at.map(moment),
    });
    let text = if header { format!("Authorization: Bearer {token}") } else { token.to_owned() };
    app.ui.result(&value, &text)
}
