//! `list-tokens` and `show-token`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{members, service_for, view};
use crate::app::{App, Bearer};
use crate::cli::tokens::{ListTokens, ShowToken, Sort};
use crate::error::Result;
use crate::output::waiting;
use crate::token_service::{TokenService, body};

/// How many one answer holds.
const PAGE: usize = 500;

#[derive(Debug, Deserialize)]
struct Page {
    tokens: Vec<Value>,
    next_cursor: Option<String>,
}

pub(in crate::commands) async fn list(app: &App, arguments: &ListTokens) -> Result<()> {
    let (service, bearer) = service_for(app, &arguments.acting).await?;
    let now = Timestamp::now();
    let order = match arguments.sort {
        Sort::CreatedAt => "created_at",
        Sort::ExpiresAt => "expires_at",
        Sort::LastUsed => "last_used",
        Sort::Name => "name",
    };
    let mut query = members(&arguments.filter, now);
    query.push(("sort", format!("{}{order}", if arguments.reverse { "-" } else { "" })));
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let (tokens, more) = all(&service, "/oauth/tokens", &query, limit, &bearer).await?;
    told(app, &tokens, more, "There are no such tokens")
}

/// Follows a list from page to page: the entries, and whether there are more than `limit`.
pub(super) async fn all(
    service: &TokenService,
    path: &str,
    query: &[(&str, String)],
    limit: usize,
    bearer: &Bearer,
) -> Result<(Vec<Value>, bool)> {
    let _sign = waiting("asking the proxy".to_owned());
    let mut tokens = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("limit", (limit - tokens.len()).min(PAGE).to_string()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Page = body(&service.get(path, &query, bearer).await?)?;
        let empty = page.tokens.is_empty();
        tokens.extend(page.tokens);
        tokens.truncate(limit);
        cursor = page.next_cursor;
        // An empty page that names a next one would lead on without end.
        if cursor.is_none() || empty || tokens.len() == limit {
            return Ok((tokens, cursor.is_some()));
        }
    }
}

/// Prints a list.
pub(super) fn told(app: &App, tokens: &[Value], more: bool, none: &str) -> Result<()> {
    let mut text = if tokens.is_empty() { none.to_owned() } else { view::table(tokens, Timestamp::now()) };
    if more {
        text.push_str("There are more; give a greater --limit, or a filter");
    }
    app.ui.result(&json!({"tokens": tokens, "more": more}), &text)
}

pub(in crate::commands) async fn show(app: &App, arguments: &ShowToken) -> Result<()> {
    let (service, bearer) = service_for(app, &arguments.acting).await?;
    let url = service.at_id("/oauth/token/", &arguments.token_id, "")?;
    let token: Value = body(&service.get_at(&url, &bearer).await?)?;
    app.ui.result(&token, &view::details(&token))
}
