//! `catalogue` against the real engine: the proxy lists names under a role that may do nothing else, aliases and backing indices
//! are judged by what they stand for, and the engine judges them once more when it acts.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use e2e::{Client, Real, RealConfig};
use engine::setup::{check, setup};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Scopes of the realm stand for rights that it has no scope for.
const MAPPINGS: &str = "\
mappings:
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-*\", \"monitor:logs-*\"]}
  - scope: \"read:metrics-*\"
    grant: {scopes: [\"manage:logs-use-*\", \"manage:use-*\", \"manage:pii-customers\", \"read:use-stream\"]}
";

const ALIASES: &str = "/_aliases";

/// The proxy lists at its start and after changes, and not in between.
async fn real() -> Real {
    Real::start(&RealConfig {
        provider: "    native_scopes: false\n".to_owned(),
        cluster: "    catalogue: {refresh: 10m, stale: 1h}\n".to_owned(),
        extra: MAPPINGS.to_owned(),
        ..RealConfig::default()
    })
    .await
}

/// Takes away what a run before may have left.
async fn clean(real: &Real) {
    let engine = real.testbed.engine.client().unwrap();
    for path in [
        "/_data_stream/use-stream",
        "/_index_template/use",
        "/logs-use-a,logs-use-hidden,logs-use-closed?ignore_unavailable=true",
    ] {
        let (status, answer) = engine.rest(&Method::DELETE, path, None).await.unwrap();
        assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {answer}");
    }
    // The index of the sample data stays, so its aliases have to be taken away from it.
    for alias in ["use-current", "use-mixed"] {
        let path = format!("/pii-customers/_alias/{alias}");
        let (status, answer) = engine.rest(&Method::DELETE, &path, None).await.unwrap();
        assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{path}: {answer}");
    }
}

/// Indices of several kinds, and an alias that is half outside.
async fn prepare(real: &Real) {
    clean(real).await;
    let engine = real.testbed.engine.client().unwrap();
    let document = json!({"message": "hello"});
    for (method, path, body) in [
        (Method::PUT, "/logs-use-a/_doc/1?refresh=true", Some(document.clone())),
        (Method::PUT, "/logs-use-hidden", Some(json!({"settings": {"hidden": true}}))),
        (Method::PUT, "/logs-use-hidden/_doc/2?refresh=true", Some(document)),
        (Method::PUT, "/logs-use-closed", None),
        (Method::POST, "/logs-use-closed/_close", None),
        (
            Method::PUT,
            "/_index_template/use",
            Some(json!({"index_patterns": ["use-stream*"], "data_stream": {}})),
        ),
        (Method::PUT, "/_data_stream/use-stream", None),
        (Method::POST, "/use-stream/_doc?refresh=true", Some(json!({"@timestamp": "2026-01-01T00:00:00Z"}))),
        (
            Method::POST,
            ALIASES,
            Some(json!({"actions": [
                {"add": {"index": "logs-use-a", "alias": "use-mixed"}},
                {"add": {"index": "pii-customers", "alias": "use-mixed"}},
                {"add": {"index": "logs-use-closed", "alias": "use-closed"}},
            ]})),
        ),
    ] {
        engine.expect(&method, path, body.as_ref()).await.unwrap();
    }
}

/// Through the proxy, so that it asks anew.
async fn change(manager: &Client, actions: &Value) {
    let reply = manager.json(Method::POST, ALIASES, &json!({ "actions": actions })).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}

#[tokio::test]
async fn names_are_judged_by_what_they_stand_for_and_once_more_by_the_engine() {
    let real = real().await;
    prepare(&real).await;
    let reader = real.client("langchain-agent", "read:logs-*").await;
    let manager = real.client("ops", "read:metrics-*").await;
    change(
        &manager,
        &json!([
            {"add": {"index": "logs-use-a", "alias": "use-current"}},
            {"add": {"index": "logs-use-hidden", "alias": "use-current"}},
        ]),
    )
    .await;

    for path in [
        "/use-current/_search",
        "/use-current,logs-use-a/_count",
        "/use-current/_mapping",
        "/use-current/_settings",
        "/use-current/_alias",
        "/use-current/_field_caps?fields=*",
        "/use-current/_validate/query",
        "/use-current",
        "/_resolve/index/use-current",
        "/use-current/_stats",
        "/use-current/_segments",
        "/use-current/_recovery",
        "/_cat/indices/use-current",
        "/_cat/shards/use-current",
        "/_cluster/health/use-current",
    ] {
        let reply = reader.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
    }
    let counted = reader.get("/use-current/_count").await.json();
    assert_eq!(counted["count"], 2, "the hidden index is behind it too: {counted}");
    let record = real.proxy.last_audit().await;
    assert_eq!(record["targets"], json!(["use-current", "logs-use-a", "logs-use-hidden"]), "{record}");
    let lookup =
        json!({"docs": [{"_index": "use-current", "_id": "1"}, {"_index": "logs-use-a", "_id": "1"}]});
    let found = reader.json(Method::POST, "/_mget", &lookup).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.text());
    let closed = reader.get("/use-closed/_search").await;
    assert_eq!(closed.status, StatusCode::BAD_REQUEST, "allowed, and closed: {}", closed.text());

    let denied = async |path: &str| {
        let reply = reader.get(path).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, "insufficient_scope"),
            "{path}"
        );
    };
    for path in
        ["/use-mixed/_search", "/use-mixed/_stats", "/use-mixed,logs-use-a/_count", "/use-stream/_search"]
    {
        denied(path).await;
    }
    let write = reader.json(Method::PUT, "/use-closed/_doc/3", &json!({"a": 1})).await;
    assert_eq!((write.status, write.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));

    // A backing index belongs to its data stream.
    let engine = real.testbed.engine.client().unwrap();
    let stream = engine.expect(&Method::GET, "/_resolve/index/use-stream", None).await.unwrap();
    let backing = stream["data_streams"][0]["backing_indices"][0].as_str().unwrap().to_owned();
    for path in ["_search", "_count", "_mapping"].map(|operation| format!("/{backing}/{operation}")) {
        let reply = manager.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        denied(&path).await;
    }

    // A change that went through the proxy counts at once.
    change(&manager, &json!([{"add": {"index": "pii-customers", "alias": "use-current"}}])).await;
    denied("/use-current/_search").await;
    change(&manager, &json!([{"remove": {"index": "pii-customers", "alias": "use-current"}}])).await;
    assert_eq!(reader.get("/use-current/_count").await.json()["count"], 2);

    // One that did not is found out by the engine, which judges by the role of the scope that allowed the request.
    let behind = json!({"actions": [{"add": {"index": "pii-customers", "alias": "use-current"}}]});
    engine.expect(&Method::POST, ALIASES, Some(&behind)).await.unwrap();
    for path in
        ["/use-current/_search", "/use-current/_count", "/use-current/_mapping", "/use-current/_stats"]
    {
        let reply = reader.get(path).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::FORBIDDEN, ""),
            "{path}: {}",
            reply.text()
        );
        let record = real.proxy.last_audit().await;
        assert_eq!(
            (&record["decision"], &record["reason"]),
            (&json!("allow"), &json!("engine_denied")),
            "{record}"
        );
    }
    clean(&real).await;
}

