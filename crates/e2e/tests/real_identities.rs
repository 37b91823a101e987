//! As whom requests reach the real engine, through the whole proxy: each identity, what the engine's own security still
//! narrows, and that nothing a client sends makes it somebody else.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use e2e::{Client, Real, RealConfig, Reply, Session, eventually};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use testbed::{Cache, Engine, EngineConfig, EngineInfo, Progress, Requirements};
use transport::{HttpClient, TlsOptions, basic_auth};

const AUTHINFO: &str = "/_plugins/_security/authinfo";

async fn who(client: &Client) -> Value {
    let reply = client.get(AUTHINFO).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

/// Searches and gives the documents found.
async fn documents(client: &Client, index: &str) -> Vec<Value> {
    let reply = client.get(&format!("/{index}/_search?size=1000")).await;
    assert_eq!(reply.status, StatusCode::OK, "{index}: {}", reply.text());
    reply.json()["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_source"].clone()).collect()
}

/// A role of the engine, mapped from the backend role of the same name.
async fn role(engine: &EngineInfo, name: &str, index_permissions: Value) {
    let client = engine.client().unwrap();
    let role = json!({"cluster_permissions": ["cluster_composite_ops_ro"], "index_permissions": [index_permissions]});
    client.expect(&Method::PUT, &format!("/_plugins/_security/api/roles/{name}"), Some(&role)).await.unwrap();
    let mapping = json!({"backend_roles": [name]});
    let path = format!("/_plugins/_security/api/rolesmapping/{name}");
    client.expect(&Method::PUT, &path, Some(&mapping)).await.unwrap();
}

/// Whether the engine's own audit log names `user` for a search of `index`.
async fn named(audit: &testbed::AuditLog, user: &str, index: &str) {
    let found = audit
        .find(|record| {
            record["audit_request_effective_user"] == user
                && record["audit_trace_indices"]
                    .as_array()
                    .is_some_and(|indices| indices.contains(&json!(index)))
        })
        .await
        .unwrap();
    assert!(found.is_some(), "the engine's audit log does not name {user} for {index}");
}

#[tokio::test]
async fn signed_jwt_names_the_caller() {
    let real = Real::start(&RealConfig::default()).await;
    let audit = real.testbed.engine.audit().unwrap();
    let client = real.client("langchain-agent", "read:logs-*").await;
    let info = who(&client).await;
    assert_eq!(info["user_name"], "keycloak:langchain-agent");
    documents(&client, "logs-web-2026.11.24").await;
    named(&audit, "keycloak:langchain-agent", "logs-web-2026.11.24").await;
    let record = real.proxy.last_audit().await;
    assert_eq!(record["engine_identity"]["user"], "keycloak:langchain-agent");
}

