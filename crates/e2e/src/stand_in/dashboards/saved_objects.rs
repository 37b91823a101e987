//! Saved objects: documents of an index of the engine, read and written as the caller.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::{Answer, Call, error, ok, reason};

/// A path of the index where they are kept.
fn path(call: &Call<'_>, rest: &str) -> String {
    format!("/{}/{rest}", call.shared.options.index)
}

/// Every route below `/api/saved_objects`.
pub(super) async fn route(call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method.as_str(), rest) {
        ("GET", ["_find"]) => find(call).await,
        ("POST", ["_bulk_get"]) => bulk_get(call).await,
        ("POST", ["_bulk_create"]) => bulk_create(call).await,
        ("PUT", ["_bulk_update"]) => bulk_create_over(call).await,
        ("POST", ["_import"]) => import(call).await,
        ("POST", ["_export"]) => export(call).await,
        ("POST", [kind]) => create(call, kind, &next_id(call)).await,
        ("POST", [kind, id]) => create(call, kind, id).await,
        ("GET", [kind, id]) => get(call, kind, id).await,
        ("PUT", [kind, id]) => update(call, kind, id).await,
        ("DELETE", [kind, id]) => delete(call, kind, id).await,
        _ => error(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn next_id(call: &Call<'_>) -> String {
    format!("generated-{}", call.shared.sessions.lock().expect("no test panicked here").len())
}

fn json_body(call: &Call<'_>) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

fn overwrites(call: &Call<'_>) -> bool {
    call.parameter("overwrite") == Some("true")
}

/// The document of a saved object.
fn document(call: &Call<'_>, kind: &str, object: &Value) -> Value {
    let mut document = Map::new();
    document.insert("type".to_owned(), kind.into());
    document.insert(kind.to_owned(), object["attributes"].clone());
    document.insert("references".to_owned(), object.get("references").cloned().unwrap_or_else(|| json!([])));
    if let Some(workspace) = &call.workspace {
        document.insert("workspaces".to_owned(), json!([workspace]));
    }
    document.into()
}

/// A saved object from its document.
fn object(hit: &Value) -> Value {
    let (kind, id) = hit["_id"].as_str().and_then(|id| id.split_once(':')).unwrap_or_default();
    let source = &hit["_source"];
    json!({"type": kind, "id": id, "attributes": source[kind], "references": source["references"]})
}

enum Stored {
    Done,
    Conflict,
    Refused(StatusCode, String),
}

async fn store(call: &Call<'_>, kind: &str, id: &str, object: &Value, over: bool) -> Stored {
    let way = if over { "_doc" } else { "_create" };
    let stored = path(call, &format!("{way}/{kind}:{id}?refresh=true"));
    match call.engine(Method::PUT, &stored, Some(document(call, kind, object))).await {
        (status, _) if status.is_success() => Stored::Done,
        (StatusCode::CONFLICT, _) => Stored::Conflict,
        (status, answer) => Stored::Refused(status, reason(&answer)),
    }
}

async fn create(call: &Call<'_>, kind: &str, id: &str) -> Answer {
    let object = json_body(call);
    match store(call, kind, id, &object, overwrites(call)).await {
        Stored::Done => ok(&json!({"type": kind, "id": id, "attributes": object["attributes"]})),
        Stored::Conflict => error(
            StatusCode::CONFLICT,
            &format!("Saved object [{kind}/{id}] conflict: version conflict, document already exists"),
        ),
        Stored::Refused(status, message) => error(status, &message),
    }
}

async fn get(call: &Call<'_>, kind: &str, id: &str) -> Answer {
    match call.engine(Method::GET, &path(call, &format!("_doc/{kind}:{id}")), None).await {
        (StatusCode::OK, hit) => ok(&object(&hit)),
        (StatusCode::NOT_FOUND, _) => {
            error(StatusCode::NOT_FOUND, &format!("Saved object [{kind}/{id}] not found"))
        }
        (status, answer) => error(status, &reason(&answer)),
    }
}

async fn update(call: &Call<'_>, kind: &str, id: &str) -> Answer {
    let object = json_body(call);
    let stored = path(call, &format!("_update/{kind}:{id}?refresh=true"));
    let mut changes = Map::new();
    changes.insert(kind.to_owned(), object["attributes"].clone());
    match call.engine(Method::POST, &stored, Some(json!({"doc": changes}))).await {
        (StatusCode::OK, _) => ok(&json!({"type": kind, "id": id, "attributes": object["attributes"]})),
        (status, answer) => error(status, &reason(&answer)),
    }
}

async fn delete(call: &Call<'_>, kind: &str, id: &str) -> Answer {
    match call.engine(Method::DELETE, &path(call, &format!("_doc/{kind}:{id}?refresh=true")), None).await {
        (StatusCode::OK, _) => ok(&json!({})),
        (StatusCode::NOT_FOUND, _) => {
            error(StatusCode::NOT_FOUND, &format!("Saved object [{kind}/{id}] not found"))
        }
        (status, answer) => error(status, &reason(&answer)),
    }
}

async fn search(call: &Call<'_>, kinds: &[&str]) -> Result<Vec<Value>, Answer> {
    let mut filter = vec![json!({"terms": {"type.keyword": kinds}})];
    if let Some(workspace) = &call.workspace {
        filter.push(json!({"terms": {"workspaces.keyword": [workspace]}}));
    }
    let query = json!({"size": 1000, "query": {"bool": {"filter": filter}}});
    match call.engine(Method::POST, &path(call, "_search"), Some(query)).await {
        (StatusCode::OK, found) => {
            Ok(found["hits"]["hits"].as_array().into_iter().flatten().map(object).collect())
        }
        // No index yet: nothing saved yet.
        (StatusCode::NOT_FOUND, _) => Ok(Vec::new()),
        (status, answer) => Err(error(status, &reason(&answer))),
    }
}

async fn find(call: &Call<'_>) -> Answer {
    match search(call, &call.parameters("type")).await {
        Ok(objects) => {
            ok(&json!({"page": 1, "per_page": 20, "total": objects.len(), "saved_objects": objects}))
        }
        Err(refused) => refused,
    }
}

async fn bulk_get(call: &Call<'_>) -> Answer {
    let mut objects = Vec::new();
    for wanted in json_body(call).as_array().into_iter().flatten() {
        let (kind, id) = (text(wanted, "type"), text(wanted, "id"));
        match call.engine(Method::GET, &path(call, &format!("_doc/{kind}:{id}")), None).await {
            (StatusCode::OK, hit) => objects.push(object(&hit)),
            (StatusCode::NOT_FOUND, _) => {
                objects.push(json!({"type": kind, "id": id, "error": {"statusCode": 404}}));
            }
            (status, answer) => return error(status, &reason(&answer)),
        }
    }
    ok(&json!({"saved_objects": objects}))
}

async fn bulk_create(call: &Call<'_>) -> Answer {
    bulk(call, overwrites(call)).await
}

async fn bulk_create_over(call: &Call<'_>) -> Answer {
    bulk(call, true).await
}

async fn bulk(call: &Call<'_>, over: bool) -> Answer {
    let mut objects = Vec::new();
    for new in json_body(call).as_array().into_iter().flatten() {
        let (kind, id) = (text(new, "type"), text(new, "id"));
        match store(call, kind, id, new, over).await {
            Stored::Done => objects.push(json!({"type": kind, "id": id, "attributes": new["attributes"]})),
            Stored::Conflict => objects.push(json!({"type": kind, "id": id, "error": {"statusCode": 409}})),
            Stored::Refused(status, message) => return error(status, &message),
        }
    }
    ok(&json!({"saved_objects": objects}))
}

/// The lines of the one file in a multipart body.
fn lines(call: &Call<'_>) -> Option<Vec<Value>> {
    let media = call.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let boundary = media.strip_prefix("multipart/form-data;")?.trim().strip_prefix("boundary=")?;
    let text = std::str::from_utf8(&call.body).ok()?;
    let part = text.split(&format!("--{}", boundary.trim_matches('"'))).nth(1)?;
    let (_, content) = part.split_once("\r\n\r\n")?;
    content.trim_end().lines().map(|line| serde_json::from_str(line).ok()).collect()
}

async fn import(call: &Call<'_>) -> Answer {
    let Some(lines) = lines(call) else {
        return error(StatusCode::BAD_REQUEST, "[request body.file]: expected a file");
    };
    let (mut count, mut errors) = (0, Vec::new());
    for line in lines.iter().filter(|line| line.get("exportedCount").is_none()) {
        let (kind, id) = (text(line, "type"), text(line, "id"));
        match store(call, kind, id, line, overwrites(call)).await {
            Stored::Done => count += 1,
            Stored::Conflict => {
                errors.push(json!({"id": id, "type": kind, "error": {"type": "conflict"}}));
            }
            Stored::Refused(status, message) => return error(status, &message),
        }
    }
    let mut answer = json!({"success": errors.is_empty(), "successCount": count});
    if !errors.is_empty() {
        answer["errors"] = errors.into();
    }
    ok(&answer)
}

async fn export(call: &Call<'_>) -> Answer {
    let asked = json_body(call);
    let kinds: Vec<&str> = match &asked["type"] {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    let objects = match search(call, &kinds).await {
        Ok(objects) => objects,
        Err(refused) => return refused,
    };
    let details = json!({"exportedCount": objects.len(), "missingRefCount": 0, "missingReferences": []});
    let text: Vec<String> = objects.iter().chain([&details]).map(Value::to_string).collect();
    let mut response = Response::new(Full::from(Bytes::from(text.join("\n"))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/ndjson"));
    response
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}