#[tokio::test]
async fn each_identity_may_list_names_and_the_check_finds_its_role() {
    for (identity, catalogue) in [
        ("{signed_jwt: {private_key: signing.pem}}", "{}"),
        ("{proxy_headers: {}}", "{}"),
        ("{backend_user: {users: {use_lister: \"literal:Plover-1623-basin\"}}}", "{user: use_lister}"),
    ] {
        let real = Real::start(&RealConfig {
            identity: identity.to_owned(),
            provider: "    native_scopes: false\n".to_owned(),
            cluster: format!("    catalogue: {catalogue}\n"),
            ..RealConfig::default()
        })
        .await;
        let usable = real.proxy.metric("catalogue_usable{cluster=\"main\"}").await;
        assert_eq!(usable, Some(1.0), "{identity}");
        let names = real.proxy.metric("catalogue_names{cluster=\"main\"}").await.unwrap();
        assert!(names > 3.0, "{identity}: {names}");

        let loaded = config::load(&real.proxy.files().path("setup.yml"), &|_| None).unwrap();
        let setup = setup(&loaded.config, &loaded.config.clusters[0]).unwrap();
        let report = check(&setup, &Real::admin(&real.testbed)).await.unwrap();
        let about: Vec<_> = report
            .findings
            .iter()
            .filter(|finding| {
                ["oauth_catalogue", "may list the names", "use_lister"]
                    .iter()
                    .any(|text| finding.what.contains(text))
            })
            .collect();
        assert!(about.len() > 1 && about.iter().all(|finding| finding.is_ok()), "{identity}: {report}");
    }
}