#[tokio::test]
async fn proxy_headers_name_the_caller_and_its_attributes_narrow() {
    let mappings = "\
mappings:
  - claim: {path: tenant, equals: acme}
    grant: {scopes: [\"read:logs-tenant-*\"], roles: [tenant_by_proxy]}
  - scope: \"read:logs-web-*\"
    grant: {scopes: [\"read:logs-web-*\"]}
";
    let config = RealConfig {
        identity: "{proxy_headers: {attributes: {tenant: tenant}}}".to_owned(),
        provider: "    native_scopes: false\n".to_owned(),
        extra: mappings.to_owned(),
        ..RealConfig::default()
    };
    let real = Real::start(&config).await;
    let dls = json!({"term": {"tenant": "${attr.proxy.tenant}"}}).to_string();
    let permissions = json!({"index_patterns": ["logs-tenant-*"], "dls": dls, "allowed_actions": ["read"]});
    role(&real.testbed.engine, "tenant_by_proxy", permissions).await;
    let audit = real.testbed.engine.audit().unwrap();
    let acme = real.client("tenant-acme", "read:logs-*").await;
    let info = who(&acme).await;
    assert_eq!(info["user_name"], "keycloak:tenant-acme", "{info}");
    let found = documents(&acme, "logs-tenant-2026.11.24").await;
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|document| document["tenant"] == "acme"));
    named(&audit, "keycloak:tenant-acme", "logs-tenant-2026.11.24").await;
    assert_eq!(acme.get("/logs-app-*/_search").await.status, StatusCode::FORBIDDEN);

    // The engine believes such headers from here, so whatever of them a client could bring through would count.
    impersonation_has_no_effect(&acme, "keycloak:tenant-acme").await;
}

#[tokio::test]
async fn backend_user_is_the_one_of_the_scope_that_allows() {
    let mappings = "\
mappings:
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-*\"], backend_user: ops}
  - scope: \"read:metrics-*\"
    grant: {scopes: [\"read:metrics-*\"], backend_user: metrics_reader}
";
    let config = RealConfig {
        identity: "{backend_user: {users: {ops: \"literal:Lantern-4711-quay\", metrics_reader: \
                   \"literal:Walnut-0815-ferry\"}}}"
            .to_owned(),
        provider: "    native_scopes: false\n".to_owned(),
        extra: mappings.to_owned(),
        ..RealConfig::default()
    };
    let real = Real::start(&config).await;
    let engine = &real.testbed.engine;
    let audit = engine.audit().unwrap();
    let client = real.client("ops", "read:logs-* read:metrics-*").await;
    documents(&client, "logs-web-2026.11.24").await;
    named(&audit, "ops", "logs-web-2026.11.24").await;
    documents(&client, "metrics-host-2026.11.24").await;
    named(&audit, "metrics_reader", "metrics-host-2026.11.24").await;
    let record = real.proxy.last_audit().await;
    assert_eq!(
        record["engine_identity"],
        json!({"kind": "backend_user", "user": "metrics_reader"}),
        "{record}"
    );
    assert_eq!(record["client_id"], "ops", "the proxy's own trail still names the caller");

    // The engine would believe its user `ops` to speak for others: asked directly, it does.
    let tls = TlsOptions { ca: Some(engine.ca.clone()), identity: None };
    let http = HttpClient::new(&tls, None, Duration::from_secs(30), 1 << 20).unwrap();
    let direct = Request::get(format!("{}{AUTHINFO}", engine.url))
        .header("authorization", basic_auth("ops", "Lantern-4711-quay"))
        .header("opendistro_security_impersonate_as", "admin")
        .body(Bytes::new())
        .unwrap();
    let direct = http.send(direct).await.unwrap();
    let direct: Value = serde_json::from_slice(&direct.body).unwrap();
    assert_eq!(direct["user_name"], "admin", "{direct}");

    let logs = real.client("ops", "read:logs-*").await;
    impersonation_has_no_effect(&logs, "ops").await;
}

/// Headers by which an engine is told who asks, in several spellings.
async fn impersonation_has_no_effect(client: &Client, expected: &str) {
    for headers in [
        [("opendistro_security_impersonate_as", "admin"), ("x-a", "1")],
        [("OpenDistro-Security-Impersonate-As", "admin"), ("x-a", "1")],
        [
            ("opendistro_security_impersonate_as", "kibanaserver"),
            ("opendistro_security_impersonate_as", "admin"),
        ],
        [("x-proxy-user", "admin"), ("x-proxy-roles", "all_access,admin")],
        [("X_Proxy_User", "admin"), ("X_Proxy_Roles", "admin")],
        [("x-proxy-ext-tenant", "globex"), ("x-proxy-roles", "admin")],
        [("x-forwarded-for", "127.0.0.1"), ("x-proxy-user", "admin")],
        [("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1")],
        [("_opendistro_security_user", "admin"), ("_opendistro_security_remote_address", "127.0.0.1")],
        [("securitytenant", "admin_tenant"), ("security_tenant", "admin_tenant")],
        [("cookie", "security_authentication=x"), ("x-ssl-client-cert", "x")],
    ] {
        let reply = client.send(Method::GET, AUTHINFO, &headers, Bytes::new()).await;
        assert_eq!(reply.status, StatusCode::OK, "{headers:?}: {}", reply.text());
        let info = reply.json();
        assert_eq!(info["user_name"], expected, "{headers:?}");
        let roles = info["roles"].to_string() + &info["backend_roles"].to_string();
        assert!(!roles.contains("all_access") && !roles.contains("\"admin\""), "{headers:?}: {info}");
        let remote = info["remote_address"].as_str().unwrap_or_default();
        assert!(!remote.contains("10.0.0.1"), "{headers:?}: {remote}");
        assert_ne!(info["user_requested_tenant"], "admin_tenant", "{headers:?}");
    }
    // Nor can they be smuggled away from the proxy's own by `Connection`.
    for name in ["authorization", "x-proxy-user", "x-proxy-roles", "x-forwarded-for"] {
        let reply = client.send(Method::GET, AUTHINFO, &[("connection", name)], Bytes::new()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn headers_of_a_client_mean_nothing_to_an_engine_that_also_believes_a_proxy() {
    // The `proxy` domain of this configuration stays in the engine, beside that of the next.
    let first =
        Real::start(&RealConfig { identity: "{proxy_headers: {}}".to_owned(), ..RealConfig::default() })
            .await;
    drop(first);
    let real = Real::start(&RealConfig::default()).await;
    let client = real.client("langchain-agent", "read:logs-*").await;
    impersonation_has_no_effect(&client, "keycloak:langchain-agent").await;
}

#[tokio::test]
async fn two_scopes_do_not_widen_each_others_documents_and_fields() {
    let mappings = "\
mappings:
  - claim: {path: tenant, equals: acme}
    grant: {scopes: [\"read:logs-tenant-*\"], roles: [tenant_logs_reader]}
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-app-*\"]}
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-web-*\"], roles: [few_fields]}
";
    let config = RealConfig {
        provider: "    native_scopes: false\n".to_owned(),
        extra: mappings.to_owned(),
        ..RealConfig::default()
    };
    let real = Real::start(&config).await;
    let permissions = json!({
        "index_patterns": ["logs-web-*"], "fls": ["level", "message"], "masked_fields": [], "allowed_actions": ["read"],
    });
    role(&real.testbed.engine, "few_fields", permissions).await;
    let acme = real.client("tenant-acme", "read:logs-*").await;

    let tenant = documents(&acme, "logs-tenant-2026.11.24").await;
    assert_eq!(tenant.len(), 100);
    assert!(tenant.iter().all(|document| document["tenant"] == "acme"));
    assert_eq!(documents(&acme, "logs-app-2026.11.22").await.len(), 300, "no document is missing elsewhere");
    let web = documents(&acme, "logs-web-2026.11.24").await;
    assert_eq!(web.len(), 300);
    for document in &web {
        let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert!(fields.iter().all(|field| ["level", "message"].contains(&field.as_str())), "{fields:?}");
    }
    // All in one request: each index as narrow as by itself.
    let reply =
        acme.get("/logs-tenant-2026.11.24,logs-app-2026.11.22,logs-web-2026.11.24/_search?size=1000").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let hits = reply.json()["hits"]["hits"].as_array().unwrap().clone();
    let of = |index: &str| {
        hits.iter().filter(|hit| hit["_index"] == index).map(|hit| &hit["_source"]).collect::<Vec<_>>()
    };
    assert_eq!(of("logs-app-2026.11.22").len(), 300);
    let tenant = of("logs-tenant-2026.11.24");
    assert!(tenant.len() == 100 && tenant.iter().all(|document| document["tenant"] == "acme"));
    let web = of("logs-web-2026.11.24");
    assert!(web.len() == 300 && web.iter().all(|document| document.get("service").is_none()));

    // Another tenant gets nothing of acme, whatever it asks for.
    let other = real.client("langchain-agent", "read:logs-*").await;
    assert_eq!(other.get("/logs-tenant-2026.11.24/_search").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_real_node_that_is_killed_under_load_costs_at_most_what_was_in_flight() {
    const CLIENTS: usize = 4;
    let real = Real::start(&RealConfig::default()).await;
    let first = real.testbed.engine.clone();
    let task = Progress::plain().task("second node");
    let config = EngineConfig::joining(&first).unwrap();
    let second =
        Engine::start(&config, &Cache::open().unwrap(), &Requirements::find(&first.version).unwrap(), &task)
            .await
            .unwrap();
    let node = second.info().url.clone();
    let text = std::fs::read_to_string(real.proxy.config_path()).unwrap();
    let two = text.replace(
        &format!("nodes: [{}]", first.url),
        &format!("nodes: [{}, {node}]\n    health: {{interval: 100ms, timeout: 5s, failures: 2}}", first.url),
    );
    assert_ne!(two, text);
    real.proxy.rewrite_config(&two);
    real.proxy.reloader().try_reload().await.unwrap();

    let name = node.trim_start_matches("https://").to_owned();
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let client = real.client("langchain-agent", "read:logs-*").await;
        let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
        clients.spawn(async move {
            let mut failed: Vec<Reply> = Vec::new();
            let mut session = Session::open(&client).await;
            while !done.load(Ordering::Acquire) {
                let reply = session.get("/logs-*/_search?size=1").await.unwrap();
                answered.fetch_add(1, Ordering::AcqRel);
                if reply.status != StatusCode::OK {
                    failed.push(reply);
                }
            }
            failed
        });
    }
    let by_second = async || {
        let records = real.proxy.audit().await;
        records.iter().filter(|record| record["node"] == name.as_str() && record["status"] == 200).count()
    };
    eventually("the second node answers too", async || (by_second().await >= 20).then_some(())).await;
    drop(second);
    let at_kill = answered.load(Ordering::Acquire);
    eventually("the first node carries on alone", async || {
        (answered.load(Ordering::Acquire) >= at_kill + 100).then_some(())
    })
    .await;
    done.store(true, Ordering::Release);
    let failed: Vec<Reply> = clients.join_all().await.into_iter().flatten().collect();
    assert!(failed.len() <= CLIENTS, "{} failed", failed.len());
    for reply in &failed {
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_GATEWAY, "engine_broke_off"));
    }
    let healthy = format!("node_healthy{{cluster=\"main\",node=\"{name}\"}}");
    eventually("the dead node is known to be dead", async || {
        (real.proxy.metric(&healthy).await == Some(0.0)).then_some(())
    })
    .await;
}
