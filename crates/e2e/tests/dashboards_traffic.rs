//! OpenSearch Dashboards as a server behind the proxy: large imports, connections, reload, readiness.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::sync::Arc;

use bytes::Bytes;
use e2e::{
    Client, DashboardsOptions, Frames, ProxyFiles, RunningProxy, StandInDashboards, StandInEngine,
    StandInProvider, eventually, stand_in_config,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Notify,
};

struct World {
    provider: StandInProvider,
    _engine: StandInEngine,
    dashboards: StandInDashboards,
    proxy: RunningProxy,
}

impl World {
    async fn start() -> Self {
        let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
        let dashboards = StandInDashboards::start(DashboardsOptions::new(engine.url())).await;
        let files = ProxyFiles::new();
        let config = format!(
            "{}    dashboards:\n      nodes: [{}]\n      health: {{interval: 100ms, timeout: 100ms, failures: 1}}\n",
            stand_in_config(&files, &provider, &[&engine.url()]),
            dashboards.url(),
        );
        let proxy = RunningProxy::start(files, &config).await;
        Self { provider, _engine: engine, dashboards, proxy }
    }

    fn clients(&self, scope: &str) -> [Client; 2] {
        let token = self.provider.token(scope);
        let (address, ca) = (self.proxy.address, self.proxy.ca());
        [Client::new(address, &ca), Client::http2(address, &ca)]
            .map(|client| client.with_token(token.clone()))
    }
}

/// A form with a file of a thousand saved objects, and this type for the last; a megabyte and more.
fn form(last: &str) -> Bytes {
    let text = "x".repeat(1024);
    let object = |kind: &str, id: usize| {
        json!({"type": kind, "id": id.to_string(), "attributes": {"title": text}, "references": []})
            .to_string()
    };
    let mut lines: Vec<String> = (0..1000).map(|id| object("dashboard", id)).collect();
    lines.push(object(last, 1000));
    let head = "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"export.ndjson\"\r\n\r\n";
    Bytes::from(format!("{head}{}\r\n--XyZ--\r\n", lines.join("\n")))
}

const HEADERS: [(&str, &str); 2] =
    [("content-type", "multipart/form-data; boundary=XyZ"), ("osd-xsrf", "true")];
const IMPORT: &str = "/api/saved_objects/_import?overwrite=true";

#[tokio::test]
async fn a_large_import_flows_and_is_stopped_at_the_object_that_goes_too_far() {
    let world = World::start().await;
    for client in world.clients("write:dashboards") {
        let reply = client.send(Method::POST, IMPORT, &HEADERS, form("dashboard")).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        assert_eq!(reply.json()["successCount"], 1001);
        let seen = world.dashboards.last();
        assert!(seen.whole && seen.body == form("dashboard"), "it arrives as it was sent");

        let reply = client.send(Method::POST, IMPORT, &HEADERS, form("data-source")).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
        assert_eq!(reply.json()["attributes"]["needed_scope"], "admin:dashboards");
        let record = world.proxy.last_audit().await;
        assert_eq!(
            (record["decision"].as_str(), record["upstream"].as_str()),
            (Some("deny"), Some("dashboards"))
        );
        eventually("Dashboards sees the request break off", async || {
            world.dashboards.seen().last().filter(|seen| !seen.whole).map(|_| ())
        })
        .await;
    }
}

#[tokio::test]
async fn an_import_in_frames_of_every_size_is_one_import() {
    let world = World::start().await;
    let whole = form("dashboard");
    for size in [1, 7, 4096] {
        let [client, _] = world.clients("write:dashboards");
        let (bytes, expected) = if size == 1 { (short(), 1) } else { (whole.clone(), 1001) };
        let pieces: Vec<Bytes> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
        let mut request = client.request(Method::POST, IMPORT);
        for (name, value) in HEADERS {
            request = request.header(name, value);
        }
        let reply = client.exchange(request.body(Frames(pieces.into_iter().map(Frame::data))).unwrap()).await;
        assert_eq!(reply.json()["successCount"], expected, "{size}: {}", reply.text());
    }
}

fn short() -> Bytes {
    let head = "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"export.ndjson\"\r\n\r\n";
    Bytes::from(format!("{head}{}\r\n--XyZ--\r\n", json!({"type": "dashboard", "id": "1", "attributes": {}})))
}

