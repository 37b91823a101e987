//! What reaches the engine, and what comes back: headers. Against a stand-in engine, since a real one does not tell.

use bytes::Bytes;
use e2e::StandIns;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

/// Headers by which an upstream could be made to believe something about the caller, in spellings that servers treat
/// alike.
const TRUSTED: [&str; 26] = [
    "x-forwarded-for",
    "X_Forwarded_For",
    "X-Forwarded-User",
    "X_Forwarded_User",
    "x-forwarded_proto",
    "x.forwarded.host",
    "Forwarded",
    "x-proxy-user",
    "X_Proxy_User",
    "x-proxy-roles",
    "x-proxy-ext-tenant",
    "opendistro_security_impersonate_as",
    "opendistro-security-impersonate-as",
    "_opendistro_security_user",
    "_opendistro_security_remote_address",
    "securitytenant",
    "security_tenant",
    "Cookie",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-method-override",
    "proxy-authorization",
    "x-ssl-client-cert",
    "via",
];

#[tokio::test]
async fn nothing_a_client_sends_can_speak_for_the_proxy() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    let headers: Vec<(&str, &str)> = TRUSTED.iter().map(|&name| (name, "admin")).collect();
    let reply = client.send(Method::GET, "/logs-a/_search", &headers, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());

    let seen = world.engine.last();
    let values =
        |name: &str| seen.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    assert_eq!(values("x-forwarded-for"), [b"127.0.0.1"], "only the proxy's own word");
    for name in TRUSTED.iter().filter(|name| !name.eq_ignore_ascii_case("x-forwarded-for")) {
        let name = name.to_ascii_lowercase();
        assert!(!seen.headers.contains_key(&name), "{name} reached the engine");
    }
    let folded: Vec<String> =
        seen.headers.keys().map(|name| name.as_str().replace(['_', '.'], "-")).collect();
    assert_eq!(folded.iter().filter(|name| *name == "x-forwarded-for").count(), 1, "{folded:?}");
}

#[tokio::test]
async fn one_authorization_reaches_the_engine_and_it_is_the_proxys() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-*");
    let client = world.anonymous().with_token(&token);
    client.get("/logs-a/_search").await;
    let seen = world.engine.last();
    let values: Vec<_> = seen.headers.get_all("authorization").iter().collect();
    assert_eq!(values.len(), 1);
    let value = values[0].to_str().unwrap();
    assert!(value.starts_with("Bearer ") && !value.contains(&token), "the caller's own token stays here");
    assert_eq!(seen.headers.get("host").unwrap().to_str().unwrap(), world.engine.address().to_string());
}

#[tokio::test]
async fn what_clients_need_passes() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    let sent = [
        ("x-opaque-id", "mine"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip"),
        ("user-agent", "test"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "vendor=1"),
    ];
    client.send(Method::GET, "/logs-a/_search?q=a%20b&pretty", &sent, Bytes::new()).await;
    let seen = world.engine.last();
    assert_eq!(seen.target, "/logs-a/_search?q=a%20b&pretty", "path and query are not rewritten");
    for (name, value) in sent {
        assert_eq!(seen.headers.get(name).map(HeaderValue::as_bytes), Some(value.as_bytes()), "{name}");
    }
    let record = world.proxy.last_audit().await;
    assert_eq!(record["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn connection_may_not_take_away_what_the_proxy_relies_on() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    for named in
        ["x-proxy-user", "X-Forwarded-User", "host, x-forwarded-for", "content-type", "securitytenant"]
    {
        let reply = client.send(Method::GET, "/logs-a/_search", &[("connection", named)], Bytes::new()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{named}");
        assert_eq!(reply.code(), "connection_header", "{named}");
    }
    let hop = [("connection", "x-hop"), ("x-hop", "1"), ("x-stays", "1"), ("keep-alive", "timeout=5")];
    let reply = client.send(Method::GET, "/logs-a/_search", &hop, Bytes::new()).await;
    assert_eq!(reply.status, StatusCode::OK);
    let seen = world.engine.last();
    assert!(!seen.headers.contains_key("x-hop") && !seen.headers.contains_key("keep-alive"));
    assert!(seen.headers.contains_key("x-stays"));
}

#[tokio::test]
async fn nothing_of_the_proxys_session_with_the_engine_reaches_the_client() {
    let world = StandIns::start().await;
    world.engine.answer("/logs-a/_search", |_| {
        let mut response = Response::new(Full::from("{}"));
        for (name, value) in [
            ("set-cookie", "security_authentication=secret"),
            ("www-authenticate", "Basic realm=x"),
            ("connection", "x-gone"),
            ("x-kept", "1"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    });
    let reply = world.client("read:logs-*").get("/logs-a/_search").await;
    assert_eq!(reply.status, StatusCode::OK);
    for gone in ["set-cookie", "www-authenticate", "connection"] {
        assert!(!reply.headers.contains_key(gone), "{gone}");
    }
    assert_eq!(reply.header("x-kept"), "1");
    assert!(!reply.header("x-request-id").is_empty());
    assert_eq!(world.engine.last().headers["x-request-id"], reply.header("x-request-id"));
}

#[tokio::test]
async fn an_engine_that_refuses_the_proxys_identity_is_the_operators_matter() {
    let world = StandIns::start().await;
    world.engine.answer("/logs-a/_search", |_| {
        let mut response = Response::new(Full::from("Unauthorized"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    });
    let reply = world.client("read:logs-*").get("/logs-a/_search").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY, "a 401 would make the client renew its token for ever");
    assert_eq!(reply.code(), "engine_refused_identity");
    let record = world.proxy.last_audit().await;
    assert_eq!((record["layer"].as_str(), record["decision"].as_str()), (Some("engine"), Some("error")));
}
