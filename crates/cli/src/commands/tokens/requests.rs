//! `requests`.

use serde_json::{Value, json};

use super::list::{all, told};
use super::service;
use crate::app::App;
use crate::cli::tokens::{Decision, Requests};
use crate::error::{Result, printable};
use crate::token_service::body;

/// More requests than anybody decides at once.
const MOST: usize = 1000;

pub(in crate::commands) async fn requests(app: &App, command: &Requests) -> Result<()> {
    match command {
        Requests::List => {
            let (service, bearer) = service(app).await?;
            let (tokens, more) = all(&service, "/oauth/requests", &[], MOST, &bearer).await?;
            told(app, &tokens, more, "No token waits for approval")
        }
        Requests::Approve(decision) => decide(app, decision, "/approve", "approved").await,
        Requests::Deny(decision) => decide(app, decision, "/deny", "denied").await,
    }
}

async fn decide(app: &App, decision: &Decision, way: &str, done: &str) -> Result<()> {
    let (service, bearer) = service(app).await?;
    let url = service.at_id("/oauth/requests/", &decision.token_id, way)?;
    let request = decision.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let token: Value = body(&service.post(&url, &request, &bearer).await?)?;
    app.ui.result(&token, &format!("✅ Token {done}: {}", printable(&decision.token_id)))
}
