//! A stand-in for the proxy's token service, with three tokens.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::proxy;
use crate::server::{Answer, Seen, Server, empty, json};

/// A proxy with the service; `refusal` is what it answers instead, while there is one.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) server: Server,
    refusal: Arc<Mutex<Option<Refusal>>>,
}

/// Status, code and the scope that would have helped.
type Refusal = (u16, Value, Option<&'static str>);

impl Service {
    pub(crate) async fn start(issuer: &str) -> Self {
        let refusal: Arc<Mutex<Option<Refusal>>> = Arc::default();
        let (refusing, issuer) = (Arc::clone(&refusal), issuer.to_owned());
        let server = Server::start(move |seen| {
            if !seen.path.starts_with("/oauth/") {
                return proxy::answer(&format!("http://{}", seen.header("host")), &issuer, seen);
            }
            match refusing.lock().unwrap().as_ref() {
                Some((status, body, scope)) => {
                    let mut response = json(*status, body);
                    if let Some(scope) = scope {
                        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                        response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
                    }
                    response
                }
                None => answer(seen),
            }
        })
        .await;
        Self { server, refusal }
    }

    pub(crate) fn refuse(&self, status: u16, body: Value, scope: Option<&'static str>) {
        *self.refusal.lock().unwrap() = Some((status, body, scope));
    }
}

fn token(name: &str, status: &str) -> Value {
    json!({
        "token_id": format!("tok_{name}"), "name": name, "description": "made for a test", "status": status,
        "metadata": {"team": "search"}, "scopes": ["read:logs-*"], "clusters": [],
        "owner": {"provider": "keycloak", "issuer": "https://login.example", "subject": "4711", "user": "ann"},
        "created_by": {"provider": "keycloak", "issuer": "https://login.example", "subject": "4712", "client_id": "ci"},
        "created_at": "2026-01-01T00:00:00.5Z", "expires_at": "2999-01-01T00:00:00Z",
        "last_used": {"at": "2026-01-02T00:00:00Z", "address": "192.0.2.7"},
    })
}

fn revocation() -> Value {
    json!({
        "revocation_id": "rev_a", "client_id": "ci", "issuer": "https://login.example",
        "issued_before": "2026-01-02T00:00:00Z",
        "decided": {"at": "2026-01-03T00:00:00Z", "by": {"subject": "4711", "user": "ann"}, "reason": "leaked"},
    })
}

fn consent(withdrawn: bool) -> Value {
    let ann = json!({"subject": "4711", "user": "ann"});
    let mut consent = json!({
        "consent_id": "con_a", "person": ann, "client_id": "web-agent", "scopes": ["read:logs-*"], "clusters": [],
        "lifetime": 3600, "given_at": "2026-01-02T00:00:00Z",
    });
    if withdrawn {
        consent["withdrawn"] = json!({"at": "2026-01-03T00:00:00Z", "by": ann});
    }
    consent
}

fn issued(status: &str) -> Answer {
    json(
        200,
        &json!({
            "access_token": "osat_shown-once", "token_type": "Bearer", "expires_in": 86400,
            "scope": "read:logs-*", "token_id": "tok_abc123", "status": status,
        }),
    )
}

fn answer(seen: &Seen) -> Answer {
    let path = seen.path.as_str();
    match (seen.method.as_str(), path) {
        ("POST", "/oauth/token") => {
            issued(if seen.field("name").as_deref() == Some("careful") { "pending" } else { "active" })
        }
        ("POST", "/oauth/token/tok_a/rotate") => issued("active"),
        // Two pages.
        ("GET", "/oauth/tokens") if seen.field("cursor").is_none() => json(
            200,
            &json!({"tokens": [token("a", "active"), token("b", "active")], "next_cursor": "further"}),
        ),
        ("GET", "/oauth/tokens") => {
            json(200, &json!({"tokens": [token("c", "revoked")], "next_cursor": null}))
        }
        ("GET", "/oauth/requests") => {
            json(200, &json!({"tokens": [token("p", "pending")], "next_cursor": null}))
        }
        ("GET", "/oauth/review") => json(
            200,
            &json!({"findings": [{"token": token("a", "active"), "reasons": [
                {"reason": "unused", "since": "2026-01-02T00:00:00Z"}, {"reason": "over_broad", "scope": "admin:*"},
            ]}]}),
        ),
        ("GET", "/oauth/consents") => json(200, &json!({"consents": [consent(false), consent(true)]})),
        ("GET", "/oauth/revocations") => json(200, &json!({"revocations": [revocation()]})),
        ("POST", "/oauth/revocations") => json(201, &revocation()),
        ("POST", "/oauth/tokens/revoke") => {
            let asked: Value = serde_json::from_str(&seen.body).unwrap();
            let matched: &[&str] = if asked["client_id"] == "nobody" { &[] } else { &["tok_a", "tok_b"] };
            let revoked = if asked["dry_run"] == true { 0 } else { matched.len() };
            json(200, &json!({"matched": matched.len(), "revoked": revoked, "token_ids": matched}))
        }
        ("POST", _) if path.starts_with("/oauth/requests/") => json(200, &token("p", "active")),
        ("GET", _) => json(200, &token(path.trim_start_matches("/oauth/token/tok_"), "active")),
        ("DELETE", _) => empty(204),
        _ => empty(404),
    }
}
