//! `rotate-token`.

use serde_json::json;

use super::{deliver, service_for};
use crate::app::App;
use crate::cli::tokens::RotateToken;
use crate::error::{Result, printable};
use crate::store::PrivateFile;
use crate::token_service::{Issued, body};

pub(in crate::commands) async fn rotate(app: &App, arguments: &RotateToken) -> Result<()> {
    let (service, bearer) = service_for(app, &arguments.acting).await?;
    let url = service.at_id("/oauth/token/", &arguments.token_id, "/rotate")?;
    // Before there is a token that could not be kept.
    let file = arguments.save.as_deref().map(PrivateFile::make).transpose()?;
    let overlap = arguments.overlap.map_or(0, |overlap| overlap.as_secs());
    let mut request = json!({ "overlap": overlap });
    if let Some(reason) = &arguments.reason {
        request["reason"] = json!(reason);
    }
    let issued: Issued = body(&service.post(&url, &request, &bearer).await?)?;
    let first =
        format!("Token rotated: {} takes over from {}", printable(&issued.token_id), arguments.token_id);
    deliver(app, &issued, file, &first)
}
