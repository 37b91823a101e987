//! The commands about tokens that the proxy issues itself.

mod consents;
mod create;
mod list;
mod requests;
mod review;
mod revocations;
mod revoke;
mod rotate;
mod view;

pub(super) use consents::consents;
pub(super) use create::create;
pub(super) use list::{list, show};
pub(super) use requests::requests;
pub(super) use review::review;
pub(super) use revocations::revocations;
pub(super) use revoke::revoke;
pub(super) use rotate::rotate;
pub(super) use view::party;

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::app::{App, Bearer};
use crate::cli::tokens::{Acting, Filter};
use crate::confidential_client::ConfidentialClient;
use crate::error::Result;
use crate::output::{moment, shown_scopes};
use crate::provider::{Metadata, by_client_credentials};
use crate::store::PrivateFile;
use crate::token_service::{Issued, TokenService};

/// The token service of the chosen context, and a token to show to it.
pub(super) async fn service(app: &App) -> Result<(TokenService, Bearer)> {
    let chosen = app.chosen()?;
    let bearer = app.bearer(&chosen).await?;
    Ok((TokenService::of(app, &chosen), bearer))
}

/// As [`service`], or with a token that a client of the provider gets for itself.
async fn service_for(app: &App, acting: &Acting) -> Result<(TokenService, Bearer)> {
    let Some(id) = &acting.as_client else {
        return service(app).await;
    };
    let chosen = app.chosen()?;
    let client = ConfidentialClient::read(id, &acting.proof)?;
    let (name, provider) = chosen.context.provider(acting.proof.provider.as_deref())?;
    let http = app.to_provider(&chosen.context, name);
    let metadata = Metadata::discover(&http, &provider.issuer).await?;
    let grant = by_client_credentials(&http, &metadata, &client).await?;
    let bearer = Bearer { token: grant.access_token, expires_at: grant.expires_at, of_client: true };
    Ok((TokenService::of(app, &chosen), bearer))
}

/// What the service calls the members of a filter, with their values.
fn members(filter: &Filter, now: Timestamp) -> Vec<(&'static str, String)> {
    let status = filter.status.map(|status| format!("{status:?}").to_ascii_lowercase());
    let before = filter.expires_before.map(|when| moment(when.ahead_of(now)));
    let since = filter.unused_since.map(|when| moment(when.back_from(now)));
    [
        ("client_id", filter.client_id.clone()),
        ("owner", filter.owner.clone()),
        ("user", filter.user.clone()),
        ("scope", filter.scope.clone()),
        ("cluster", filter.cluster.clone()),
        ("status", status),
        ("created_by", filter.created_by.clone()),
        ("expires_before", before),
        ("unused_since", since),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// The members as JSON.
fn as_json(members: &[(&str, String)]) -> Map<String, Value> {
    members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
}

/// Hands an issued token over: into the file, or else on the screen, once.
fn deliver(app: &App, issued: &Issued, file: Option<PrivateFile>, first: &str) -> Result<()> {
    let now = Timestamp::now();
    let expires_at = issued.expires_in.map(|seconds| {
        now.saturating_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
    });
    let expires_at = expires_at.and_then(std::result::Result::ok).map(moment);
    let scopes: Vec<String> = issued.scope.split_whitespace().map(str::to_owned).collect();
    let pending = issued.status.as_deref() == Some("pending");
    let saved = file.as_ref().map(|file| file.path().to_owned());
    let mut value = json!({
        "token_id": issued.token_id,
        "expires_at": expires_at,
        "scopes": scopes,
        "status": issued.status.as_deref().unwrap_or("active"),
    });
    let mut text = match (&expires_at, pending) {
        (_, true) => format!("⏳ {first} (waits for approval)"),
        (Some(end), false) => format!("✅ {first} (expires {end})"),
        (None, false) => format!("✅ {first}"),
    };
    if let Some(path) = &saved {
        let _ = write!(text, "\nToken stored in {}", path.display());
        value["saved_in"] = json!(path);
    } else {
        value["access_token"] = json!(issued.access_token.expose());
        let _ = write!(
            text,
            "\nScopes: {}\nToken: {}\nThis is the only time that it is shown",
            shown_scopes(&scopes),
            issued.access_token.expose()
        );
    }
    if let Some(file) = file {
        file.finish(&format!("{}\n", issued.access_token.expose()))?;
    }
    app.ui.result(&value, &text)
}
