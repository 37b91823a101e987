//! `revocations`: of tokens that the providers issued.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{as_json, service, view};
use crate::app::App;
use crate::cli::tokens::{Revocations, RevocationsAdd};
use crate::error::{Result, printable};
use crate::output::moment;
use crate::token_service::body;

const PATH: &str = "/oauth/revocations";

pub(in crate::commands) async fn revocations(app: &App, command: &Revocations) -> Result<()> {
    let (service, bearer) = service(app).await?;
    match command {
        Revocations::List => {
            let answer: Value = body(&service.get(PATH, &[], &bearer).await?)?;
            let mut text = String::new();
            for revocation in answer["revocations"].as_array().into_iter().flatten() {
                let _ = writeln!(text, "{}", line(revocation));
            }
            if text.is_empty() {
                text.push_str("Nothing was revoked");
            }
            app.ui.result(&answer, &text)
        }
        Revocations::Add(arguments) => {
            let asked = Value::Object(asked(arguments, Timestamp::now()));
            let added: Value = body(&service.post_to(PATH, &asked, &bearer).await?)?;
            app.ui.result(&added, &format!("✅ Revoked: {}", line(&added)))
        }
        Revocations::Withdraw { revocation_id } => {
            service.delete(service.at_id(&format!("{PATH}/"), revocation_id, "")?, None, &bearer).await?;
            app.ui.result(&json!({ "withdrawn": revocation_id }), "✅ Revocation withdrawn")
        }
    }
}

fn asked(arguments: &RevocationsAdd, now: Timestamp) -> Map<String, Value> {
    let members = [
        ("jti", arguments.jti.clone()),
        ("client_id", arguments.client_id.clone()),
        ("subject", arguments.subject.clone()),
        ("issuer", arguments.issuer.clone()),
        ("issued_before", arguments.issued_before.map(|when| moment(when.back_from(now)))),
        ("until", arguments.until.map(|when| moment(when.ahead_of(now)))),
        ("reason", arguments.reason.clone()),
    ];
    let given: Vec<_> = members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    as_json(&given)
}

fn line(revocation: &Value) -> String {
    let mut text = revocation["revocation_id"].as_str().map(printable).unwrap_or_default();
    for name in ["jti", "client_id", "subject", "issuer", "issued_before", "until"] {
        if let Some(value) = revocation[name].as_str() {
            let _ = write!(text, "  {} {}", name.replace('_', " "), printable(value));
        }
    }
    let decided = &revocation["decided"];
    let _ = write!(text, "  by {}", view::party(&decided["by"]));
    if let Some(reason) = decided["reason"].as_str() {
        let _ = write!(text, ": {}", printable(reason));
    }
    text
}
