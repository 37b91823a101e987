//! `policy-sets`: the sets of policies that a proxy keeps.

use std::fmt::Write as _;
use std::path::Path;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::policies::checked;
use super::tokens::{party, service};
use crate::app::{App, Bearer};
use crate::cli::policy_sets::{Change, PolicySets};
use crate::error::{Error, Result, printable};
use crate::token_service::{TokenService, body};

const PATH: &str = "/oauth/policies";

/// A version as the proxy tells of it.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

pub(super) async fn run(app: &App, command: &PolicySets) -> Result<()> {
    match command {
        PolicySets::List => list(app).await,
        PolicySets::Show { set, number } => show(app, set, *number).await,
        PolicySets::Versions { set } => versions(app, set).await,
        PolicySets::Write { set, file, change } => write(app, set, file, change).await,
        PolicySets::Rollback { set, number, change } => roll_back(app, set, *number, change).await,
    }
}

async fn list(app: &App) -> Result<()> {
    let (service, bearer) = service(app).await?;
    let answer: Value = body(&service.get(PATH, &[], &bearer).await?)?;
    let mut text = String::new();
    for set in answer["sets"].as_array().into_iter().flatten() {
        let name = set["set"].as_str().map(printable).unwrap_or_default();
        let (version, in_force) = (&set["version"], &set["in_force"]);
        let _ = match version.as_u64() {
            Some(0) => writeln!(text, "{name}  nothing was written yet, so it permits nothing"),
            _ if version == in_force => writeln!(text, "{name}  version {version}"),
            _ => writeln!(text, "{name}  version {version}, and {in_force} counts at this proxy"),
        };
    }
    if text.is_empty() {
        text.push_str("No set of the proxy's configuration is `managed`");
    }
    app.ui.result(&answer, &text)
}

async fn show(app: &App, set: &str, version: Option<u32>) -> Result<()> {
    let after = version.map(|version| format!("/versions/{version}")).unwrap_or_default();
    let (service, bearer) = service(app).await?;
    let answer: Value = body(&service.get_at(&at(&service, set, &after)?, &bearer).await?)?;
    let policies = answer["policies"].as_str().unwrap_or_default().trim_end_matches('\n');
    app.ui.result(&answer, policies)
}

async fn versions(app: &App, set: &str) -> Result<()> {
    let (service, bearer) = service(app).await?;
    let answer: Value = body(&service.get_at(&at(&service, set, "/versions")?, &bearer).await?)?;
    let mut text = String::new();
    for version in answer["versions"].as_array().into_iter().flatten() {
        let written = &version["written"];
        let when = written["at"].as_str().map(printable).unwrap_or_default();
        let _ = write!(text, "{}  {when}  {}", version["version"], party(&written["by"]));
        if let Some(from) = version["restored_from"].as_u64() {
            let _ = write!(text, "  version {from} again");
        }
        if let Some(comment) = written["reason"].as_str() {
            let _ = write!(text, "  {}", printable(comment));
        }
        text.push('\n');
    }
    if text.is_empty() {
        text.push_str("Nothing was written yet");
    }
    app.ui.result(&answer, &text)
}

async fn write(app: &App, set: &str, file: &Path, change: &Change) -> Result<()> {
    let policies = checked(app.ui, file)?;
    let (service, bearer) = service(app).await?;
    let address = at(&service, set, "")?;
    let replaced = replaced(&service, &address, change, &bearer).await?;
    let request = json!({ "policies": policies, "comment": change.comment });
    let answer = service.replace(Method::PUT, &address, &request, replaced, &bearer).await?;
    written(app, set, &body(&answer)?)
}

async fn roll_back(app: &App, set: &str, version: u32, change: &Change) -> Result<()> {
    let (service, bearer) = service(app).await?;
    let replaced = replaced(&service, &at(&service, set, "")?, change, &bearer).await?;
    let request = json!({ "version": version, "comment": change.comment });
    let address = at(&service, set, "/rollback")?;
    let answer = service.replace(Method::POST, &address, &request, replaced, &bearer).await?;
    written(app, set, &body(&answer)?)
}

fn written(app: &App, set: &str, answer: &Value) -> Result<()> {
    let text = format!("✅ Version {} of {} counts", answer["version"], printable(set));
    app.ui.result(answer, &text)
}

/// The version that is to be replaced.
async fn replaced(service: &TokenService, set: &Url, change: &Change, bearer: &Bearer) -> Result<u32> {
    match change.replaces {
        Some(version) => Ok(version),
        None => Ok(body::<Version>(&service.get_at(set, bearer).await?)?.version),
    }
}

/// The address of a set, and of what is below it.
fn at(service: &TokenService, set: &str, after: &str) -> Result<Url> {
    // Whatever else stands there would be another path.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if set.is_empty() || !set.bytes().all(plain) {
        return Err(Error::usage(format!("`{}` is no name of a set", printable(set)))
            .cure("`opensearch-auth policy-sets list` shows them"));
    }
    Ok(service.at(&format!("{PATH}/{set}{after}")))
}
