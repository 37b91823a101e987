//! `create-token`.

use serde_json::{Map, Value};

use super::deliver;
use crate::app::App;
use crate::cli::tokens::CreateToken;
use crate::confidential_client::{ConfidentialClient, Proof};
use crate::error::{Error, Result, printable};
use crate::output::warn;
use crate::store::PrivateFile;
use crate::token_service::{Caller, Issued, TokenService, body};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(in crate::commands) async fn create(app: &App, arguments: &CreateToken) -> Result<()> {
    let chosen = app.chosen()?;
    // Before there is a token that could not be kept.
    let file = arguments.save.as_deref().map(PrivateFile::make_new).transpose()?;
    let service = TokenService::of(app, &chosen);
    let mut fields = options(arguments)?;
    let response = if let Some(id) = &arguments.client_id {
        let client = ConfidentialClient::read(id, &arguments.proof)?;
        fields.push(("grant_type", "client_credentials".to_owned()));
        if let Proof::Key(key) = &client.proof {
            // The proxy passes it on, and the provider takes it only if it is meant for the provider.
            let (_, provider) = chosen.context.provider(arguments.proof.provider.as_deref())?;
            fields.extend(key.assert(id, &provider.issuer)?);
        }
        service.form("/oauth/token", &fields, Caller::Client(&client)).await?
    } else {
        let bearer = app.bearer(&chosen).await?;
        fields.push(("grant_type", TOKEN_EXCHANGE.to_owned()));
        fields.push(("subject_token", bearer.token.expose().to_owned()));
        fields.push(("subject_token_type", ACCESS_TOKEN_TYPE.to_owned()));
        service.form("/oauth/token", &fields, Caller::Nobody).await?
    };
    let issued: Issued = body(&response)?;
    if let (Some(asked), Some(given)) = (arguments.expires, issued.expires_in)
        && given < asked.as_secs()
    {
        warn("it ends earlier than asked: the proxy allows no longer");
    }
    let verb = if issued.status.as_deref() == Some("pending") { "requested" } else { "created" };
    deliver(app, &issued, file, &format!("Token {verb}: {}", printable(&issued.token_id)))
}

fn options(arguments: &CreateToken) -> Result<Vec<(&'static str, String)>> {
    let mut fields = Vec::new();
    let scopes: Vec<&str> =
        arguments.scopes.iter().map(String::as_str).filter(|scope| !scope.is_empty()).collect();
    if !scopes.is_empty() {
        fields.push(("scope", scopes.join(" ")));
    }
    if let Some(life) = arguments.expires {
        fields.push(("expires_in", life.as_secs().to_string()));
    }
    let texts = [
        ("name", &arguments.name),
        ("description", &arguments.description),
        ("provider", &arguments.proof.provider),
        ("provider_scope", &arguments.provider_scopes),
    ];
    fields.extend(texts.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    fields.extend(arguments.clusters.iter().map(|name| ("audience", name.clone())));
    let mut metadata = Map::new();
    for (name, value) in &arguments.metadata {
        if metadata.insert(name.clone(), Value::from(value.as_str())).is_some() {
            return Err(Error::usage(format!("--metadata {} is given twice", printable(name))));
        }
    }
    if !metadata.is_empty() {
        fields.push(("metadata", Value::Object(metadata).to_string()));
    }
    Ok(fields)
}
