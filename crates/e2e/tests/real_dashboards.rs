//! Deploying dashboards from a pipeline: the real engine and the real Keycloak, with a stand-in Dashboards between proxy
//! and engine, which keeps saved objects in the engine as the caller. So the engine judges what Dashboards does.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use bytes::Bytes;
use e2e::{Client, DashboardsOptions, Real, RealConfig, Reply, StandInDashboards};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use testbed::TestbedInfo;

/// Two clusters of the proxy, `main` and `stage`. There is one engine, so each has a Dashboards of its own in front of it,
/// with an index of its own.
struct World {
    real: Real,
    main: StandInDashboards,
    stage: StandInDashboards,
}

const INDICES: [&str; 2] = [".kibana", ".kibana_stage"];

impl World {
    /// `roles` are the backend roles that go with writing dashboards on `stage`.
    async fn start(roles: &str) -> Self {
        let testbed = TestbedInfo::from_env().unwrap();
        let mut options = DashboardsOptions::new(testbed.engine.url.clone());
        options.ca = Some(testbed.engine.ca.clone());
        let main = StandInDashboards::start(options.clone()).await;
        INDICES[1].clone_into(&mut options.index);
        "/stage-dashboards".clone_into(&mut options.base_path);
        let stage = StandInDashboards::start(options).await;
        let identity = RealConfig::default().identity;
        let config = RealConfig {
            cluster: format!(
                "    audience: opensearch-proxy
    dashboards:
      nodes: [{main}]
      tenant: {{choice: {{allowed: [global, private]}}}}
  - name: stage
    audience: opensearch-stage
    path_prefix: /stage
    nodes: [{node}]
    ca: {ca}
    identity: {identity}
    dashboards:
      nodes: [{stage}]
      base_path: /stage-dashboards
",
                main = main.url(),
                stage = stage.url(),
                node = testbed.engine.url,
                ca = testbed.engine.ca.display(),
            ),
            extra: format!(
                "\
mappings:
  - scope: write:dashboards
    grant: {{scopes: [\"stage/write:dashboards\"], roles: [{roles}]}}
"
            ),
            provider: String::new(),
            identity,
        };
        let world = Self { real: Real::start(&config).await, main, stage };
        world.clear().await;
        world
    }

    async fn client(&self, scope: &str) -> Client {
        self.real.client("ops", scope).await
    }

    /// The engine itself, as its administrator.
    async fn engine(&self, method: Method, path: &str) -> Value {
        let engine = &self.real.testbed.engine;
        let tls = transport::TlsOptions { ca: Some(engine.ca.clone()), ..transport::TlsOptions::default() };
        let patience = std::time::Duration::from_secs(60);
        let client = transport::HttpClient::new(&tls, None, patience, 1 << 20).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", engine.url))
            .header(header::AUTHORIZATION, transport::basic_auth(&engine.admin_user, &engine.admin_password))
            .body(Bytes::new())
            .unwrap();
        client.send(request).await.unwrap().json().unwrap()
    }

    /// Takes away what Dashboards keeps in the engine.
    async fn clear(&self) {
        self.engine(Method::DELETE, "/.kibana*?expand_wildcards=all").await;
    }
}

const XSRF: (&str, &str) = ("osd-xsrf", "true");

/// As `curl -F file=@dashboards.ndjson` sends it.
async fn import(client: &Client, base: &str, objects: &[Value]) -> Reply {
    let lines: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let body = format!(
        "--------XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dashboards.ndjson\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{}\n\r\n--------XyZ--\r\n",
        lines.join("\n")
    );
    let headers = [("content-type", "multipart/form-data; boundary=------XyZ"), XSRF];
    let path = format!("{base}/api/saved_objects/_import?overwrite=true");
    client.send(Method::POST, &path, &headers, Bytes::from(body)).await
}

fn dashboards() -> [Value; 3] {
    [
        json!({"type": "index-pattern", "id": "logs", "attributes": {"title": "logs-*"}, "references": []}),
        json!({"type": "dashboard", "id": "errors", "attributes": {"title": "Errors"}, "references": []}),
        json!({"exportedCount": 2, "missingRefCount": 0, "missingReferences": []}),
    ]
}

#[tokio::test]
async fn a_pipeline_deploys_dashboards_to_two_clusters_and_can_do_nothing_else() {
    let world = World::start("\"write:dashboards\"").await;
    let pipeline = world.client("write:dashboards").await;
    for (base, index) in [("", INDICES[0]), ("/stage-dashboards", INDICES[1])] {
        let reply = import(&pipeline, base, &dashboards()).await;
        assert_eq!(reply.status, StatusCode::OK, "{base}: {}", reply.text());
        assert_eq!(reply.json(), json!({"success": true, "successCount": 2}));
        assert!(!reply.headers.contains_key("set-cookie"));
        let stored = world.engine(Method::GET, &format!("/{index}/_doc/dashboard:errors")).await;
        assert_eq!(stored["_source"]["dashboard"]["title"], "Errors", "{stored}");
    }
    let record = world.real.proxy.last_audit().await;
    for (field, value) in [
        ("decision", json!("allow")),
        ("cluster", json!("stage")),
        ("upstream", json!("dashboards")),
        ("client_id", json!("ops")),
        ("action", json!("write")),
        ("status", json!(200)),
    ] {
        assert_eq!(record[field], value, "{field} of {record}");
    }
    // Dashboards asked the engine as the caller, with the proxy's own word for who that is.
    for dashboards in [&world.main, &world.stage] {
        let seen = dashboards.last();
        assert_eq!(seen.headers.get_all(header::AUTHORIZATION).iter().count(), 1);
    }

    // It neither looks at dashboards, nor changes settings, nor plants data sources, nor sees an index.
    let reading = "/api/saved_objects/dashboard/errors";
    assert_eq!(pipeline.get(reading).await.status, StatusCode::FORBIDDEN);
    let source = json!({"type": "data-source", "id": "s", "attributes": {}, "references": []});
    assert_eq!(import(&pipeline, "", &[source]).await.status, StatusCode::FORBIDDEN);
    for path in ["/api/console/proxy?path=%2Flogs-*%2F_search&method=GET", "/internal/search/opensearch"] {
        let headers = [("content-type", "application/json"), XSRF];
        let body = Bytes::from_static(b"{\"params\":{\"index\":\"logs-*\",\"body\":{}}}");
        let reply = pipeline.send(Method::POST, path, &headers, body).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}: {}", reply.text());
    }
    world.clear().await;
}

#[tokio::test]
async fn whoever_reads_dashboards_does_not_deploy_them_and_searches_what_the_scopes_name() {
    let world = World::start("\"write:dashboards\"").await;
    let pipeline = world.client("write:dashboards").await;
    assert_eq!(import(&pipeline, "", &dashboards()).await.status, StatusCode::OK);

    let reader = world.client("read:dashboards read:logs-*").await;
    let found = reader.get("/api/saved_objects/_find?type=dashboard&type=index-pattern").await;
    assert_eq!((found.status, found.json()["total"].as_u64()), (StatusCode::OK, Some(2)), "{}", found.text());
    let reply = import(&reader, "", &dashboards()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    assert_eq!(reply.json()["attributes"]["needed_scope"], "write:dashboards");

    // What Dashboards passes on is judged by the proxy, and by the engine as this caller.
    let headers = [("content-type", "application/json"), XSRF];
    let search = async |path: &str, body: Value| {
        reader.send(Method::POST, path, &headers, Bytes::from(body.to_string())).await
    };
    let by_console =
        search("/api/console/proxy?path=%2Flogs-*%2F_search&method=GET", json!({"size": 1})).await;
    assert!(by_console.json()["hits"]["total"]["value"].as_u64() > Some(0), "{}", by_console.text());
    let asked = json!({"params": {"index": "logs-*", "body": {"size": 1}}});
    let by_discover = search("/internal/search/opensearch", asked).await;
    let hits = &by_discover.json()["rawResponse"]["hits"]["total"]["value"];
    assert!(hits.as_u64() > Some(0), "{}", by_discover.text());
    let asked = json!({"params": {"index": "pii-customers", "body": {"size": 1}}});
    assert_eq!(search("/internal/search/opensearch", asked).await.status, StatusCode::FORBIDDEN);
    world.clear().await;
}

#[tokio::test]
async fn the_engine_refuses_what_no_role_of_its_own_allows() {
    // As on a cluster for which nobody ran `engine-setup`.
    let world = World::start("").await;
    let pipeline = world.client("write:dashboards").await;
    let reply = import(&pipeline, "/stage-dashboards", &dashboards()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    assert!(reply.json()["message"].as_str().unwrap().contains("no permissions for"), "{}", reply.text());
    let record = world.real.proxy.last_audit().await;
    assert_eq!((record["decision"].as_str(), record["layer"].as_str()), (Some("allow"), Some("engine")));
    assert_eq!(import(&pipeline, "", &dashboards()).await.status, StatusCode::OK, "the other has its role");
    world.clear().await;
}

#[tokio::test]
async fn a_tenant_that_may_be_chosen_is_the_engines_tenant() {
    let world = World::start("").await;
    let client = world.client("read:dashboards write:dashboards").await;
    let path = "/api/saved_objects/dashboard/mine";
    let private = [("content-type", "application/json"), XSRF, ("securitytenant", "private")];
    let body = Bytes::from_static(b"{\"attributes\":{\"title\":\"x\"}}");
    let reply = client.send(Method::POST, path, &private, body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let reply = client.send(Method::GET, path, &private[2..], Bytes::new()).await;
    assert_eq!(reply.json()["attributes"]["title"], "x", "{}", reply.text());
    assert_eq!(client.get(path).await.status, StatusCode::NOT_FOUND, "not in the global tenant");
    let others = [("securitytenant", "__user__")];
    let reply = client.send(Method::GET, path, &others, Bytes::new()).await;
    assert_eq!(reply.json()["attributes"]["code"], "tenant_not_allowed", "{}", reply.text());
    world.clear().await;
}
