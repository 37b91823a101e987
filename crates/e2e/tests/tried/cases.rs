//! What is tried, in the order of the page.

use crate::page::{Body, Case, Group, case};

/// Requests of one caller after the other; `identity`, `mappings` and `read_bodies` say how the proxy is configured.
pub(crate) fn groups() -> Vec<Group> {
    vec![
        reader(),
        ambiguous(),
        writer(),
        manager(),
        monitor_cluster(),
        monitor_indices(),
        administrator(),
        reader_of_all(),
        two_scopes(),
    ]
}

fn reader() -> Group {
    Group::of("langchain-agent", "read:logs-*", "Reading").with(vec![
        case("GET /"),
        case("GET /_plugins/_security/authinfo").showing(&["/user_name", "/backend_roles"]),
        case("GET /logs-*/_search?size=0"),
        case("POST /logs-*/_search").json(r#"{"query":{"match":{"level":"ERROR"}},"size":0}"#),
        case("GET /logs-app-2026.11.24/_doc/0"),
        case("HEAD /logs-app-2026.11.24"),
        case("GET /logs-app-*,logs-web-2026.11.24/_count"),
        case("GET /logs-*,-logs-tenant-*/_search?size=0"),
        case("GET /%3Clogs-app-%7Bnow%2Fd%7D%3E/_search?size=0&ignore_unavailable=true"),
        case("GET /logs-*/_search?size=0&expand_wildcards=all"),
        case("GET /logs-*/_mapping"),
        case("GET /logs-*/_settings"),
        case("GET /logs-*/_alias"),
        case("GET /logs-*/_field_caps?fields=level"),
        case("GET /_cat/count/logs-*"),
        case("GET /_resolve/index/logs-*"),
        case("GET /pii-customers/_search?size=0"),
        case("GET /logs-*,pii-customers/_search?size=0"),
        case("GET /log*/_search?size=0"),
        case("GET /_search?size=0"),
        case("GET /_all/_search?size=0"),
        case("GET /*/_search?size=0"),
        case("GET /other:logs-*/_search?size=0"),
        case("GET /.opendistro_security/_search?size=0"),
        case("GET /logs-tried-alias/_count")
            .showing(&["/count"])
            .note("an alias of `pii-customers`, by a name inside of the scope"),
        case("POST /logs-web-2026.11.24/_count")
            .json(r#"{"query":{"terms":{"level":{"index":"secret-tried","id":"1","path":"levels"}}}}"#)
            .showing(&["/count"])
            .note("a query that looks into another index"),
        case("POST /logs-web-2026.11.24/_search")
            .json(r#"{"query":{"terms":{"level":{"index":"secret-tried","id":"1","path":"levels"}}},"size":0}"#)
            .showing(&["/hits/total/value"])
            .note("the same, as a search"),
        case("POST /logs-web-2026.11.24/_search")
            .json(r#"{"query":{"more_like_this":{"fields":["message"],"like":[{"_index":"secret-tried","_id":"1"}],"min_term_freq":1,"min_doc_freq":1}},"size":0}"#)
            .showing(&["/hits/total/value"])
            .note("a document of another index to compare with"),
        case("GET /logs-*/_search?size=0&search_pipeline=other"),
        case("GET /_cat/indices/logs-*"),
        case("GET /_cat/indices"),
        case("GET /_mapping"),
        case("GET /_cluster/health"),
        case("GET /_nodes"),
        case("GET /_index_template"),
        case("POST /logs-app-2026.11.24/_doc").json(r#"{"message":"x"}"#),
        case("DELETE /logs-app-2026.11.24"),
        case("PUT /logs-tried-new"),
        case("POST /_msearch").lines(&[r#"{"index":"logs-*"}"#, r#"{"size":0}"#]),
        case("POST /_mget").json(r#"{"docs":[{"_index":"logs-app-2026.11.24","_id":"0"}]}"#),
        case("POST /_search/scroll").json(r#"{"scroll_id":"x"}"#),
        case("POST /_bulk").lines(&[r#"{"index":{"_index":"logs-app-tried"}}"#, r#"{"message":"x"}"#]),
        case("POST /_reindex").json(r#"{"source":{"index":"pii-customers"},"dest":{"index":"logs-tried"}}"#),
        case("POST /_plugins/_sql").json(r#"{"query":"select * from pii-customers"}"#),
        case("GET /_plugins/_security/api/roles"),
        case("GET /_plugins/_alerting/monitors/alerts"),
        case("GET /_plugins/_nothing"),
        case("PUT /logs-*/_search"),
        case("OPTIONS /logs-*/_search"),
    ])
}

fn ambiguous() -> Group {
    Group::of("ops", "read:*", "Two readings").with(vec![
        case("GET /logs-*//_search"),
        case("GET /logs-*/_search/"),
        case("GET /%6Cogs-app-2026.11.24/_search"),
        case("GET /logs-a/../pii-customers/_search"),
        case("GET /logs-a/%2E%2E/_search"),
        case("GET /logs-%252A/_search"),
        case("GET /logs-a;x/_search"),
        case("GET /logs-a,,logs-b/_search"),
        case("GET /-logs-a/_search"),
        case("GET /logs-*/_search?index=pii-customers"),
        case("GET /logs-*/_search?size=1&size=2"),
        case("GET /logs-*/_search?size=1;from=2"),
        case("GET /logs-*/_search?source=%7B%7D&source_content_type=application/json"),
        case("GET /logs-*/_search?access_token=x"),
    ])
}

fn writer() -> Group {
    Group::of("fluent-bit", "write:logs-app-*", "Writing").with(vec![
        case("POST /logs-app-tried/_doc").json(r#"{"message":"x"}"#),
        case("PUT /logs-app-tried/_doc/1").json(r#"{"message":"x"}"#),
        case("POST /logs-app-tried/_create/2").json(r#"{"message":"x"}"#),
        case("POST /logs-app-tried/_update/1").json(r#"{"doc":{"message":"y"}}"#),
        case("DELETE /logs-app-tried/_doc/1"),
        case("GET /logs-app-tried/_doc/2"),
        case("GET /logs-app-tried/_search?size=0"),
        case("GET /logs-app-tried/_count"),
        case("POST /metrics-tried/_doc").json(r#"{"message":"x"}"#),
        case("POST /logs-*/_doc").json(r#"{"message":"x"}"#),
        case("POST /logs-app-tried/_doc?pipeline=other").json(r#"{"message":"x"}"#),
        case("POST /logs-app-tried/_bulk").lines(&[r#"{"index":{}}"#, r#"{"message":"x"}"#]),
        case("POST /logs-app-tried/_refresh"),
        case("PUT /logs-app-tried-explicit"),
        case("DELETE /logs-app-tried"),
    ])
}

fn manager() -> Group {
    Group::of("ops", "manage:logs-*", "Managing indices").with(vec![
        case("PUT /logs-tried-new"),
        case("PUT /logs-tried/_mapping").json(r#"{"properties":{"x":{"type":"keyword"}}}"#),
        case("PUT /logs-tried/_settings").json(r#"{"index":{"number_of_replicas":0}}"#),
        case("POST /logs-tried/_refresh"),
        case("POST /logs-tried/_close"),
        case("POST /logs-tried/_open"),
        case("PUT /logs-tried/_alias/logs-tried-too"),
        case("GET /logs-tried/_search?size=0"),
        case("POST /logs-tried/_doc").json(r#"{"x":"y"}"#),
        case("PUT /metrics-tried"),
        case("POST /_aliases").json(r#"{"actions":[{"add":{"index":"pii-customers","alias":"logs-x"}}]}"#),
        case("PUT /_index_template/tried").json(r#"{"index_patterns":["logs-tried-*"]}"#),
        case("DELETE /logs-tried"),
        case("DELETE /*"),
    ])
}

fn monitor_cluster() -> Group {
    Group::of("ops", "monitor:cluster", "Watching the cluster").with(vec![
        case("GET /_cluster/health"),
        case("GET /_cat/nodes"),
        case("GET /_nodes/stats"),
        case("GET /_tasks"),
        case("GET /_cluster/pending_tasks"),
        case("GET /_cat/indices"),
        case("GET /logs-*/_search?size=0"),
        case("PUT /_cluster/settings").json(r#"{"transient":{}}"#),
    ])
}

fn monitor_indices() -> Group {
    Group::of("ops", "monitor:*", "Watching indices").with(vec![
        case("GET /_cat/indices"),
        case("GET /_cat/shards"),
        case("GET /_stats"),
        case("GET /logs-*/_stats"),
        case("GET /_cluster/health"),
        case("GET /logs-*/_search?size=0"),
    ])
}

fn administrator() -> Group {
    Group::of("ops", "admin:cluster", "Administering the cluster").with(vec![
        case("GET /_cluster/health"),
        case("GET /_cluster/settings"),
        case("PUT /_index_template/tried").json(r#"{"index_patterns":["logs-tried-*"]}"#),
        case("DELETE /_index_template/tried"),
        case("PUT /_ingest/pipeline/tried").json(r#"{"processors":[]}"#),
        case("DELETE /_ingest/pipeline/tried"),
        case("GET /_search?size=0"),
        case("GET /_plugins/_security/api/roles"),
    ])
}

fn reader_of_all() -> Group {
    Group::of("ops", "read:*", "Reading everything").with(vec![
        case("GET /_search?size=0"),
        case("GET /pii-customers/_search?size=0"),
        case("POST /_msearch").lines(&[r#"{"index":"logs-*"}"#, r#"{"size":0}"#]),
        case("POST /_mget").json(r#"{"docs":[{"_index":"pii-customers","_id":"0"}]}"#),
        case("GET /.opendistro_security/_search?size=0"),
        case("GET /_search?size=0&expand_wildcards=all"),
        case("GET /_cluster/health"),
        case("POST /logs-app-tried/_doc").json(r#"{"message":"x"}"#),
    ])
}

fn two_scopes() -> Group {
    Group::of("ops", "read:logs-* read:metrics-*", "Two scopes").with(vec![
        case("GET /logs-*/_search?size=0"),
        case("GET /logs-*,metrics-*/_search?size=0"),
        case("GET /_search?size=0"),
    ])
}

/// Requests that name their targets in the body.
pub(crate) fn in_bodies() -> Vec<Group> {
    let lookup = |index: &str| {
        let body = format!(
            r#"{{"query":{{"terms":{{"level":{{"index":"{index}","id":"1","path":"levels"}}}}}},"size":0}}"#
        );
        case("POST /logs-*/_search").body(Body::Json(body))
    };
    let agent = vec![
        case("POST /_msearch").lines(&[r#"{"index":"logs-*"}"#, r#"{"size":0}"#]),
        case("POST /_msearch").lines(&[r#"{"index":"pii-customers"}"#, r#"{"size":0}"#]),
        case("POST /_msearch").lines(&["{}", r#"{"size":0}"#]),
        case("POST /_mget").json(r#"{"docs":[{"_index":"logs-app-2026.11.24","_id":"0"}]}"#),
        case("POST /_mget").json(r#"{"docs":[{"_index":"pii-customers","_id":"0"}]}"#),
        lookup("logs-app-2026.11.24"),
        lookup("secret-tried"),
        case("POST /logs-*/_search").json(r#"{"size":0,"size":1}"#),
        case("POST /_plugins/_sql").json(r#"{"query":"select * from pii-customers"}"#),
    ];
    let shipper: Vec<Case> = vec![
        case("POST /_bulk").lines(&[r#"{"index":{"_index":"logs-app-tried"}}"#, r#"{"message":"x"}"#]),
        case("POST /logs-app-tried/_bulk").lines(&[r#"{"index":{}}"#, r#"{"message":"x"}"#]),
        case("POST /_bulk").lines(&[r#"{"index":{"_index":"pii-customers"}}"#, r#"{"message":"x"}"#]),
        case("POST /logs-app-tried/_bulk").lines(&[r#"{"delete":{"_index":"pii-customers","_id":"0"}}"#]),
    ];
    let manager = vec![
        case("PUT /logs-tried").json(r#"{"settings":{"number_of_replicas":0}}"#),
        case("PUT /logs-tried-new").json(r#"{"aliases":{"pii-too":{}}}"#),
        case("POST /_aliases")
            .json(r#"{"actions":[{"add":{"index":"logs-tried","alias":"logs-tried-too"}}]}"#),
        case("POST /_aliases").json(r#"{"actions":[{"add":{"index":"pii-customers","alias":"logs-x"}}]}"#),
        case("DELETE /logs-tried"),
    ];
    vec![
        Group::of("langchain-agent", "read:logs-*", "Reading").with(agent),
        Group::of("fluent-bit", "write:logs-app-*", "Writing").with(shipper),
        Group::of("ops", "manage:logs-*", "Managing indices").with(manager),
    ]
}

/// Who the engine sees.
pub(crate) fn who() -> Vec<Group> {
    vec![Group::of("langchain-agent", "read:logs-*", "").with(vec![
        case("GET /_plugins/_security/authinfo").showing(&["/user_name", "/backend_roles"]),
        case("GET /logs-*/_search?size=0"),
        case("GET /pii-customers/_search?size=0"),
    ])]
}

/// What document-level security leaves.
pub(crate) fn tenant() -> Vec<Group> {
    vec![Group::of("tenant-acme", "read:logs-*", "").with(vec![
        case("GET /_plugins/_security/authinfo").showing(&["/user_name", "/backend_roles"]),
        case("GET /logs-tenant-2026.11.24/_count").showing(&["/count"]),
        case("GET /logs-app-2026.11.24/_count"),
    ])]
}

/// Tokens that are none here.
pub(crate) fn strangers() -> Vec<Group> {
    let search = || vec![case("GET /logs-*/_search?size=0")];
    vec![
        Group::of("", "", "Without a token").with(search()),
        Group::of("other-audience", "read:logs-*", "A token without this audience").with(search()),
        Group::of("langchain-agent", "role:logs_reader", "A role without a mapping").with(search()),
    ]
}
