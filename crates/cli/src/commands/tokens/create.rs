//! `create-token`.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::deliver;
use crate::app::App;
use crate::cli::tokens::CreateToken;
use crate::error::{Error, Result, printable};
use crate::output::warn;
use crate::secret::Secret;
use crate::store::PrivateFile;
use crate::token_service::{Caller, Issued, TokenService, body};

const SECRET_VARIABLE: &str = "OPENSEARCH_AUTH_CLIENT_SECRET";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(in crate::commands) async fn create(app: &App, arguments: &CreateToken) -> Result<()> {
    let chosen = app.chosen()?;
    // Before there is a token that could not be kept.
    let file = arguments.save.as_deref().map(PrivateFile::make_new).transpose()?;
    let service = TokenService::of(app, &chosen);
    let mut fields = options(arguments)?;
    let response = if let Some(id) = &arguments.client_id {
        let secret = client_secret(arguments.client_secret_file.as_deref())?;
        fields.push(("grant_type", "client_credentials".to_owned()));
        service.form("/oauth/token", &fields, Caller::Client { id, secret: &secret }).await?
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
        ("provider", &arguments.provider),
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

/// The secret, from a file, standard input or the environment; never from an argument, which everybody could see.
fn client_secret(file: Option<&Path>) -> Result<Secret> {
    let text = match file {
        Some(path) if path == Path::new("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text);
            read.map_err(|error| Error::outside(format!("the secret cannot be read: {error}")))?;
            text
        }
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Error::outside(format!("cannot read {}: {error}", path.display())))?,
        None => std::env::var(SECRET_VARIABLE).map_err(|_| {
            Error::usage("the client's secret is missing").cure(format!(
                "name a file with --client-secret-file, `-` for standard input, or set {SECRET_VARIABLE}"
            ))
        })?,
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Error::usage("the client's secret is empty"));
    }
    Ok(Secret::new(secret))
}