#[tokio::test]
async fn its_connections_outlive_a_reload_that_does_not_concern_it() {
    let world = World::start().await;
    let [client, _] = world.clients("monitor:dashboards");
    let connects = format!("pool_connects_total{{cluster=\"main\",node=\"{}\"}}", world.dashboards.address());
    assert_eq!(client.get("/api/status").await.status, StatusCode::OK);
    assert_eq!(world.proxy.metric(&connects).await, Some(1.0));
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    world.proxy.rewrite_config(&format!("{config}limits: {{max_headers: 50}}\n"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(client.get("/api/status").await.status, StatusCode::OK);
    assert_eq!(world.proxy.metric(&connects).await, Some(1.0), "the connection of before is used again");
    // A change of its own makes it anew.
    world.proxy.rewrite_config(&config.replace("failures: 1", "failures: 2"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.proxy.metric(&connects).await, Some(0.0));
    assert_eq!(client.get("/api/status").await.status, StatusCode::OK);
}

#[tokio::test]
async fn that_it_is_away_is_told_and_does_not_take_the_engine_away() {
    let World { provider: _provider, _engine, dashboards, proxy } = World::start().await;
    assert_eq!(proxy.admin("/readyz").await.status, StatusCode::OK);
    drop(dashboards);
    eventually("readiness tells of it", async || {
        let ready = proxy.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
        ready.text().contains("cluster main: no healthy server of Dashboards").then_some(())
    })
    .await;
}

/// The script of `examples`, with the curl of this machine.
async fn deploy(world: &World, token: &str, urls: &[String]) -> std::process::Output {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    world.proxy.files().write(
        "dashboards.ndjson",
        &format!("{}\n", json!({"type": "dashboard", "id": "1", "attributes": {}})),
    );
    let mut script = tokio::process::Command::new("sh");
    script.arg(root.join("examples/deploy-dashboards.sh")).arg(world.proxy.files().path("dashboards.ndjson"));
    script.args(urls).env("TOKEN", token).env("CURL_CA_BUNDLE", world.proxy.ca()).env("no_proxy", "*");
    script.output().await.unwrap()
}

#[tokio::test]
async fn the_script_of_the_examples_deploys_and_fails_where_it_is_refused() {
    let world = World::start().await;
    let good = format!("https://localhost:{}", world.proxy.address.port());
    let workspace = format!("{good}/w/ops");
    let both = [good.clone(), workspace.clone()];
    let output = deploy(&world, &world.provider.token("write:dashboards"), &both).await;
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{complaints}");
    assert_eq!(told.matches("\"successCount\":1").count(), 2, "{told}");
    let seen = world.dashboards.seen();
    let [first, second] = &seen[..] else { panic!("{seen:?}") };
    assert!(first.target.starts_with("/api/") && second.target.starts_with("/w/ops/api/"));

    // One is refused, the other is done.
    let output = deploy(&world, &world.provider.token("write:dashboards/ops"), &both).await;
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{told}{complaints}");
    assert!(told.contains(&workspace) && complaints.contains("needed_scope"), "{told}{complaints}");
    assert_eq!(world.dashboards.seen().len(), 3);
}

/// A server that answers everything with a first part at once, and with the rest when it is told to.
async fn in_two_parts() -> (std::net::SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let more = Arc::new(Notify::new());
    let told = Arc::clone(&more);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let read = stream.read(&mut head).await.unwrap_or_default();
                let begin = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
                let _ = stream.write_all(begin).await;
                // Health checks wait for nothing.
                if String::from_utf8_lossy(&head[..read]).contains("authorization") {
                    told.notified().await;
                }
                let _ = stream.write_all(b"4\r\nrest\r\n0\r\n\r\n").await;
            });
        }
    });
    (address, more)
}

#[tokio::test]
async fn an_answer_that_comes_bit_by_bit_goes_on_bit_by_bit() {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let (address, more) = in_two_parts().await;
    let files = ProxyFiles::new();
    let config = stand_in_config(&files, &provider, &[&engine.url()]);
    let config = format!("{config}    dashboards:\n      nodes: [\"http://{address}\"]\n");
    let proxy = RunningProxy::start(files, &config).await;
    let client = Client::new(proxy.address, &proxy.ca()).with_token(provider.token("monitor:dashboards"));
    let request = client.request(Method::GET, "/api/status").body(http_body_util::Empty::<Bytes>::new());
    let mut body = client.begin(request.unwrap()).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first", "it is there before the rest is sent");
    more.notify_one();
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "rest");
}
