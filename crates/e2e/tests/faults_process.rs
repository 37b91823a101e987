//! The proxy as a process of its own: killed under load and started again, and its memory over many requests.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::{
    fs::{self, File},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, Session, StandInEngine, StandInProvider, eventually, stand_in_config};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;

/// The soak lasts so many minutes instead of so many requests.
const SOAK_MINUTES: &str = "OPENSEARCH_OAUTH_SOAK_MINUTES";

/// What is around the process.
struct Surroundings {
    provider: StandInProvider,
    engine: StandInEngine,
    files: ProxyFiles,
}

impl Surroundings {
    async fn start() -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let files = ProxyFiles::new();
        let config = stand_in_config(&files, &provider, &[&engine.url()]);
        files
            .write("config.yml", &format!("{config}tokens:\n  store: {{embedded: {{path: tokens.redb}}}}\n"));
        Self { provider, engine, files }
    }

    async fn serve(&self) -> Process {
        let (log, config) = (self.files.path("proxy.log"), self.files.path("config.yml"));
        let child = Command::new(env!("CARGO_BIN_EXE_opensearch-oauth-proxy-under-test"))
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = eventually("the proxy serves", async || {
            let text = fs::read_to_string(&log).unwrap();
            let line =
                text.split_inclusive('\n').find(|line| line.contains("serving") && line.ends_with('\n'))?;
            line.split_once(" address=")?.1.split_whitespace().next()?.parse().ok()
        })
        .await;
        Process { child, address }
    }

    fn client(&self, process: &Process) -> Client {
        Client::new(process.address, &self.files.ca())
    }

    /// Lines of the trail that are records, and how many are not.
    fn trail(&self) -> (Vec<serde_json::Value>, usize) {
        let text = fs::read_to_string(self.files.path("audit.log")).unwrap();
        let records: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let torn = text.lines().count() - records.len();
        (records, torn)
    }
}

/// A running proxy. Killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Memory that is resident now, in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, where it was killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn post_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    client.send(Method::POST, path, &headers, Bytes::from(body)).await
}

/// A managed token in exchange for one of the provider.
async fn managed(client: &Client, provider: &StandInProvider) -> String {
    let token = provider.token("read:logs-*");
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    let reply = post_form(client, "/oauth/token", &fields).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

async fn search(client: &Client, token: &str) -> StatusCode {
    client.clone().with_token(token).get("/logs-a/_search").await.status
}

#[tokio::test]
async fn a_proxy_killed_under_load_keeps_its_tokens_and_whole_records() {
    let around = Surroundings::start().await;
    let (mut kept, mut revoked) = (Vec::<String>::new(), Vec::<String>::new());
    for killed_before in 0..3 {
        let process = around.serve().await;
        let client = around.client(&process);
        for token in &kept {
            assert_eq!(search(&client, token).await, StatusCode::OK, "issued before the kill");
        }
        for token in &revoked {
            assert_eq!(search(&client, token).await, StatusCode::UNAUTHORIZED, "revoked before the kill");
        }
        let mut load = JoinSet::new();
        for _ in 0..6 {
            let client = client.clone().with_token(around.provider.token("read:logs-*"));
            load.spawn(async move {
                let mut session = Session::open(&client).await;
                while let Ok(answer) = session.begin(Method::GET, "/logs-a/_search", Bytes::new()).await {
                    let Ok(response) = answer.await else { break };
                    assert_eq!(response.status(), StatusCode::OK);
                    if response.into_body().collect().await.is_err() {
                        break;
                    }
                }
            });
        }
        around.engine.wait_for(around.engine.seen().len() + 100).await;
        for _ in 0..4 {
            kept.push(managed(&client, &around.provider).await);
            let token = managed(&client, &around.provider).await;
            assert_eq!(
                post_form(&client, "/oauth/revoke", &[("token", &token)]).await.status,
                StatusCode::OK
            );
            revoked.push(token);
        }
        process.kill();
        load.join_all().await;
        let (records, torn) = around.trail();
        assert!(!records.is_empty());
        assert!(torn <= killed_before + 1, "at most the line that was being written: {torn}");
    }
}

/// Requests of every kind on one connection, `rounds` times; each is answered as it must be.
async fn mixed(client: Client, rounds: usize) -> usize {
    let requests = [
        (Method::GET, "/logs-a/_search", "", StatusCode::OK),
        (Method::POST, "/logs-a/_search", r#"{"query":{"match_all":{}}}"#, StatusCode::OK),
        (Method::POST, "/logs-a/_doc", r#"{"message":"soaked"}"#, StatusCode::OK),
        (Method::GET, "/logs-a/_doc/1", "", StatusCode::OK),
        (Method::GET, "/secrets/_search", "", StatusCode::FORBIDDEN),
    ];
    let mut session = Session::open(&client).await;
    for _ in 0..rounds {
        for (method, path, body, status) in &requests {
            let reply =
                session.send(method.clone(), path, Bytes::from_static(body.as_bytes())).await.unwrap();
            assert_eq!(reply.status, *status, "{method} {path}: {}", reply.text());
        }
    }
    rounds * requests.len()
}

/// Clients of both protocols with new tokens on new connections. The number of requests.
async fn wave(around: &Surroundings, process: &Process) -> usize {
    let mut clients = JoinSet::new();
    for number in 0..10 {
        let (address, ca) = (process.address, around.files.ca());
        let client = if number % 2 == 0 { Client::new(address, &ca) } else { Client::http2(address, &ca) };
        let token = around.provider.build_token().claim("jti", format!("{number}"));
        let client = client.with_token(token.claim("scope", "read:logs-* write:logs-*").sign());
        clients.spawn(mixed(client, 10));
    }
    let served = clients.join_all().await.into_iter().sum();
    around.engine.forget();
    served
}

#[tokio::test]
async fn memory_does_not_grow_with_requests() {
    let around = Surroundings::start().await;
    let process = around.serve().await;
    let minutes: Option<u64> = std::env::var(SOAK_MINUTES).ok().map(|minutes| minutes.parse().unwrap());
    let mut served = 0;
    while served < 5_000 {
        served += wave(&around, &process).await;
    }
    let warm = process.resident();
    let begun = Instant::now();
    let goes_on = |served: usize| match minutes {
        Some(minutes) => begun.elapsed() < Duration::from_secs(60 * minutes),
        None => served < 20_000,
    };
    while goes_on(served) {
        served += wave(&around, &process).await;
    }
    let resident = process.resident();
    // What is kept of each of so many requests more would show.
    assert!(
        resident < warm + warm / 4 + 16 * 1024,
        "{warm} KiB became {resident} KiB after {served} requests"
    );
}
