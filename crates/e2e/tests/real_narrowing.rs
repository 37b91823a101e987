//! `narrow` against the real engine: a token for logs asks for everything and is answered from its logs alone, under the engine
//! role of its scope.

use bytes::Bytes;
use e2e::{Client, Real, RealConfig};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Two scopes of the realm stand for rights that it has no scope for.
async fn real() -> Real {
    let mappings = "\
mappings:
  - scope: \"read:logs-*\"
    grant: {scopes: [\"read:logs-*\", \"monitor:logs-*\"]}
  - scope: \"read:metrics-*\"
    grant: {scopes: [\"read:absent\", \"monitor:absent\"]}
";
    Real::start(&RealConfig {
        provider: "    native_scopes: false\n".to_owned(),
        cluster: "    narrow: true\n".to_owned(),
        extra: mappings.to_owned(),
        ..RealConfig::default()
    })
    .await
}

async fn ask(client: &Client, path: &str) -> Value {
    let reply = client.get(path).await;
    assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
    reply.json()
}

/// All are logs, and there are some.
fn only_logs<'v>(names: impl IntoIterator<Item = &'v str>) {
    let names: Vec<_> = names.into_iter().collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("logs-")), "{names:?}");
}

fn texts<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item[key].as_str()).collect()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn what_asks_for_all_is_answered_from_the_logs() {
    let real = real().await;
    let client = real.client("langchain-agent", "read:logs-*").await;

    for path in ["/_search?size=1000", "/_all/_search?size=1000", "/l*,-logs-none-*/_search?size=1000"] {
        let found = ask(&client, path).await;
        only_logs(texts(&found["hits"]["hits"], "_index"));
    }
    let counted = ask(&client, "/_count").await;
    assert_eq!(counted["count"], ask(&client, "/logs-*/_count").await["count"]);
    only_logs(texts(&ask(&client, "/_cat/indices?format=json").await, "index"));
    only_logs(texts(&ask(&client, "/_cat/shards?format=json").await, "index"));
    only_logs(texts(&ask(&client, "/_cat/segments?format=json").await, "index"));
    for path in ["/_mapping", "/_settings", "/_alias", "/_recovery"] {
        only_logs(keys(&ask(&client, path).await));
    }
    for path in ["/_stats", "/_segments"] {
        only_logs(keys(&ask(&client, path).await["indices"]));
    }
    let fields = ask(&client, "/_field_caps?fields=*").await;
    only_logs(fields["indices"].as_array().into_iter().flatten().filter_map(Value::as_str));
    only_logs(texts(&ask(&client, "/_resolve/index/*").await["indices"], "name"));
    let health = ask(&client, "/_cluster/health?level=indices").await;
    only_logs(keys(&health["indices"]));
    let record = real.proxy.last_audit().await;
    assert_eq!(
        (&record["path"], &record["targets"]),
        (&json!("/_cluster/health"), &json!(["logs-*"])),
        "{record}"
    );

    for path in ["/pii-customers/_search", "/logs-*,pii-customers/_search", "/_cluster/state", "/_nodes"] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    }
    let (query, json_type) = (json!({"query": {"match_all": {}}}), [("content-type", "application/json")]);
    let delete = Bytes::from(query.to_string());
    let reply = client.send(Method::POST, "/*/_delete_by_query", &json_type, delete).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "what changes something is never narrowed");
}

/// The request did not name it, so it must not fail for its sake.
#[tokio::test]
async fn a_held_name_that_does_not_exist_does_no_harm() {
    let real = real().await;
    let client = real.client("langchain-agent", "read:logs-* read:metrics-*").await;
    for path in [
        "/_search",
        "/_count",
        "/_validate/query",
        "/_field_caps?fields=*",
        "/_search_shards",
        "/_mapping",
        "/_mappings",
        "/_mapping/field/level",
        "/_settings",
        "/_settings/index.uuid",
        "/_alias",
        "/*",
        "/_resolve/index/*",
        "/_stats",
        "/_stats/docs",
        "/_segments",
        "/_recovery",
        "/_shard_stores",
        "/_cat/recovery",
        "/_cat/segment_replication",
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
    }
    let asked = real.proxy.last_audit().await["targets"].clone();
    assert_eq!(asked, json!(["absent", "logs-*"]));
    // Here the engine would fail or wait for its sake, whatever the parameters.
    for path in ["/_cat/indices", "/_cat/shards", "/_cat/segments", "/_cat/count", "/_cluster/health"] {
        assert_eq!(client.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}
