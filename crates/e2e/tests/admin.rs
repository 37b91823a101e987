//! What operators and their tools see: probes and metrics.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::collections::BTreeMap;

use bytes::Bytes;
use e2e::{ProxyFiles, RunningProxy, StandInEngine, StandInProvider, StandIns, eventually, stand_in_config};
use http::{Method, StatusCode};

#[tokio::test]
async fn live_at_once_and_ready_when_there_is_somebody_to_ask() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let engine_address = engine.address();
    provider.set_down(true);
    drop(engine);
    let files = ProxyFiles::new();
    let cluster = "    health: {interval: 100ms, timeout: 1s, failures: 1}\n";
    let config =
        format!("{}{cluster}", stand_in_config(&files, &provider, &[&format!("http://{engine_address}")]));
    let proxy = RunningProxy::start(files, &config).await;

    let live = proxy.admin("/livez").await;
    assert_eq!((live.status, live.text().as_str()), (StatusCode::OK, "ok\n"));
    let ready = proxy.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.header("content-type"), "application/json");
    assert_eq!(ready.json()["ready"], false);
    let problems = ready.json()["problems"].to_string();
    assert!(problems.contains("provider stand-in") && problems.contains("cluster main"), "{problems}");

    provider.set_down(false);
    eventually("the provider is no problem any more", async || {
        let problems = proxy.admin("/readyz").await.json()["problems"].to_string();
        (!problems.contains("provider")).then_some(())
    })
    .await;
    assert_eq!(
        proxy.admin("/readyz").await.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the engine is still away"
    );
    let _engine = StandInEngine::start_at(engine_address).await;
    let ready = eventually("it is ready", async || {
        let ready = proxy.admin("/readyz").await;
        (ready.status == StatusCode::OK).then_some(ready)
    })
    .await;
    assert_eq!(ready.json(), serde_json::json!({"ready": true, "problems": []}));
}

