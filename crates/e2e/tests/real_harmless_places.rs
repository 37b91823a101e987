//! Places of a search that `crates/rest/data/shapes.tsv` says can name no index: a lookup put there makes the real engine
//! look nowhere. What is added to the table is tried without a change here.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;

use e2e::{Real, RealConfig};
use http::Method;
use serde_json::{Value, json};
use testbed::RestClient;
use tokio::task::JoinSet;

const INDEX: &str = "/harmless-places";
const AT_ONCE: usize = 8;

/// A query that makes the engine look into another index, which is not there: it says so.
fn lookup() -> Value {
    json!({"terms": {"f": {"index": "not-there-at-all", "id": "1", "path": "p"}}})
}

/// The keys of a shape that hold nothing which can name an index.
fn harmless(shape: &str) -> Vec<&'static str> {
    let rows = include_str!("../../rest/data/shapes.tsv").lines().filter(|line| !line.starts_with('#'));
    let columns = rows.map(|row| row.split('\t').collect::<Vec<_>>());
    let of_shape = columns.filter(|row| row[0] == shape && matches!(row[2], "any" | "scalar"));
    of_shape.flat_map(|row| row[1].split(' ')).filter(|key| key.len() > 1).collect()
}

/// Objects like `base`, with a lookup under a key, in a list, or one level deeper.
fn with_lookups(base: &Value, keys: &[&str]) -> Vec<Value> {
    let forms = [lookup(), json!([lookup()]), json!({"query": lookup()}), json!({"x": {"filter": lookup()}})];
    let mut objects = Vec::new();
    for key in keys {
        for form in &forms {
            let mut object = base.clone();
            object[*key] = form.clone();
            objects.push(object);
        }
    }
    objects
}

const INSIDE: [&str; 12] = [
    "query",
    "filter",
    "filters",
    "must",
    "match",
    "script",
    "sources",
    "order",
    "inner_hits",
    "background_filter",
    "sort",
    "like",
];

/// Queries of every harmless kind.
fn queries() -> Vec<Value> {
    let mut queries = Vec::new();
    for kind in harmless("query") {
        let mut bodies = vec![lookup(), json!([lookup()]), json!({"f": lookup()})];
        for base in [
            json!({}),
            json!({"field": "t", "query": "a"}),
            json!({"query": "a", "fields": ["t"]}),
            json!({"script": {"source": "true"}}),
        ] {
            bodies.extend(with_lookups(&base, &INSIDE));
        }
        for base in [json!({"query": "a"}), json!({"value": "a"}), json!({"gte": 1})] {
            bodies.extend(with_lookups(&base, &INSIDE).into_iter().map(|body| json!({"t": body})));
        }
        queries.extend(bodies.into_iter().map(|body| json!({"query": {kind: body}})));
    }
    queries
}

/// Aggregations of every harmless kind.
fn aggregations() -> Vec<Value> {
    let mut searches = Vec::new();
    for kind in harmless("aggregation").into_iter().filter(|kind| *kind != "meta") {
        let mut bodies = vec![lookup(), json!([lookup()])];
        for base in [
            json!({"field": "n"}),
            json!({"field": "d", "fixed_interval": "1d"}),
            json!({"path": "o"}),
            json!({"type": "b"}),
            json!({"shard_size": 10}),
            json!({"buckets_path": "x"}),
            json!({"sources": [{"x": {"terms": {"field": "f"}}}]}),
            json!({"terms": [{"field": "f"}, {"field": "n"}]}),
        ] {
            bodies.extend(with_lookups(&base, &INSIDE));
        }
        searches.extend(bodies.into_iter().map(|body| json!({"aggs": {"a": {kind: body}}})));
    }
    searches
}

