//! Paths and queries that two readers could read differently, through the whole proxy, on HTTP/1.1 and HTTP/2.

use e2e::{Client, StandIns};
use http::StatusCode;

const REFUSED: &[(&str, &str)] = &[
    ("//_search", "path_not_canonical"),
    ("/logs-a//_search", "path_not_canonical"),
    ("/logs-a/_search/", "path_not_canonical"),
    ("/./_search", "path_not_canonical"),
    ("/logs-a/../secret/_search", "path_not_canonical"),
    ("/logs-a/%2e%2e/secret/_search", "path_not_canonical"),
    ("/logs-a/%2E/_search", "path_not_canonical"),
    ("/%5Fsearch", "path_not_canonical"),
    ("/%5Fall/_search", "path_not_canonical"),
    ("/logs-a%2F..%2Fsecret/_search", "path_not_canonical"),
    ("/logs-a%5C_search", "index_expression"),
    ("/logs-a;x/_search", "path_not_canonical"),
    ("/logs-a%00/_search", "path_not_canonical"),
    ("/logs-a%/_search", "path_not_canonical"),
    ("/logs-a/_search?q=1;index=secret", "query_not_canonical"),
    ("/logs-a/_search?q=%zz", "query_not_canonical"),
    ("/logs-a/_search?size=1&size=2", "query_duplicate"),
    ("/logs-a/_search?size=1&%73ize=2", "query_duplicate"),
    ("/_search?index=secret", "target_in_query"),
    ("/logs-a/_search?index=secret", "target_in_query"),
    ("/logs-a/_search?source=%7B%7D&source_content_type=application/json", "source_in_query"),
    ("/logs-a/_search?access_token=abc", "token_in_query"),
    ("/-secret/_search", "index_expression"),
];

async fn refused(world: &StandIns, client: &Client) {
    for (target, reason) in REFUSED {
        let reply = client.get(target).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, *reason), "{target}");
        assert_eq!(world.proxy.last_audit().await["reason"], *reason, "{target}");
    }
    assert!(world.engine.seen().is_empty(), "the engine saw none of them");
}

#[tokio::test]
async fn over_http1() {
    let world = StandIns::start().await;
    refused(&world, &world.client("read:* admin:*")).await;
}

#[tokio::test]
async fn over_http2() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:* admin:*");
    refused(&world, &Client::http2(world.proxy.address, &world.proxy.ca()).with_token(token)).await;
}

#[tokio::test]
async fn what_honest_clients_send_is_understood() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    for target in [
        "/logs-a/_search",
        "/logs-*/_search?q=level:error&size=10",
        "/logs-%2A/_search",
        "/logs-a,logs-b/_search",
        "/logs-a%2Clogs-b/_search",
        "/%3Clogs-%7Bnow%2Fd%7D%3E/_search",
        "/logs-a/_doc/a%2Fb",
        "/logs-a/_mapping",
        "/logs-*,-logs-secret/_count",
    ] {
        let reply = client.get(target).await;
        assert_eq!(reply.status, StatusCode::OK, "{target}: {}", reply.text());
        assert_eq!(world.engine.last().target, target, "forwarded as it came");
    }
}

#[tokio::test]
async fn unknown_operations_and_methods_are_refused_to_those_who_are_known() {
    let world = StandIns::start().await;
    let client = world.client("admin:* admin:cluster");
    for (method, path, status, code) in [
        ("GET", "/_plugins/_unheard_of", StatusCode::FORBIDDEN, "unknown_operation"),
        ("GET", "/_nosuch", StatusCode::FORBIDDEN, "unknown_operation"),
        ("PATCH", "/logs-a/_search", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        ("OPTIONS", "/logs-a/_search", StatusCode::METHOD_NOT_ALLOWED, "method_not_served"),
        ("TRACE", "/", StatusCode::METHOD_NOT_ALLOWED, "method_not_served"),
    ] {
        let reply = client.send(method.parse().unwrap(), path, &[], bytes::Bytes::new()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{method} {path}");
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(!reply.header("allow").is_empty(), "RFC 9110 §15.5.6: {method} {path}");
        }
    }
    let reply = world.anonymous().get("/_nosuch").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "strangers learn nothing of what is served");
}
