//! `revoke-token`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{as_json, members, service_for, view};
use crate::app::{App, Bearer};
use crate::cli::tokens::RevokeToken;
use crate::error::{Error, Result};
use crate::output::confirm;
use crate::token_service::{TokenService, body};

const REVOKE: &str = "/oauth/tokens/revoke";
/// How many a preview shows.
const SHOWN: usize = 10;

#[derive(Debug, Deserialize)]
struct Answer {
    matched: usize,
    revoked: usize,
    #[serde(default)]
    token_ids: Vec<String>,
}

pub(in crate::commands) async fn revoke(app: &App, arguments: &RevokeToken) -> Result<()> {
    let now = Timestamp::now();
    let filter = members(&arguments.filter, now);
    let ways = [!arguments.token_ids.is_empty(), !filter.is_empty(), arguments.all];
    if ways.iter().filter(|given| **given).count() != 1 {
        return Err(Error::usage("say which tokens: with --token-id, with filters, or with --all"));
    }
    let (service, bearer) = service_for(app, &arguments.acting).await?;
    if arguments.token_ids.is_empty() {
        let mut body = as_json(&filter);
        if arguments.all {
            body.insert("all".to_owned(), Value::from(true));
        }
        if let Some(reason) = &arguments.reason {
            body.insert("reason".to_owned(), Value::from(reason.as_str()));
        }
        return many(app, &service, &bearer, arguments, &Value::Object(body)).await;
    }
    let urls: Result<Vec<_>> =
        arguments.token_ids.iter().map(|id| service.at_id("/oauth/token/", id, "")).collect();
    for url in urls? {
        service.delete(url, arguments.reason.as_deref(), &bearer).await?;
    }
    let text = match arguments.token_ids.len() {
        1 => "✅ Token revoked".to_owned(),
        number => format!("✅ {number} tokens revoked"),
    };
    app.ui.result(&json!({"revoked": arguments.token_ids}), &text)
}

async fn many(
    app: &App,
    service: &TokenService,
    bearer: &Bearer,
    arguments: &RevokeToken,
    filter: &Value,
) -> Result<()> {
    let with = |dry_run: bool| {
        let mut request = filter.clone();
        request["dry_run"] = Value::from(dry_run);
        request
    };
    let preview: Answer = body(&service.post_to(REVOKE, &with(true), bearer).await?)?;
    if preview.matched == 0 {
        return app.ui.result(&json!({"matched": 0, "revoked": 0}), "There are no such tokens");
    }
    if arguments.dry_run || !arguments.yes {
        let shown = shown(service, bearer, &preview).await?;
        if arguments.dry_run {
            let value = json!({"matched": preview.matched, "revoked": 0, "token_ids": preview.token_ids});
            return app.ui.result(&value, &format!("{shown}{} would be revoked", counted(preview.matched)));
        }
        app.ui.say(shown.trim_end())?;
        match confirm(&format!("Revoke {}?", counted(preview.matched)))? {
            Some(true) => {}
            Some(false) => return Err(Error::refused("nothing was revoked")),
            None => {
                return Err(Error::usage("nobody can be asked here, so nothing was revoked")
                    .cure("add --yes if these are the ones, or --dry-run to look only"));
            }
        }
    }
    let done: Answer = body(&service.post_to(REVOKE, &with(false), bearer).await?)?;
    let value = json!({"matched": done.matched, "revoked": done.revoked, "token_ids": done.token_ids});
    app.ui.result(&value, &format!("✅ {} revoked", counted(done.revoked)))
}

fn counted(number: usize) -> String {
    if number == 1 { "1 token".to_owned() } else { format!("{number} tokens") }
}

/// The first of the tokens that a filter means.
async fn shown(service: &TokenService, bearer: &Bearer, preview: &Answer) -> Result<String> {
    let mut tokens: Vec<Value> = Vec::new();
    for id in preview.token_ids.iter().take(SHOWN) {
        tokens.push(body(&service.get_at(&service.at_id("/oauth/token/", id, "")?, bearer).await?)?);
    }
    let mut text = view::table(&tokens, Timestamp::now());
    if preview.matched > tokens.len() {
        let _ = writeln!(text, "… and {} more", preview.matched - tokens.len());
    }
    Ok(text)
}
