//! `review-tokens`.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::{members, service, view};
use crate::app::App;
use crate::cli::tokens::Filter;
use crate::error::{Result, printable};
use crate::token_service::body;

pub(in crate::commands) async fn review(app: &App, filter: &Filter) -> Result<()> {
    let (service, bearer) = service(app).await?;
    let query = members(filter, Timestamp::now());
    let answer: Value = body(&service.get("/oauth/review", &query, &bearer).await?)?;
    let mut text = String::new();
    for finding in answer["findings"].as_array().into_iter().flatten() {
        let token = &finding["token"];
        let plain = |name: &str| token[name].as_str().map(printable).unwrap_or_default();
        let _ = writeln!(text, "{}  {}  {}", plain("token_id"), view::party(&token["owner"]), plain("name"));
        for reason in finding["reasons"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "  {}", told(reason));
        }
    }
    if text.is_empty() {
        text.push_str("✅ No token needs a second look");
    }
    app.ui.result(&answer, &text)
}

fn told(reason: &Value) -> String {
    let plain = |name: &str| reason[name].as_str().map(printable).unwrap_or_default();
    match reason["reason"].as_str().unwrap_or_default() {
        "unused" => format!("not used since {}", plain("since")),
        "over_broad" => format!("broad: {}", plain("scope")),
        "long_lived" => format!("lives until {}", plain("expires_at")),
        "never_expiring" => format!("made anew again and again since {}", plain("since")),
        other => printable(other),
    }
}
