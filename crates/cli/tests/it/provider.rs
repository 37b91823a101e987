//! A stand-in for an identity provider: it lets everybody in at once, and checks what a client has to do.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::server::{Answer, Seen, Server, empty, json};

/// How the stand-in behaves, to be changed by a test.
#[derive(Debug)]
pub(crate) struct Behaviour {
    /// Members that replace those of the discovery document; null removes.
    pub(crate) metadata: Value,
    /// Parameters that replace those of the authorization response; null removes.
    pub(crate) response: Value,
    /// Claims that replace those of the ID token; null removes.
    pub(crate) id_token: Value,
    /// Life of access tokens, in seconds.
    pub(crate) expires_in: u64,
    /// Whether refresh tokens are issued.
    pub(crate) refreshable: bool,
    /// What the token endpoint answers instead of a token.
    pub(crate) failure: Option<(u16, Value)>,
    /// How often the device flow says that it is still pending.
    pub(crate) pending: usize,
    /// Scopes granted, instead of those asked for.
    pub(crate) granted: Option<String>,
    challenge: String,
    nonce: Value,
    asked: String,
    issued: u64,
    refresh_token: String,
}

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) server: Server,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour {
            metadata: json!({}),
            response: json!({}),
            id_token: json!({}),
            expires_in: 28_800,
            refreshable: true,
            failure: None,
            pending: 0,
            granted: None,
            challenge: String::new(),
            nonce: Value::Null,
            asked: String::new(),
            issued: 0,
            refresh_token: String::new(),
        }));
        let shared = Arc::clone(&behaviour);
        let server = Server::start(move |seen| {
            let issuer = format!("http://{}", seen.header("host"));
            answer(&mut shared.lock().unwrap(), &issuer, seen)
        })
        .await;
        Self { server, behaviour }
    }

    pub(crate) fn issuer(&self) -> String {
        self.server.url()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }
}

fn answer(behaviour: &mut Behaviour, issuer: &str, seen: &Seen) -> Answer {
    match seen.path.as_str() {
        "/.well-known/openid-configuration" => {
            let document = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "device_authorization_endpoint": format!("{issuer}/device"),
                "revocation_endpoint": format!("{issuer}/revoke"),
                "code_challenge_methods_supported": ["plain", "S256"],
                "authorization_response_iss_parameter_supported": true,
            });
            json(200, &replaced(document, &behaviour.metadata))
        }
        "/authorize" => authorize(behaviour, issuer, seen),
        "/device" => {
            behaviour.asked = seen.field("scope").unwrap_or_default();
            behaviour.challenge = seen.field("code_challenge").unwrap();
            json(
                200,
                &json!({
                    "device_code": "the-device-code", "user_code": "ABCD-EFGH",
                    "verification_uri": format!("{issuer}/activate"),
                    "verification_uri_complete": format!("{issuer}/activate?code=ABCD-EFGH"),
                    "expires_in": 600, "interval": 0,
                }),
            )
        }
        "/token" => token(behaviour, issuer, seen),
        "/revoke" => empty(200),
        _ => empty(404),
    }
}

fn authorize(behaviour: &mut Behaviour, issuer: &str, seen: &Seen) -> Answer {
    assert_eq!(seen.field("response_type").as_deref(), Some("code"));
    assert_eq!(seen.field("code_challenge_method").as_deref(), Some("S256"));
    behaviour.challenge = seen.field("code_challenge").unwrap();
    behaviour.nonce = json!(seen.field("nonce"));
    behaviour.asked = seen.field("scope").unwrap_or_default();
    let usual = json!({"code": "the-code", "state": seen.field("state"), "iss": issuer});
    let parameters = replaced(usual, &behaviour.response);
    let mut back = url::Url::parse(&seen.field("redirect_uri").unwrap()).unwrap();
    for (name, value) in parameters.as_object().unwrap() {
        back.query_pairs_mut().append_pair(name, value.as_str().unwrap());
    }
    let mut response = empty(302);
    response.headers_mut().insert("location", back.as_str().parse().unwrap());
    response
}

fn token(behaviour: &mut Behaviour, issuer: &str, seen: &Seen) -> Answer {
    if let Some((status, body)) = &behaviour.failure {
        return json(*status, body);
    }
    if seen.field("grant_type").as_deref() == Some("client_credentials") {
        return json(
            200,
            &json!({"access_token": "token-of-the-client", "token_type": "Bearer", "expires_in": 300}),
        );
    }
    assert_eq!(seen.field("client_id").as_deref(), Some("opensearch-auth"));
    let refused = |error: &str| json(400, &json!({"error": error, "error_description": "not this time"}));
    match seen.field("grant_type").unwrap().as_str() {
        "authorization_code" => {
            if !is_verified(behaviour, seen) || seen.field("code").as_deref() != Some("the-code") {
                return refused("invalid_grant");
            }
        }
        "refresh_token" => {
            // Each one counts once.
            if seen.field("refresh_token").as_ref() != Some(&behaviour.refresh_token) {
                return refused("invalid_grant");
            }
        }
        "urn:ietf:params:oauth:grant-type:device_code" => {
            assert_eq!(seen.field("device_code").as_deref(), Some("the-device-code"));
            assert!(is_verified(behaviour, seen));
            if behaviour.pending > 0 {
                behaviour.pending -= 1;
                return refused("authorization_pending");
            }
        }
        _ => return refused("unsupported_grant_type"),
    }
    behaviour.issued += 1;
    let number = behaviour.issued;
    let scope = behaviour.granted.clone().unwrap_or_else(|| behaviour.asked.clone());
    let mut body = json!({
        "access_token": format!("access-token-{number}"), "token_type": "Bearer",
        "expires_in": behaviour.expires_in, "scope": scope,
    });
    if behaviour.refreshable {
        behaviour.refresh_token = format!("refresh-token-{number}");
        body["refresh_token"] = json!(behaviour.refresh_token);
    }
    body["id_token"] = json!(id_token(behaviour, issuer));
    json(200, &body)
}

/// RFC 7636 section 4.6.
fn is_verified(behaviour: &Behaviour, seen: &Seen) -> bool {
    let verifier = seen.field("code_verifier").unwrap();
    let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
    BASE64URL_NOPAD.encode(hash.as_ref()) == behaviour.challenge
}

fn id_token(behaviour: &Behaviour, issuer: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": issuer, "aud": "opensearch-auth", "sub": "4711", "exp": now + 300, "iat": now,
        "nonce": behaviour.nonce, "email": "developer@example.com",
    });
    let claims = replaced(claims, &behaviour.id_token);
    let encoded = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.c2lnbmF0dXJl", encoded(&json!({"alg": "RS256"})), encoded(&claims))
}

fn replaced(mut usual: Value, changes: &Value) -> Value {
    let members = usual.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    usual
}