#[tokio::test]
async fn only_these_paths_only_get_and_only_here() {
    let world = StandIns::start().await;
    assert!(world.proxy.admin.ip().is_loopback());
    for path in ["/", "/metrics/", "/_search", "/readyz/x"] {
        assert_eq!(world.proxy.admin(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let metrics = world.proxy.admin("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    assert!(metrics.text().ends_with("# EOF\n"));

    // On the public port these are nothing but operations that the engine does not have.
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(world.anonymous().get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let reply = world.client("read:logs-*").get(path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}: {}", reply.text());
        assert!(!reply.text().contains("opensearch_oauth_proxy"), "{path}");
    }
    assert!(world.engine.seen().is_empty());
}

/// Samples by name and labels, without the common prefix.
async fn samples(world: &StandIns) -> BTreeMap<String, f64> {
    let text = world.proxy.admin("/metrics").await.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name = name.strip_prefix("opensearch_oauth_proxy_").unwrap_or_else(|| unreachable!("{line}"));
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_figure_is_there_and_right() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-*");
    let client = world.anonymous().with_token(&token);
    for _ in 0..4 {
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    }
    let body = serde_json::json!({"query": {"match_all": {}}});
    assert_eq!(client.json(Method::POST, "/logs-a/_search", &body).await.status, StatusCode::OK);
    assert_eq!(client.get("/secret/_search").await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.anonymous().get("/logs-a/_search").await.status, StatusCode::UNAUTHORIZED);
    let expired = world.provider.build_token().claim("exp", 1_000_000).sign();
    assert_eq!(world.anonymous().with_token(expired).get("/").await.status, StatusCode::UNAUTHORIZED);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = client.send(Method::POST, "/logs-a/_search", &form, Bytes::from_static(b"a=b")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    world.engine.answer("/logs-b/_search", |_| {
        let mut response = http::Response::new(http_body_util::Full::default());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response
    });
    assert_eq!(client.get("/logs-b/_search").await.status, StatusCode::TOO_MANY_REQUESTS);

    let found = eventually("all is counted", async || {
        world.proxy.audit().await;
        let samples = samples(&world).await;
        (samples["in_flight"] == 0.0 && samples["connections"] == 0.0).then_some(samples)
    })
    .await;
    let node = world.engine.address();
    let requests = |action: &str, decision: &str, status: &str| {
        format!(
            "requests_total{{cluster=\"main\",action=\"{action}\",decision=\"{decision}\",status=\"{status}\"}}"
        )
    };
    let refusals =
        |layer: &str, reason: &str| format!("refusals_total{{layer=\"{layer}\",reason=\"{reason}\"}}");
    let at = |name: &str| format!("{name}{{cluster=\"main\",node=\"{node}\"}}");
    let of = |name: &str| format!("{name}{{provider=\"stand-in\"}}");
    let expected = [
        (requests("read", "allow", "2xx"), 5.0),
        (requests("read", "allow", "4xx"), 1.0),
        // Beyond its scope, without a token, and with an expired one.
        (requests("read", "deny", "4xx"), 3.0),
        // The form, which was refused before a cluster was looked for.
        ("requests_total{cluster=\"none\",action=\"none\",decision=\"deny\",status=\"4xx\"}".to_owned(), 1.0),
        (refusals("scope", "insufficient_scope"), 1.0),
        (refusals("token", "no_token"), 1.0),
        (refusals("token", "expired"), 1.0),
        (refusals("request", "form_body"), 1.0),
        ("added_latency_seconds_count".to_owned(), 6.0),
        ("upstream_latency_seconds_count{cluster=\"main\"}".to_owned(), 6.0),
        ("request_bytes_total".to_owned(), 26.0),
        ("tls_handshake_failures_total".to_owned(), 0.0),
        ("config_last_reload_successful".to_owned(), 1.0),
        ("config_generation".to_owned(), 1.0),
        // The form never came to its token, and the expired one is not kept.
        ("token_cache_entries".to_owned(), 1.0),
        ("token_cache_hits_total".to_owned(), 6.0),
        ("token_cache_misses_total".to_owned(), 2.0),
        (of("jwks_keys"), 1.0),
        (of("jwks_fetches_total"), 1.0),
        (of("jwks_fetch_failures_total"), 0.0),
        (at("node_healthy"), 1.0),
        (at("pool_idle"), 1.0),
        (at("pool_in_use"), 0.0),
        (at("pool_connects_total"), 1.0),
        (at("pool_connect_failures_total"), 0.0),
        ("audit_written_total".to_owned(), 10.0),
        ("audit_dropped_total".to_owned(), 0.0),
        ("audit_write_errors_total".to_owned(), 0.0),
        ("audit_queue_depth".to_owned(), 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(found.get(&name), Some(&value), "{name} in {found:#?}");
    }
    assert!(found[&of("jwks_age_seconds")] >= 0.0);
    assert!(found["certificate_not_after_seconds"] > 1e9);
    assert!(found["response_bytes_total"] > 10.0);
    let text = world.proxy.admin("/metrics").await.text();
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = family.split(' ').next().unwrap();
        assert_eq!(name.matches("opensearch_oauth_proxy").count(), 1, "{family}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is explained");
    }
    for secret in [token.as_str(), "tester", "logs-a", "secret"] {
        assert!(!text.contains(secret), "{secret}: nothing of a request becomes a label");
    }
}

#[tokio::test]
async fn a_request_under_way_shows() {
    let world = StandIns::start().await;
    world.engine.hold("/logs-held/_search");
    let client = world.client("read:logs-*");
    let asked = tokio::spawn(async move { client.get("/logs-held/_search").await });
    world.engine.wait_for(1).await;
    let during = samples(&world).await;
    let in_use = format!("pool_in_use{{cluster=\"main\",node=\"{}\"}}", world.engine.address());
    let figures = (during["in_flight"], during["connections"], during[&in_use]);
    assert_eq!(figures, (1.0, 1.0, 1.0));
    world.engine.release("/logs-held/_search");
    assert_eq!(asked.await.unwrap().status, StatusCode::OK);
    eventually("nothing is under way", async || {
        let after = samples(&world).await;
        (after["in_flight"] == 0.0 && after["connections"] == 0.0 && after[&in_use] == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_failed_handshake_is_counted() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = StandIns::start().await;
    let mut plain = tokio::net::TcpStream::connect(world.proxy.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    eventually("it is counted", async || {
        (world.proxy.metric("tls_handshake_failures_total").await == Some(1.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_admin_listener_answers_while_all_connections_are_taken() {
    let world = StandIns::start_with("limits: {max_connections: 1}\n").await;
    let _taken = world.anonymous().connect().await;
    assert_eq!(world.proxy.admin("/livez").await.status, StatusCode::OK);
    assert_eq!(world.proxy.metric("connections").await, Some(1.0));
}
