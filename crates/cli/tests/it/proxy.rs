//! A stand-in for the proxy: its description of itself, and an echo.

use serde_json::json;

use crate::server::{Answer, Seen, Server, json};

/// Names `issuer` as its only provider, `keycloak`, and tells what it was asked for everything else.
pub(crate) async fn start(issuer: &str) -> Server {
    let issuer = issuer.to_owned();
    Server::start(move |seen| answer(&format!("http://{}", seen.header("host")), &issuer, seen)).await
}

pub(crate) fn answer(own: &str, issuer: &str, seen: &Seen) -> Answer {
    match seen.path.strip_prefix("/.well-known/oauth-protected-resource") {
        Some(path) => json(
            200,
            &json!({
                "resource": format!("{own}{path}"),
                "authorization_servers": [issuer],
                "authorization_server_names": {"keycloak": issuer},
                "scopes_supported": ["read:logs-*", "read:metrics-*"],
                "bearer_methods_supported": ["header"],
            }),
        ),
        None => json(
            200,
            &json!({
                "method": seen.method.as_str(), "target": seen.target, "body": seen.body,
                "authorization": seen.header("authorization"), "content_type": seen.header("content-type"),
            }),
        ),
    }
}
