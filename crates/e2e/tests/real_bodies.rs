//! Requests that name their targets in the body, against the real engine: what a scope allows works for real clients, and
//! what it does not is refused before the engine acts on any of it.

use bytes::Bytes;
use e2e::{Client, Real, RealConfig, Reply};
use http::{Method, StatusCode};
use serde_json::json;

async fn real() -> Real {
    Real::start(&RealConfig::default()).await
}

async fn lines(client: &Client, path: &str, lines: &[serde_json::Value]) -> Reply {
    let body = lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect::<String>();
    client.send(Method::POST, path, &[("content-type", "application/x-ndjson")], Bytes::from(body)).await
}

#[tokio::test]
async fn a_log_shipper_writes_in_bulk_and_only_where_it_may() {
    let real = real().await;
    let shipper = real.client("fluent-bit", "write:app-logs-*").await;
    let reply = lines(
        &shipper,
        "/_bulk?refresh=true",
        &[
            json!({"index": {"_index": "app-logs-bulk"}}),
            json!({"message": "one"}),
            json!({"create": {"_index": "app-logs-bulk"}}),
            json!({"message": "two"}),
        ],
    )
    .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["errors"], false, "{}", reply.text());

    let count = || async {
        let (_, body) = real.testbed.engine.rest(&Method::GET, "/app-logs-bulk/_count", None).await.unwrap();
        body["count"].as_u64()
    };
    let before = count().await;
    let reply = lines(
        &shipper,
        "/_bulk?refresh=true",
        &[
            json!({"index": {"_index": "app-logs-bulk"}}),
            json!({"message": "three"}),
            json!({"index": {"_index": "pii-customers"}}),
            json!({"message": "never"}),
        ],
    )
    .await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    assert_eq!(count().await, before, "the engine did nothing of the refused bulk, not even its first line");
}

#[tokio::test]
async fn readers_search_many_and_get_many_by_what_the_body_names() {
    let real = real().await;
    let agent = real.client("langchain-agent", "read:logs-*").await;
    let search = json!({"size": 1});
    let reply = lines(&agent, "/_msearch", &[json!({"index": "logs-*"}), search.clone()]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(reply.json()["responses"][0]["hits"]["total"]["value"].as_u64() > Some(0), "{}", reply.text());
    let get = json!({"docs": [{"_index": "logs-app-2026.11.24", "_id": "0"}]});
    let reply = agent.json(Method::POST, "/_mget", &get).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.json()["docs"][0]["found"], true, "{}", reply.text());

    let lookup =
        |index: &str| json!({"query": {"terms": {"service": {"index": index, "id": "0", "path": "city"}}}});
    let reply = agent.json(Method::POST, "/logs-*/_search", &lookup("logs-app-2026.11.24")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());

    let foreign = [
        lines(&agent, "/_msearch", &[json!({"index": "pii-customers"}), search.clone()]).await,
        lines(&agent, "/_msearch", &[json!({}), search.clone()]).await,
        lines(&agent, "/logs-*/_msearch", &[json!({"index": ["logs-a", "pii-customers"]}), search]).await,
        agent.json(Method::POST, "/_mget", &json!({"docs": [{"_index": "pii-customers", "_id": "0"}]})).await,
        agent.json(Method::POST, "/logs-*/_search", &lookup("pii-customers")).await,
    ];
    for reply in foreign {
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
        assert!(reply.text().contains("read:"), "the scope that would help is named: {}", reply.text());
    }
}

#[tokio::test]
async fn a_document_that_has_the_engine_look_up_another_index_is_refused_by_the_engine() {
    let real = real().await;
    let engine = &real.testbed.engine;
    let path = "/app-logs-percolated";
    let mapping =
        json!({"mappings": {"properties": {"q": {"type": "percolator"}, "name": {"type": "keyword"}}}});
    engine.rest(&Method::DELETE, &format!("{path}?ignore_unavailable=true"), None).await.unwrap();
    let (status, body) = engine.rest(&Method::PUT, path, Some(&mapping)).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");

    let writer = real.client("fluent-bit", "write:app-logs-*").await;
    let lookup = json!({"q": {"terms": {"name": {"index": "pii-customers", "id": "0", "path": "name"}}}});
    let reply = writer.json(Method::PUT, &format!("{path}/_doc/1?refresh=true"), &lookup).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
    assert!(reply.text().contains("no permissions for [indices:data/read/get]"), "{}", reply.text());
    let reply = lines(
        &writer,
        "/_bulk?refresh=true",
        &[json!({"index": {"_index": "app-logs-percolated", "_id": "2"}}), lookup],
    )
    .await;
    assert_eq!((reply.status, &reply.json()["errors"]), (StatusCode::OK, &json!(true)), "{}", reply.text());
    let (_, body) = engine.rest(&Method::GET, &format!("{path}/_count"), None).await.unwrap();
    assert_eq!(body["count"], 0, "{body}");
    engine.rest(&Method::DELETE, path, None).await.unwrap();
}
