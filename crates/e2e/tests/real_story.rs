//! The promise, against the real engine with its real security plugin and the real Keycloak: a token with scope
//! `read:logs-*` searches logs, is refused everything else, and the trail says so.

use bytes::Bytes;
use e2e::{Real, RealConfig};
use http::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_scoped_token_reads_what_its_scope_names_and_nothing_else() {
    let real = Real::start(&RealConfig::default()).await;
    let agent = real.client("langchain-agent", "read:logs-*").await;

    let search = json!({"query": {"match": {"level": "ERROR"}}, "size": 3});
    let reply = agent.json(Method::POST, "/logs-*/_search", &search).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.json()["hits"]["total"]["value"].as_u64() > Some(0), "{}", reply.text());
    let record = real.proxy.last_audit().await;
    for (field, value) in [
        ("decision", json!("allow")),
        ("client_id", json!("langchain-agent")),
        ("issuer", json!(real.testbed.keycloak.issuer)),
        ("action", json!("read")),
        ("operation", json!("search")),
        ("targets", json!(["logs-*"])),
        ("permitted_by", json!(["read:logs-*"])),
        ("cluster", json!("main")),
        ("status", json!(200)),
        ("outcome", json!("complete")),
    ] {
        assert_eq!(record[field], value, "{field} of {record}");
    }
    assert_eq!(record["engine_identity"]["user"], "keycloak:langchain-agent", "{record}");
    assert_eq!(record["engine_identity"]["roles"], json!(["read:logs-*"]));
    assert!(record["token_id"].is_string() && record["duration_us"].is_u64() && record["source"].is_string());

    // What the scope does not name.
    let read = |path: &'static str| (Method::GET, path, None, "insufficient_scope");
    let cases = [
        read("/pii-customers/_search"),
        read("/logs-*,pii-customers/_search"),
        read("/_search"),
        read("/_all/_search"),
        read("/*/_search"),
        read("/log*/_search"),
        read("/.opendistro_security/_search"),
        read("/_cat/indices"),
        read("/_cluster/health"),
        read("/_nodes"),
        (Method::POST, "/logs-app-2026.11.24/_doc", Some(json!({"a": 1})), "insufficient_scope"),
        (Method::DELETE, "/logs-app-2026.11.24", None, "insufficient_scope"),
        (Method::PUT, "/logs-new", Some(json!({})), "insufficient_scope"),
        (
            Method::POST,
            "/_mget",
            Some(json!({"docs": [{"_index": "pii-customers", "_id": "1"}]})),
            "insufficient_scope",
        ),
        (
            Method::POST,
            "/_reindex",
            Some(json!({"source": {"index": "logs-*"}, "dest": {"index": "logs-copy"}})),
            "insufficient_scope",
        ),
        (
            Method::POST,
            "/_plugins/_sql",
            Some(json!({"query": "select * from pii-customers"})),
            "insufficient_scope",
        ),
        (Method::GET, "/_plugins/_security/api/roles", None, "insufficient_scope"),
        (Method::GET, "/_plugins/_nothing", None, "unknown_operation"),
    ];
    for (method, path, body, code) in cases {
        let reply = match body {
            Some(body) => agent.json(method.clone(), path, &body).await,
            None => agent.get_or(method.clone(), path).await,
        };
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, code), "{method} {path}");
        let record = real.proxy.last_audit().await;
        assert_eq!(
            (record["decision"].as_str(), record["status"].as_u64()),
            (Some("deny"), Some(403)),
            "{path}"
        );
        assert_eq!(record["decision_id"], reply.header("x-decision-id"), "{path}");
        if code == "insufficient_scope" {
            let challenge = reply.header("www-authenticate");
            assert!(
                challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\""),
                "{challenge}"
            );
            assert!(challenge.contains("resource_metadata="), "{challenge}");
        }
    }
}

#[tokio::test]
async fn the_scope_that_a_refusal_names_is_the_one_that_helps() {
    let real = Real::start(&RealConfig::default()).await;
    let refused = real.client("ops", "read:logs-*").await.get("/metrics-*/_search").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let needed = refused.json()["error"]["needed_scope"].as_str().unwrap().to_owned();
    assert_eq!(needed, "read:metrics-*");
    let reply = real.client("ops", &needed).await.get("/metrics-*/_search").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}

#[tokio::test]
async fn a_write_scope_writes_and_does_not_read() {
    let real = Real::start(&RealConfig::default()).await;
    let pipeline = real.client("fluent-bit", "write:logs-app-*").await;
    let reply = pipeline.json(Method::POST, "/logs-app-2026.11.24/_doc", &json!({"message": "hello"})).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    for path in
        ["/logs-app-2026.11.24/_search", "/logs-app-2026.11.24/_count", "/metrics-host-2026.11.24/_search"]
    {
        assert_eq!(pipeline.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let reply =
        pipeline.json(Method::POST, "/metrics-host-2026.11.24/_doc", &json!({"message": "hello"})).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_holds_the_star_may_use_routes_whose_targets_stand_elsewhere() {
    let real = Real::start(&RealConfig::default()).await;
    let reader = real.client("ops", "read:*").await;
    let lines = "{\"index\":\"logs-*\"}\n{\"size\":1}\n";
    let headers = [("content-type", "application/x-ndjson")];
    let reply = reader.send(Method::POST, "/_msearch", &headers, Bytes::from(lines)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.json()["responses"][0]["hits"].is_object(), "{}", reply.text());
    let reply = reader.get("/_search?size=1").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}

#[tokio::test]
async fn anybody_with_a_right_may_greet_the_cluster() {
    let real = Real::start(&RealConfig::default()).await;
    let reply = real.client("langchain-agent", "read:logs-*").await.get("/").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["version"]["number"], real.testbed.engine.version);
    let reply = real.client("langchain-agent", "").await.get("/").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "a token without rights gets nothing");
}

#[tokio::test]
async fn the_engine_knows_the_caller_and_its_document_level_security_still_narrows() {
    let mappings = "\
mappings:
  - claim: {path: tenant, equals: acme}
    grant: {scopes: [\"read:logs-tenant-*\"], roles: [tenant_logs_reader]}
";
    let config = RealConfig {
        // Only the mapping counts: with native scopes the wider role of `read:logs-*` would come along.
        provider: "    native_scopes: false\n".to_owned(),
        extra: mappings.to_owned(),
        ..RealConfig::default()
    };
    let real = Real::start(&config).await;
    let acme = real.client("tenant-acme", "read:logs-*").await;
    let who = acme.get("/_plugins/_security/authinfo").await;
    assert_eq!(who.status, StatusCode::OK, "{}", who.text());
    assert_eq!(who.json()["user_name"], "keycloak:tenant-acme", "{}", who.text());
    let reply = acme.get("/logs-tenant-2026.11.24/_search?size=200").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let hits = reply.json()["hits"]["hits"].as_array().unwrap().clone();
    assert!(
        !hits.is_empty() && hits.iter().all(|hit| hit["_source"]["tenant"] == "acme"),
        "{}",
        reply.text()
    );
}