/// Every other harmless key of a search, and of what can stand in it.
fn others() -> Vec<Value> {
    let mut searches = with_lookups(&json!({}), &harmless("search"));
    let nested = |shape: &str, base: Value, put: &dyn Fn(Value) -> Value| {
        with_lookups(&base, &harmless(shape)).into_iter().map(put).collect::<Vec<_>>()
    };
    let function = json!({"query": {"match_all": {}}, "random_score": {}});
    searches.extend(nested("function_score", function, &|it| json!({"query": {"function_score": it}})));
    searches.extend(nested(
        "score_function",
        json!({}),
        &|it| json!({"query": {"function_score": {"functions": [it]}}}),
    ));
    let script = json!({"query": {"match_all": {}}, "script": {"source": "1"}});
    searches.extend(nested("script_score", script, &|it| json!({"query": {"script_score": it}})));
    searches.extend(nested("bool", json!({"must": []}), &|it| json!({"query": {"bool": it}})));
    let inner = json!({"path": "o", "query": {"match_all": {}}});
    searches.extend(nested("nested", inner.clone(), &|it| json!({"query": {"nested": it}})));
    searches.extend(nested("inner_hits", json!({}), &|it| {
        let mut query = inner.clone();
        query["inner_hits"] = it;
        json!({"query": {"nested": query}})
    }));
    let like = json!({"fields": ["t"], "like": "hello", "min_term_freq": 1});
    searches.extend(nested("more_like_this", like, &|it| json!({"query": {"more_like_this": it}})));
    let given = json!({"_index": "harmless-places", "_id": "1"});
    searches.extend(nested(
        "like",
        given,
        &|it| json!({"query": {"more_like_this": {"fields": ["t"], "like": it}}}),
    ));
    for (field, base) in [
        ("f", json!({"order": "asc"})),
        ("_script", json!({"script": {"source": "1"}, "type": "number"})),
        ("_geo_distance", json!({"g": [1, 2]})),
    ] {
        searches.extend(nested("sort_field", base, &|it| json!({"sort": [{field: it}]})));
    }
    let rescored = json!({"rescore_query": {"match_all": {}}});
    searches.extend(nested("rescore_query", rescored, &|it| json!({"rescore": {"query": it}})));
    searches.extend(nested("collapse", json!({"field": "f"}), &|it| json!({"collapse": it})));
    searches.extend(nested("ext", json!({}), &|it| json!({"ext": it})));
    for kind in ["term", "completion"] {
        let field = if kind == "term" { "t" } else { "c" };
        let objects =
            with_lookups(&json!({"field": field}), &["contexts", "fuzzy", "query", "filter", "sort"]);
        searches.extend(objects.into_iter().map(|it| json!({"suggest": {"s": {"text": "h", kind: it}}})));
    }
    for key in ["options", "order", "type", "query", "filter", "matched_fields", "boundary_chars"] {
        for it in with_lookups(&json!({"fields": {"t": {}}}), &[key]) {
            searches.push(json!({"query": {"match": {"t": "hello"}}, "highlight": it}));
        }
    }
    searches
}

/// Whether the engine looked for what is not there.
async fn looks(engine: &RestClient, search: &Value) -> bool {
    let (_, answer) = engine.rest(&Method::POST, &format!("{INDEX}/_search"), Some(search)).await.unwrap();
    answer.to_string().contains("no such index [not-there-at-all]")
}

#[tokio::test]
async fn a_lookup_in_a_place_that_is_called_harmless_makes_the_engine_look_nowhere() {
    let real = Real::start(&RealConfig::default()).await;
    let engine = real.testbed.engine.client().unwrap();
    engine.rest(&Method::DELETE, &format!("{INDEX}?ignore_unavailable=true"), None).await.unwrap();
    let fields = json!({"mappings": {"properties": {
        "f": {"type": "keyword"}, "t": {"type": "text"}, "n": {"type": "integer"}, "d": {"type": "date"},
        "g": {"type": "geo_point"}, "c": {"type": "completion"},
        "o": {"type": "nested", "properties": {"x": {"type": "keyword"}}},
        "j": {"type": "join", "relations": {"a": "b"}},
    }}});
    engine.expect(&Method::PUT, INDEX, Some(&fields)).await.unwrap();
    let document = json!({"f": "a", "t": "hello", "n": 1, "d": "2026-01-01", "g": [1, 2], "o": [{"x": "y"}]});
    engine.expect(&Method::PUT, &format!("{INDEX}/_doc/1?refresh=true"), Some(&document)).await.unwrap();

    // Where it does look, it says so.
    for search in [
        json!({"query": lookup()}),
        json!({"aggs": {"a": {"filter": lookup()}}}),
        json!({"query": {"function_score": {"functions": [{"filter": lookup(), "weight": 1}]}}}),
        json!({"sort": [{"o.x": {"nested": {"path": "o", "filter": lookup()}}}]}),
        json!({"query": {"match": {"t": "hello"}}, "highlight": {"highlight_query": lookup(), "fields": {"t": {}}}}),
    ] {
        assert!(looks(&engine, &search).await, "{search}");
    }

    let searches = [queries(), aggregations(), others()].concat();
    assert!(searches.len() > 6_000, "{}", searches.len());
    let searches = Arc::new(searches);
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let (engine, searches) = (engine.clone(), Arc::clone(&searches));
        tasks.spawn(async move {
            let mut looked = Vec::new();
            for search in searches.iter().skip(first).step_by(AT_ONCE) {
                if looks(&engine, search).await {
                    looked.push(search.to_string());
                }
            }
            looked
        });
    }
    let looked = tasks.join_all().await.concat();
    engine.rest(&Method::DELETE, INDEX, None).await.unwrap();
    assert!(looked.is_empty(), "places that name an index after all:\n{}", looked.join("\n"));
}
