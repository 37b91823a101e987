//! The API of tokens, as engine 3.8 answers.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Answer, Shared, User, error, json_answer,
    memory::{Document, Permissions, now},
};

const TOKENS: &str = "/_plugins/_security/api/apitokens";

pub(super) fn answer(
    shared: &Shared,
    node: usize,
    user: &User,
    method: &str,
    target: &str,
    body: &[u8],
) -> Answer {
    if !user.is_admin() {
        let message = "No permission to access REST API: User does not have required security API access";
        return json_answer(StatusCode::FORBIDDEN, &json!({ "status": "FORBIDDEN", "message": message }));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path.strip_prefix(TOKENS).unwrap_or_default()) {
        ("GET", "") if query.is_empty() => json_answer(StatusCode::OK, &shared.index().list()),
        ("GET", "") => {
            error(StatusCode::BAD_REQUEST, &format!("request [{TOKENS}] contains unrecognized parameters"))
        }
        ("POST", "") => match make(shared, node, user, body) {
            Ok(made) => json_answer(StatusCode::OK, &made),
            Err((status, message)) => error(status, &message),
        },
        ("DELETE", id) if id.len() > 1 => revoke(shared, &id[1..]),
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "Incorrect HTTP method for uri"),
    }
}

type Refusal = (StatusCode, String);

fn bad(message: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, message.into())
}

fn make(shared: &Shared, node: usize, user: &User, body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|_| bad("Invalid request"))?;
    let members = body.as_object().ok_or_else(|| bad("Invalid request: Expected START_OBJECT"))?;
    for key in members.keys() {
        if !["name", "cluster_permissions", "index_permissions", "duration_seconds"].contains(&key.as_str()) {
            return Err(bad(format!("Invalid request: unknown field [{key}]")));
        }
    }
    let name = body["name"].as_str().ok_or_else(|| bad("Invalid request: Required [name]"))?.to_owned();
    if name.is_empty() {
        return Err(bad("Token name is required."));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(bad("Token name must contain only alphanumeric characters, hyphens, and underscores."));
    }
    let permissions = permissions(&body)?;
    let mut index = shared.index();
    let duration = body["duration_seconds"].as_i64().unwrap_or_default();
    if duration < 0 {
        return Err(bad("Token duration must be positive."));
    }
    if duration == 0 {
        let max = index.max_duration;
        return Err(bad(format!("Non-expiring tokens are not allowed. Maximum duration is {max} seconds.")));
    }
    if duration > index.max_duration {
        let max = index.max_duration;
        return Err(bad(format!("Token duration exceeds the maximum allowed duration of {max} seconds.")));
    }
    // The node looks into its own memory, not into the index.
    if shared.memory(node).tokens.values().any(|(taken, _)| *taken == name) {
        return Err(bad(format!("A token with name '{name}' already exists.")));
    }
    // Every entry counts, whatever has become of it.
    if index.documents.len() >= index.max_tokens {
        let max = index.max_tokens;
        let message = format!(
            "Maximum limit of {max} API tokens reached. Please delete existing tokens before creating new ones."
        );
        return Err((StatusCode::TOO_MANY_REQUESTS, message));
    }
    index.made += 1;
    let id = format!("id-{:03}", index.made);
    let token = format!("os_{:0>43}", format!("secret{}", index.made));
    let iat = now();
    let document = Document {
        name,
        token: token.clone(),
        permissions,
        iat,
        expires_at: iat + duration * 1000,
        revoked_at: None,
        created_by: user.name().to_owned(),
    };
    index.documents.insert(id.clone(), document);
    // Told to all nodes, which load everything anew: what repairs those that have forgotten.
    shared.every_memory(|memory| memory.load(&index));
    Ok(json!({ "id": id, "token": token }))
}

fn permissions(body: &Value) -> Result<Permissions, Refusal> {
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let mut permissions = Permissions { cluster: texts(&body["cluster_permissions"]), index: Vec::new() };
    for entry in body["index_permissions"].as_array().into_iter().flatten() {
        let known = |key: &String| ["index_pattern", "allowed_actions"].contains(&key.as_str());
        if !entry.as_object().is_some_and(|members| members.keys().all(known)) {
            return Err(bad("Invalid request: failed to parse field [index_permissions]"));
        }
        permissions.index.push((texts(&entry["index_pattern"]), texts(&entry["allowed_actions"])));
    }
    Ok(permissions)
}

fn revoke(shared: &Shared, id: &str) -> Answer {
    let mut index = shared.index();
    let Some(document) = index.documents.get_mut(id) else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Failed to delete token: [indices:data/write/update[s]]",
        );
    };
    document.revoked_at = Some(now());
    shared.every_memory(|memory| memory.load(&index));
    json_answer(StatusCode::OK, &json!({ "message": format!("Token {id} revoked successfully.") }))
}
