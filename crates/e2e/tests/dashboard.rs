//! What is drawn, alerted on and documented is what the proxy exposes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{collections::BTreeSet, path::Path};

use e2e::{ProxyFiles, RunningProxy, StandInEngine, StandInProvider, StandIns, stand_in_config};
use http::{Response, StatusCode};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PREFIX: &str = "opensearch_oauth_proxy_";

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The exposition of a proxy at which everything has happened that makes a family appear.
async fn exposition() -> String {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let names = r#"{"indices": [], "aliases": [], "data_streams": []}"#;
    engine.answer("/_resolve/index/*", move |_| Response::new(Full::from(names)));
    let files = ProxyFiles::new();
    // This engine makes no tokens, so that requests go under the fallback.
    files.write("admin-password", "unused");
    let (jwt, tokens) = (
        "identity: {signed_jwt: {private_key: signing.pem}}",
        "identity: {api_token: {admin: {user: {name: admin, password: \"${file:admin-password}\"}}, \
         fallback: {signed_jwt: {private_key: signing.pem}}}}",
    );
    let config = stand_in_config(&files, &provider, &[&engine.url()]).replace(jwt, tokens);
    let config = format!(
        "{config}    catalogue: {{}}\ntokens:\n  store: {{embedded: {{path: tokens.redb}}}}\n\
                 rate_limits: {{rules: [{{name: few, per: [client], clients: [eager], requests: 1, every: 1d}}]}}\n\
                 policies: {{sets: [{{name: company, managed: true, mode: log_only}}]}}\n"
    );
    let proxy = RunningProxy::start(files, &config).await;
    let world = StandIns { provider, engine, proxy };
    assert_eq!(world.client("read:logs-*").get("/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.anonymous().get("/logs-a/_search").await.status, StatusCode::UNAUTHORIZED);
    let eager = world.provider.build_token().claim("client_id", "eager").sign();
    for _ in 0..2 {
        world.anonymous().with_token(eager.clone()).get("/logs-a/_search").await;
    }
    assert_eq!(world.client("read:logs-*").get("/oauth/tokens").await.status, StatusCode::OK);
    world.proxy.reloader().reload("test").await;
    let mut stream = TcpStream::connect(world.proxy.admin).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}

/// The names of the samples, without the prefix.
fn exposed(exposition: &str) -> BTreeSet<String> {
    let samples = exposition.lines().filter_map(|line| line.strip_prefix(PREFIX));
    samples.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

/// Every name of ours in a text, without the prefix.
fn used(text: &str) -> BTreeSet<String> {
    let after = text.split(PREFIX).skip(1);
    let names = after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The names in the table of docs/operations.md.
fn documented() -> BTreeSet<String> {
    let text = read("docs/operations.md");
    let (_, after) = text.split_once("<!-- checked: metrics -->").unwrap();
    let rows =
        after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

/// A histogram's three samples under its own name.
fn family(sample: &str) -> String {
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.strip_suffix(end));
    histogram.filter(|name| name.ends_with("_latency_seconds")).unwrap_or(sample).to_owned()
}

#[tokio::test]
async fn dashboard_alerts_and_documentation_name_what_is_exposed() {
    let text = exposition().await;
    let exposed = exposed(&text);
    for path in ["deploy/grafana/dashboard.json", "deploy/prometheus/alerts.yml"] {
        let used = used(&read(path));
        let unknown: Vec<_> = used.difference(&exposed).collect();
        assert!(used.len() > 5 && unknown.is_empty(), "{path} uses what is not exposed: {unknown:?}\n{text}");
    }
    let families: BTreeSet<String> = exposed.iter().map(|sample| family(sample)).collect();
    assert_eq!(documented(), families, "left: docs/operations.md, right: exposed");
}

#[test]
fn the_dashboard_draws_every_metric() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    let drawn: BTreeSet<String> =
        used(&dashboard["panels"].to_string()).iter().map(|name| family(name)).collect();
    let missing: Vec<_> = documented().difference(&drawn).cloned().collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}
