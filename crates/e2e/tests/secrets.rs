//! No secret leaves the proxy but to whom it is for: not in logs, however chatty, not in the audit trail, metrics, spans'
//! worth of detail, or what clients and operators are told.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use e2e::{
    Client, ProxyFiles, Reply, RunningProxy, StandInEngine, StandInProvider, eventually, stand_in_config,
};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

const CLIENT_SECRET: &str = "introspection-secret-4711";
const PASSWORD: &str = "engine-password-0815";
const OPAQUE: &str = "opaque-token-that-nobody-should-see";
const BODY: &str = "what-stands-in-a-document";

/// A proxy that introspects and has one cluster for each kind of identity.
async fn start() -> (StandInProvider, StandInEngine, RunningProxy) {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    provider.set_introspection(json!({
        "active": true, "iss": provider.issuer(), "aud": "opensearch-proxy", "sub": "someone", "client_id": "opaque-client",
        "scope": "read:logs-* jwt/read:logs-* basic/read:logs-* forward/read:logs-*", "exp": 4_000_000_000_u64,
    }));
    let files = ProxyFiles::new();
    files.write("secret", CLIENT_SECRET);
    files.write("password", PASSWORD);
    let introspection = format!(
        "    introspection: {{endpoint: \"{}/introspect\", client_id: proxy, client_secret: \"${{file:secret}}\"}}\n\
         clusters:\n",
        provider.issuer()
    );
    let base = stand_in_config(&files, &provider, &[&engine.url()]);
    let (head, _) = base.split_once("clusters:\n").unwrap();
    let mut config =
        format!("{}{introspection}", head.replace("[opensearch-proxy]", "[opensearch-proxy, a, b, c]"));
    for (name, audience, identity) in [
        ("jwt", "a", "{signed_jwt: {private_key: signing.pem}}"),
        ("basic", "b", "{backend_user: {users: {reader: \"${file:password}\"}}}"),
        ("forward", "c", "{forward: {}}"),
    ] {
        let cluster = format!(
            "  - name: {name}\n    path_prefix: /{name}\n    audience: {audience}\n    nodes: [\"{}\"]\n    \
             response_timeout: 1s\n    identity: {identity}\n",
            engine.url()
        );
        config.push_str(&cluster);
    }
    config.push_str(
        "mappings:\n  - scope: \"basic/read:logs-*\"\n    clusters: [basic]\n    grant: {scopes: [\"basic/read:logs-*\"], \
         backend_user: reader}\n",
    );
    let proxy = RunningProxy::start(files, &config).await;
    (provider, engine, proxy)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one search through everything that was said")]
async fn nothing_tells_a_secret() {
    let log = Log::default();
    // All that we can say, and of the libraries what an operator could reasonably turn on.
    let filter = "debug,opensearch_oauth_proxy=trace,oidc=trace,engine=trace,access=trace,rest=trace,audit=trace,\
                  config=trace,transport=trace,wire=trace";
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(log.clone());
    subscriber.with_ansi(false).init();

    let (provider, engine, proxy) = start().await;
    let scope = "jwt/read:logs-* basic/read:logs-* forward/read:logs-*";
    let good = provider.token(scope);
    let expired = provider.build_token().claim("exp", 1_000_000).sign();
    let foreign = StandInProvider::start().await.token(scope);
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 8.., "AAAAAAAA");
    let anonymous = Client::new(proxy.address, &proxy.ca());
    engine.answer("/logs-forbidden/_search", |_| {
        let mut response = Response::new(Full::from("{}"));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    engine.answer("/logs-unauthorized/_search", |_| {
        let mut response = Response::new(Full::from("{}"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
    });
    engine.hold("/logs-slow/_search");

    let mut replies: Vec<Reply> = Vec::new();
    let http2 = Client::http2(proxy.address, &proxy.ca());
    let broken = format!("{good} {good}");
    for token in [good.as_str(), &expired, &foreign, &forged, OPAQUE, &broken] {
        for client in [&anonymous, &http2] {
            let client = client.clone().with_token(token);
            for cluster in ["jwt", "basic", "forward", "nowhere"] {
                for index in ["logs-a", "secret", "logs-forbidden", "logs-unauthorized", "logs-a/"] {
                    replies.push(client.get(&format!("/{cluster}/{index}/_search?q=private")).await);
                }
            }
        }
    }
    let client = anonymous.clone().with_token(&good);
    replies.push(client.get("/jwt/logs-slow/_search").await);
    replies.push(client.get(&format!("/jwt/logs-a/_search?access_token={good}")).await);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = Bytes::from(format!("access_token={good}"));
    replies.push(client.send(Method::POST, "/jwt/logs-a/_search", &form, body).await);
    let twice = format!("Bearer {good}");
    replies.push(
        client.send(Method::GET, "/jwt/logs-a/_search", &[("authorization", &twice)], Bytes::new()).await,
    );
    let cookie = [("cookie", "security_authentication=session-cookie-value")];
    replies.push(client.send(Method::GET, "/jwt/logs-a/_search", &cookie, Bytes::new()).await);
    replies.push(
        client.json(Method::POST, "/jwt/logs-a/_search", &json!({"query": {"match": {"a": BODY}}})).await,
    );
    replies.push(client.json(Method::POST, "/jwt/logs-a/_doc", &json!({"a": BODY})).await);
    assert!(replies.iter().any(|reply| reply.status == StatusCode::OK));

    // A failing provider and a failing reload have things to say, too.
    let text = std::fs::read_to_string(proxy.config_path()).unwrap();
    proxy.rewrite_config(&text.replace("${file:secret}", "${file:secret} "));
    proxy.reloader().reload("test").await;
    proxy.rewrite_config(
        &text.replace("client_secret: \"${file:secret}\"", &format!("client_secret: {CLIENT_SECRET}")),
    );
    let refused = proxy.reloader().try_reload().await.map_err(|error| error.to_string()).unwrap_err();
    proxy.reloader().reload("test").await;
    provider.set_down(true);
    replies.push(
        anonymous.clone().with_token("another-opaque-token-of-somebody").get("/jwt/logs-a/_search").await,
    );

    let engine_credentials: Vec<String> = engine
        .seen()
        .iter()
        .filter_map(|seen| seen.headers.get("authorization")?.to_str().ok().map(ToOwned::to_owned))
        .filter_map(|value| value.split_once(' ').map(|(_, credential)| credential.to_owned()))
        .collect();
    assert!(engine_credentials.iter().any(|credential| credential.starts_with("eyJ") && *credential != good));
    assert!(
        engine_credentials.contains(&data_encoding::BASE64.encode(format!("reader:{PASSWORD}").as_bytes()))
    );
    let key = std::fs::read_to_string(proxy.files().path("signing.pem")).unwrap();

    let metrics = proxy.admin("/metrics").await.text();
    let ready = proxy.admin("/readyz").await.text();
    let debug = format!("{:?}", proxy.proxy());
    let files = proxy.stop().await;
    let audit = std::fs::read_to_string(files.path("audit.log")).unwrap();
    eventually("it was logged", async || log.text().contains("a request failed").then_some(())).await;
    let told: String = replies
        .iter()
        .map(|reply| format!("{} {:?} {}\n", reply.status, reply.headers, reply.text()))
        .chain([refused, ready])
        .collect();
    let log = log.text();
    let places =
        [("log", &log), ("audit", &audit), ("metrics", &metrics), ("answers", &told), ("Debug", &debug)];

    let mut secrets: Vec<&str> = vec![CLIENT_SECRET, PASSWORD, OPAQUE, "another-opaque-token-of-somebody"];
    secrets.extend([good.as_str(), &expired, &foreign, &forged]);
    // The signature alone makes a token of what else is known.
    secrets.extend([&good, &expired, &foreign].map(|token| token.rsplit('.').next().unwrap()));
    secrets.extend(engine_credentials.iter().map(String::as_str));
    secrets.extend(engine_credentials.iter().filter_map(|token| token.rsplit('.').next()));
    secrets.extend(key.lines().filter(|line| !line.starts_with("-----")));
    secrets.extend(["session-cookie-value", BODY]);
    for (place, text) in places {
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} stands in the {place}");
        }
    }
    // What makes the search worth something: the places do hold what belongs there.
    assert!(
        log.contains("engine_refused_identity")
            && audit.contains("tester")
            && told.contains("insufficient_scope")
    );
    assert!(!audit.contains("private"), "no query stands in the audit trail");
}
