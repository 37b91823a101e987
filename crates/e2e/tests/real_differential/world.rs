//! The engine with its few indices and users, and the proxy before it.

use std::{collections::BTreeSet, path::Path};

use data_encoding::BASE64;
use e2e::{Client, ProxyFiles, Real, RunningProxy, StandInProvider};
use engine::setup::{apply, setup};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use testbed::{EngineInfo, RestClient, TestbedInfo};
use tokio::net::lookup_host;

use crate::exchange::Line;

const PASSWORD: &str = "Differential-Pass-2026!";
/// The claim of a token that says which set of scopes it stands for.
const CLAIM: &str = "scope_set";

/// One set of scopes, on both sides.
#[derive(Debug)]
pub(crate) struct Caller {
    /// For the proxy.
    pub(crate) token: HeaderValue,
    /// For the engine.
    pub(crate) basic: HeaderValue,
}

/// Both sides.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) engine: EngineInfo,
    pub(crate) callers: Vec<Caller>,
    /// Every index, alias and data stream of the engine.
    pub(crate) names: BTreeSet<String>,
    proxied: Client,
    direct: Client,
    _proxy: RunningProxy,
    _provider: StandInProvider,
}

impl World {
    /// `knows_names`: the proxy judges names by what they stand for.
    pub(crate) async fn start(scope_sets: &[&'static str], knows_names: bool) -> Self {
        transport::install_crypto_provider();
        let testbed = TestbedInfo::from_env().unwrap();
        let engine = testbed.engine.clone();
        seed(&engine.client().unwrap()).await;
        make_users(&testbed, scope_sets).await;

        let provider = StandInProvider::start().await;
        let files = ProxyFiles::new();
        let config = config(&files, &engine, &provider, scope_sets, knows_names);
        let proxy = RunningProxy::start(files, &config).await;
        let callers = scope_sets
            .iter()
            .enumerate()
            .map(|(number, _)| Caller {
                token: format!("Bearer {}", provider.build_token().claim(CLAIM, user(number)).sign())
                    .parse()
                    .unwrap(),
                basic: basic(&user(number)),
            })
            .collect();
        let url: url::Url = engine.url.parse().unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let address = lookup_host(host).await.unwrap().next().unwrap();
        let proxied = Client::new(proxy.address, &proxy.ca());
        let direct = Client::new(address, Path::new(&engine.ca));
        let names = names(&engine.client().unwrap()).await;
        Self { engine, callers, names, proxied, direct, _proxy: proxy, _provider: provider }
    }

    /// A connection to the proxy and one to the engine.
    pub(crate) fn lines(&self) -> (Line, Line) {
        (Line::new(self.proxied.clone()), Line::new(self.direct.clone()))
    }

    /// Removes what the run made.
    pub(crate) async fn tidy(&self) {
        tidy(&self.engine.client().unwrap()).await;
    }
}

fn user(number: usize) -> String {
    format!("differential_{number}")
}

fn basic(user: &str) -> HeaderValue {
    format!("Basic {}", BASE64.encode(format!("{user}:{PASSWORD}").as_bytes())).parse().unwrap()
}

/// A user for each set, with the roles that `engine-setup` makes for its scopes: its backend roles are the scopes.
async fn make_users(testbed: &TestbedInfo, scope_sets: &[&str]) {
    let users: Value = (0..scope_sets.len()).map(|number| (user(number), json!(PASSWORD))).collect();
    let mappings: Vec<Value> = scope_sets
        .iter()
        .enumerate()
        .flat_map(|(number, set)| set.split(' ').map(move |scope| (number, scope)))
        .map(|(number, scope)| json!({"scope": scope, "grant": {"scopes": [scope], "backend_user": user(number)}}))
        .collect();
    let config: config::model::Config = serde_json::from_value(json!({
        "listen": { "address": "127.0.0.1:8443", "plaintext": true },
        "public_url": "http://127.0.0.1:8443",
        "providers": [{ "name": "stand-in", "issuer": "http://127.0.0.1", "audiences": ["x"] }],
        "clusters": [{
            "name": "main",
            "nodes": [testbed.engine.url],
            "identity": { "backend_user": { "users": users } },
        }],
        "mappings": mappings,
        "audit": { "sink": { "stdout": {} } },
    }))
    .unwrap();
    let setup = setup(&config, &config.clusters[0]).unwrap();
    apply(&setup, &Real::admin(testbed)).await.unwrap();
}

/// Whatever the scopes allow reaches the engine as its administrator.
fn config(
    files: &ProxyFiles,
    engine: &EngineInfo,
    provider: &StandInProvider,
    scope_sets: &[&str],
    knows_names: bool,
) -> String {
    let admin = &engine.admin_user;
    let catalogue = if knows_names { format!("    catalogue: {{user: {admin}}}\n") } else { String::new() };
    // By a claim of its own: a condition on a scope is a pattern, and `read:*` there would match every set that reads.
    let mappings: Vec<_> = scope_sets
        .iter()
        .enumerate()
        .map(|(number, set)| {
            let scopes: Vec<_> = set.split(' ').collect();
            let condition = format!("claim: {{path: {CLAIM}, equals: {:?}}}", user(number));
            format!("  - {{{condition}, grant: {{scopes: {scopes:?}, backend_user: {admin}}}}}\n")
        })
        .collect();
    let mappings = mappings.concat();
    format!(
        "\
{base}providers:
  - name: stand-in
    issuer: {issuer}
    audiences: [opensearch-proxy]
    min_refetch_interval: 1s
    native_scopes: false
clusters:
  - name: main
    nodes: [{node}]
    ca: {ca}
    read_bodies: true
{catalogue}    identity: {{backend_user: {{users: {{{admin}: {password:?}}}}}}}
mappings:
{mappings}",
        base = files.base_config(),
        issuer = provider.issuer(),
        node = engine.url,
        ca = engine.ca.display(),
        password = format!("literal:{}", engine.admin_password),
    )
}

const INDICES: [&str; 6] =
    ["diff-logs-1", "diff-logs-2", "diff-logs-10", "diff-app-1", "diff-pii", ".diff-logs-hidden"];

async fn seed(admin: &RestClient) {
    tidy(admin).await;
    let document = json!({"diff": true, "words": ["one"], "@timestamp": "2026-11-24T00:00:00Z"});
    for index in INDICES {
        let body = json!({
            "settings": {"number_of_replicas": 0, "hidden": index.starts_with('.')},
            "mappings": {"properties": {"words": {"type": "keyword"}}},
        });
        admin.expect(&Method::PUT, &format!("/{index}"), Some(&body)).await.unwrap();
        let path = format!("/{index}/_doc/1?refresh=true");
        admin.expect(&Method::PUT, &path, Some(&document)).await.unwrap();
    }
    let aliases = json!({"actions": [
        {"add": {"index": "diff-logs-1", "alias": "diff-logs-in"}},
        {"add": {"index": "diff-pii", "alias": "diff-logs-out"}},
        {"add": {"index": "diff-logs-1", "alias": "diff-outer"}},
    ]});
    admin.expect(&Method::POST, "/_aliases", Some(&aliases)).await.unwrap();
    let template = json!({
        "index_patterns": ["diff-stream"],
        "data_stream": {},
        "template": {"settings": {"number_of_replicas": 0}},
    });
    admin.expect(&Method::PUT, "/_index_template/diff-stream", Some(&template)).await.unwrap();
    admin.expect(&Method::PUT, "/_data_stream/diff-stream", None).await.unwrap();
}

async fn names(admin: &RestClient) -> BTreeSet<String> {
    let path = "/_resolve/index/*?expand_wildcards=all";
    let all = admin.expect(&Method::GET, path, None).await.unwrap();
    let kinds = ["indices", "aliases", "data_streams"];
    let entries = kinds.iter().filter_map(|kind| all[*kind].as_array()).flatten();
    let names: BTreeSet<_> = entries.filter_map(|entry| Some(entry["name"].as_str()?.to_owned())).collect();
    assert!(INDICES.iter().all(|index| names.contains(*index)), "the engine lists what it has: {names:?}");
    names
}

async fn tidy(admin: &RestClient) {
    // What is not there cannot be removed, which is as well.
    for path in ["/_data_stream/diff-stream", "/_index_template/diff-stream"] {
        let _ = admin.rest(&Method::DELETE, path, None).await;
    }
    for index in INDICES {
        let _ = admin.rest(&Method::DELETE, &format!("/{index}"), None).await;
    }
}
