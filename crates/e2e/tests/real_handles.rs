//! Handles against the real engine: a narrow token goes through its own searches and tasks, and nobody else's.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;

use bytes::Bytes;
use e2e::{Client, Real, RealConfig, Reply, eventually};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn real() -> Real {
    let cluster = "    handles: {secret: \"literal:0123456789abcdef0123456789abcdef\"}\n";
    Real::start(&RealConfig { cluster: cluster.to_owned(), ..RealConfig::default() }).await
}

fn good(reply: &Reply) -> Value {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

fn text(value: &Value, key: &str) -> String {
    assert!(value[key].is_string(), "{key}: {value}");
    value[key].as_str().unwrap().to_owned()
}

fn unknown(reply: &Reply) {
    let outcome = (reply.status, reply.code());
    assert_eq!(outcome, (StatusCode::NOT_FOUND, "handle_unknown".to_owned()), "{}", reply.text());
}

fn ids(page: &Value) -> Vec<String> {
    let hits = page["hits"]["hits"].as_array().into_iter().flatten();
    hits.map(|hit| format!("{}/{}", text(hit, "_index"), text(hit, "_id"))).collect()
}

/// The engine's own handle inside of a wrapped one.
fn raw(wrapped: &str) -> &str {
    wrapped.strip_prefix("oph1.").and_then(|rest| rest.split_once('.')).unwrap().1
}

#[tokio::test]
async fn what_one_caller_began_is_nothing_to_another() {
    let real = real().await;
    let agent = real.client("langchain-agent", "read:logs-*").await;
    let other = real.client("ops", "read:logs-*").await;
    let page = good(&agent.get("/logs-*/_search?scroll=1m&size=2&sort=_doc").await);
    let id = text(&page, "_scroll_id");
    let next = json!({"scroll": "1m", "scroll_id": id});
    unknown(&other.json(Method::POST, "/_search/scroll", &next).await);
    unknown(&other.json(Method::DELETE, "/_search/scroll", &json!({"scroll_id": [id]})).await);
    unknown(&other.json(Method::POST, "/_search/scroll", &json!({"scroll_id": raw(&id)})).await);
    unknown(&agent.json(Method::POST, "/_search/scroll", &json!({"scroll_id": raw(&id)})).await);
    // It went on meanwhile, to the end, each document once.
    let mut seen: Vec<String> = ids(&page);
    let mut id = id;
    loop {
        let page = good(
            &agent.json(Method::POST, "/_search/scroll", &json!({"scroll": "1m", "scroll_id": id})).await,
        );
        id = text(&page, "_scroll_id");
        if ids(&page).is_empty() {
            assert_eq!(page["hits"]["total"]["value"].as_u64(), Some(seen.len() as u64));
            break;
        }
        seen.extend(ids(&page));
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert!(distinct.len() == seen.len() && seen.len() > 2, "{seen:?}");
    assert!(seen.iter().all(|id| id.starts_with("logs-")), "{seen:?}");
    let freed = good(&agent.json(Method::DELETE, "/_search/scroll", &json!({"scroll_id": [id]})).await);
    assert_eq!(
        (&freed["succeeded"], &freed["num_freed"].as_u64().is_some_and(|freed| freed > 0)),
        (&json!(true), &true)
    );

    // In the path and the query likewise, and what the token may no longer is refused.
    let id = text(&good(&agent.get("/logs-*/_search?scroll=1m&size=1").await), "_scroll_id");
    let encoded = id.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    good(&agent.get(&format!("/_search/scroll?scroll=1m&scroll_id={encoded}")).await);
    let metrics = real.client("langchain-agent", "read:metrics-*").await;
    let reply = metrics.get(&format!("/_search/scroll/{encoded}")).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    good(&agent.get_or(Method::DELETE, &format!("/_search/scroll/{encoded}")).await);
    // The engine has forgotten it, and says so in its own words.
    let reply = agent.json(Method::POST, "/_search/scroll", &json!({"scroll_id": id})).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::NOT_FOUND, ""), "{}", reply.text());
}

