//! `consents`: what people allow clients.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{service, view};
use crate::app::App;
use crate::cli::tokens::Consents;
use crate::error::{Result, printable};
use crate::token_service::body;

const PATH: &str = "/oauth/consents";

pub(in crate::commands) async fn consents(app: &App, command: &Consents) -> Result<()> {
    let (service, bearer) = service(app).await?;
    match command {
        Consents::List => {
            let answer: Value = body(&service.get(PATH, &[], &bearer).await?)?;
            let mut text = String::new();
            for consent in answer["consents"].as_array().into_iter().flatten() {
                let _ = writeln!(text, "{}", line(consent));
            }
            if text.is_empty() {
                text.push_str("Nobody was allowed anything");
            }
            app.ui.result(&answer, &text)
        }
        Consents::Withdraw { consent_id } => {
            service.delete(service.at_id(&format!("{PATH}/"), consent_id, "")?, None, &bearer).await?;
            let text = "✅ Consent withdrawn, and the tokens under it are revoked";
            app.ui.result(&json!({ "withdrawn": consent_id }), text)
        }
    }
}

fn line(consent: &Value) -> String {
    let plain = |name: &str| consent[name].as_str().map(printable).unwrap_or_default();
    let mut text = format!(
        "{}  {}  {}  for {}, since {}",
        plain("consent_id"),
        plain("client_id"),
        view::list(&consent["scopes"]),
        view::party(&consent["person"]),
        plain("given_at")
    );
    let withdrawn = &consent["withdrawn"];
    if withdrawn.is_object() {
        let at = withdrawn["at"].as_str().map(printable).unwrap_or_default();
        let _ = write!(text, "  withdrawn {at} by {}", view::party(&withdrawn["by"]));
    }
    text
}