#[tokio::test]
async fn a_point_in_time_is_made_searched_listed_and_freed() {
    let real = real().await;
    let agent = real.client("langchain-agent", "read:logs-*").await;
    let other = real.client("ops", "read:logs-*").await;
    let operator = real.client("ops", "read:*").await;
    let made = agent.get_or(Method::POST, "/logs-*/_search/point_in_time?keep_alive=1m").await;
    let id = text(&good(&made), "pit_id");
    let search = json!({"size": 3, "pit": {"id": id, "keep_alive": "1m"}, "sort": ["_doc"]});
    for plain in [true, false] {
        let page = if plain {
            good(&agent.json(Method::POST, "/_search", &search).await)
        } else {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut gzip, search.to_string().as_bytes()).unwrap();
            let coded = [JSON, ("content-encoding", "gzip"), ("accept-encoding", "gzip")];
            good(&agent.send(Method::POST, "/_search", &coded, gzip.finish().unwrap().into()).await)
        };
        assert!(ids(&page).len() == 3 && ids(&page).iter().all(|id| id.starts_with("logs-")), "{page}");
        assert_eq!(text(&page, "pit_id"), id);
    }
    unknown(&other.json(Method::POST, "/_search", &search).await);
    unknown(&other.json(Method::DELETE, "/_search/point_in_time", &json!({"pit_id": [id]})).await);
    let open = json!({"pit": {"id": raw(&id)}});
    unknown(&other.json(Method::POST, "/_search", &open).await);
    unknown(&agent.json(Method::POST, "/_search", &open).await);
    // The engine takes no indices with it, so such a search is not looked into for one.
    let reply = operator.json(Method::POST, "/logs-*/_search", &open).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, ""), "{}", reply.text());

    // The list is of everybody's, as the engine names them, for those who may read everything.
    let refused = agent.get("/_search/point_in_time/_all").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    let list = good(&operator.get("/_search/point_in_time/_all").await);
    let listed = |list: &Value| {
        let pits = list["pits"].as_array().into_iter().flatten();
        pits.map(|pit| text(pit, "pit_id")).any(|listed| listed == raw(&id))
    };
    assert!(listed(&list), "{list}");
    let freed = good(&agent.json(Method::DELETE, "/_search/point_in_time", &json!({"pit_id": [id]})).await);
    assert_eq!(freed, json!({"pits": [{"successful": true, "pit_id": id}]}));
    let gone = agent.json(Method::POST, "/_search", &search).await;
    assert_eq!((gone.status, gone.code().as_str()), (StatusCode::NOT_FOUND, ""), "{}", gone.text());
}

#[tokio::test]
async fn a_task_is_watched_by_whoever_began_it() {
    let real = real().await;
    let scopes = "read:logs-* write:logs-* monitor:cluster";
    let ops = real.client("ops", scopes).await;
    let body = json!({
        "source": {"index": "logs-app-2026.11.24", "size": 1},
        "dest": {"index": "logs-handles-copy"},
        "max_docs": 2
    });
    let made = good(&ops.json(Method::POST, "/_reindex?wait_for_completion=false", &body).await);
    let task = text(&made, "task");
    assert!(task.starts_with("oph1."), "{task}");
    unknown(
        &real
            .client("langchain-agent", "read:logs-* monitor:cluster")
            .await
            .get(&format!("/_tasks/{task}"))
            .await,
    );
    let done = eventually("the end of the task", async || {
        let state = good(&ops.get(&format!("/_tasks/{task}")).await);
        (state["completed"] == true).then_some(state)
    })
    .await;
    assert_eq!(
        (&done["response"]["total"], &done["response"]["failures"]),
        (&json!(2), &json!([])),
        "{done}"
    );
    // Raw it is for those who may do with everything what the request needs.
    let path = format!("/_tasks/{}", raw(&task).replace(':', "%3A"));
    let reply = ops.get(&path).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    good(&real.client("ops", "read:* monitor:cluster").await.get(&path).await);
    // It lost the right to write there.
    let reply = real.client("ops", "read:logs-* monitor:cluster").await.get(&format!("/_tasks/{task}")).await;
    assert_eq!(reply.json()["error"]["needed_scope"], "write:logs-handles-copy", "{}", reply.text());
    real.testbed.engine.rest(&Method::DELETE, "/logs-handles-copy", None).await.unwrap();
}

/// What the proxy sends for them is what the engine would have had without it.
#[tokio::test]
async fn answers_in_other_forms_do_not_get_around_it() {
    let real = real().await;
    let agent = real.client("langchain-agent", "read:logs-*").await;
    let headers = [("accept", "application/yaml"), ("accept-encoding", "gzip, deflate")];
    let reply =
        agent.send(Method::GET, "/logs-*/_search?scroll=1m&size=1&pretty", &headers, Bytes::new()).await;
    let id = text(&good(&reply), "_scroll_id");
    assert!(id.starts_with("oph1.") && reply.text().starts_with("{\n"), "{}", reply.text());
    let reply = agent.get("/logs-*/_search?scroll=1m&size=1&filter_path=_scroll_id").await;
    assert_eq!(good(&reply).as_object().map(serde_json::Map::len), Some(1), "{}", reply.text());
    let second = text(&reply.json(), "_scroll_id");
    for format in ["yaml", "smile", "cbor"] {
        let reply = agent.get(&format!("/logs-*/_search?scroll=1m&format={format}")).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "handle_format"));
    }
    free(&agent, &[&id, &second]).await;
}

async fn free(client: &Client, ids: &[&str]) {
    good(&client.json(Method::DELETE, "/_search/scroll", &json!({"scroll_id": ids})).await);
}
