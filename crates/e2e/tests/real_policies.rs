//! Cedar policies in front of the real engine: the examples of the request for comments, with patterns, aliases and bodies.
//! What they permit works for real clients, and what they forbid is refused although scope and engine would allow it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use bytes::Bytes;
use e2e::{Client, DashboardsOptions, ProxyFiles, Real, RealConfig, Reply, StandInDashboards, eventually};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use testbed::TestbedInfo;

/// The first three are those of the request for comments, under the names of the realm's clients.
const POLICIES: &str = r#"
@id("agent reads logs")
permit(
  principal == Agent::"langchain-agent",
  action in [Action::"search", Action::"get"],
  resource in Index::"logs-*"
);
@id("deploys dashboards")
permit(
  principal in Group::"ops",
  action in [Action::"create", Action::"update"],
  resource in ResourceType::"dashboard"
);
@id("no agent sees pii")
forbid(
  principal in Group::"langchain-agent",
  action,
  resource in Index::"logs-pii-*"
);
@id("ops reads and writes logs")
permit(principal == Agent::"ops", action in [Action::"read", Action::"write"], resource in Index::"logs-*");
@id("nobody writes personal data")
forbid(principal, action in Action::"write", resource in Index::"logs-pii-*");
@id("ops counts aliases")
permit(principal == Agent::"ops", action == Action::"count", resource in Index::"policies-*");
"#;

const INDICES: &str = "/logs-policies-a,logs-pii-policies?ignore_unavailable=true";

struct World {
    real: Real,
    _dashboards: StandInDashboards,
    _files: ProxyFiles,
}

/// Policies decide alone, and the engine by a role of its own that some of the callers have.
const ALONE: &str = "\
mappings:
  - {group: langchain-agent, grant: {roles: [policies_alone]}}
policies: {files: [FILE], instead_of_scopes: true}
";

impl World {
    async fn start() -> Self {
        Self::start_with("policies: {files: [FILE]}\n").await
    }

    async fn start_with(extra: &str) -> Self {
        let testbed = TestbedInfo::from_env().unwrap();
        let mut options = DashboardsOptions::new(testbed.engine.url.clone());
        options.ca = Some(testbed.engine.ca.clone());
        let dashboards = StandInDashboards::start(options).await;
        let files = ProxyFiles::new();
        files.write("rfc.cedar", POLICIES);
        let config = RealConfig {
            // The service accounts of the realm are in no groups, so each is in one of its own.
            provider: "    claims: {groups: [client_id]}\n".to_owned(),
            cluster: format!(
                "    catalogue: {{refresh: 10m, stale: 1h}}\n    dashboards: {{nodes: [{}], tenant: {{choice: {{allowed: [global, private]}}}}}}\n",
                dashboards.url()
            ),
            extra: extra.replace("FILE", &files.path("rfc.cedar").display().to_string()),
            ..RealConfig::default()
        };
        let world = Self { real: Real::start(&config).await, _dashboards: dashboards, _files: files };
        let engine = world.real.testbed.engine.client().unwrap();
        engine.rest(&Method::DELETE, INDICES, None).await.unwrap();
        let aliases = json!({"actions": [
            {"add": {"index": "logs-policies-a", "alias": "logs-policies-harmless"}},
            {"add": {"indices": ["logs-policies-a", "logs-pii-policies"], "alias": "logs-policies-mixed"}},
            {"add": {"index": "logs-policies-a", "alias": "policies-current"}},
        ]});
        let document = json!({"message": "hello"});
        for (method, path, body) in [
            (Method::PUT, "/logs-policies-a/_doc/1?refresh=true", &document),
            (Method::PUT, "/logs-pii-policies/_doc/1?refresh=true", &document),
            (Method::POST, "/_aliases", &aliases),
        ] {
            engine.expect(&method, path, Some(body)).await.unwrap();
        }
        // The proxy lists what is behind names anew after a reload.
        world.real.proxy.rewrite_config(&format!(
            "{}# with the aliases\n",
            std::fs::read_to_string(world.real.proxy.config_path()).unwrap()
        ));
        world.real.proxy.reloader().try_reload().await.unwrap();
        world
    }

    async fn end(self) {
        let engine = self.real.testbed.engine.client().unwrap();
        engine.expect(&Method::DELETE, INDICES, None).await.unwrap();
    }
}

async fn lines(client: &Client, path: &str, lines: &[Value]) -> Reply {
    let body = lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect::<String>();
    client.send(Method::POST, path, &[("content-type", "application/x-ndjson")], Bytes::from(body)).await
}

/// The reason code of a refusal, or the status.
fn outcome(reply: &Reply) -> String {
    match reply.status {
        // Refusals for Dashboards have Dashboards' own form.
        StatusCode::FORBIDDEN => match reply.json()["attributes"]["code"].as_str() {
            Some(code) => code.to_owned(),
            None => reply.code(),
        },
        status => status.as_u16().to_string(),
    }
}

#[tokio::test]
async fn the_examples_hold_before_a_real_engine() {
    let world = World::start().await;
    let agent = world.real.client("langchain-agent", "read:logs-*").await;
    // Until the names are listed, nothing that might be an alias is let through.
    let listed =
        async || (agent.get("/logs-policies-a/_search").await.status == StatusCode::OK).then_some(());
    eventually("the names are listed", listed).await;
    let (forbidden, unpermitted) = ("forbidden_by_policy", "not_permitted_by_policy");
    for (path, expected) in [
        ("/logs-policies-a/_doc/1", "200"),
        ("/logs-app-*/_search?size=1", "200"),
        ("/logs-app-*,logs-policies-*/_search?size=1", forbidden),
        ("/logs-policies-a,logs-app-*/_search?size=1", "200"),
        ("/logs-policies-a/_count", unpermitted),
        // Each of these could touch personal data, and the engine would answer: its role for the scope reaches them.
        ("/logs-pii-policies/_search", forbidden),
        ("/logs-pii-policies/_doc/1", forbidden),
        ("/logs-*/_search", forbidden),
        ("/logs-p*/_search", forbidden),
        // What is behind a name counts, too.
        ("/logs-policies-harmless/_search", "200"),
        ("/logs-policies-mixed/_search", forbidden),
        ("/logs-policies-m*/_search", forbidden),
        // A scope is needed all the same.
        ("/metrics-host-2026.11.24/_search", "insufficient_scope"),
        ("/pii-customers/_search", "insufficient_scope"),
    ] {
        let reply = agent.get(path).await;
        assert_eq!(outcome(&reply), expected, "{path}: {}", reply.text());
    }
    let found = agent.get("/logs-policies-harmless/_search").await.json();
    assert_eq!(found["hits"]["hits"][0]["_index"], "logs-policies-a", "{found}");

    // Without the policy in the way the same token reads it.
    let ops = world.real.client("ops", "read:logs-*").await;
    assert_eq!(outcome(&ops.get("/logs-pii-policies/_doc/1").await), "200");
    // An alias is held against the policies by its own name and by what is behind it; a policy alone gives nothing.
    assert_eq!(outcome(&ops.get("/policies-current/_count").await), "200");
    assert_eq!(outcome(&ops.get("/policies-other/_count").await), "insufficient_scope");
    world.end().await;
}

#[tokio::test]
async fn bodies_are_held_against_the_policies_before_the_engine_acts_on_them() {
    let world = World::start().await;
    let ops = world.real.client("ops", "read:logs-* write:logs-*").await;
    let listed = async || (ops.get("/logs-policies-a/_search").await.status == StatusCode::OK).then_some(());
    eventually("the names are listed", listed).await;
    let forbidden = "forbidden_by_policy";
    let create = |index: &str| [json!({"create": {"_index": index}}), json!({"message": "new"})];
    let bulk = async |indices: &[&str]| {
        let all: Vec<Value> = indices.iter().flat_map(|index| create(index)).collect();
        lines(&ops, "/_bulk?refresh=true", &all).await
    };
    let reply = bulk(&["logs-policies-a", "logs-policies-a"]).await;
    assert_eq!(
        (outcome(&reply).as_str(), &reply.json()["errors"]),
        ("200", &json!(false)),
        "{}",
        reply.text()
    );
    assert_eq!(outcome(&bulk(&["logs-policies-a", "logs-pii-policies"]).await), forbidden);
    let engine = world.real.testbed.engine.client().unwrap();
    for (index, documents) in [("logs-policies-a", 3), ("logs-pii-policies", 1)] {
        let count = engine.expect(&Method::GET, &format!("/{index}/_count"), None).await.unwrap();
        assert_eq!(
            count["count"], documents,
            "nothing of the refused bulk is there, not even its first line"
        );
    }

    let search = json!({"size": 1});
    let searches = |index: &str| [json!({"index": index}), search.clone()];
    let reply = lines(&ops, "/_msearch", &[searches("logs-policies-a"), searches("logs-*")].concat()).await;
    assert_eq!(outcome(&reply), "200", "{}", reply.text());
    assert!(reply.json()["responses"][1]["hits"]["total"]["value"].as_u64() > Some(1), "{}", reply.text());

    // An agent may search, which `_msearch` is not, and its documents are looked for in the body all the same.
    let agent = world.real.client("langchain-agent", "read:logs-*").await;
    let reply = lines(&agent, "/_msearch", &searches("logs-policies-a")).await;
    assert_eq!(outcome(&reply), "not_permitted_by_policy");
    let lookup = |index: &str| json!({"query": {"terms": {"message": {"index": index, "id": "1", "path": "message"}}}});
    let path = "/logs-policies-a/_search";
    let reply = agent.json(Method::POST, path, &lookup("logs-policies-a")).await;
    assert_eq!(outcome(&reply), "200", "{}", reply.text());
    assert_eq!(outcome(&agent.json(Method::POST, path, &lookup("logs-pii-policies")).await), forbidden);
    world.end().await;
}

#[tokio::test]
async fn a_pipeline_deploys_dashboards_and_nothing_else_by_the_policy_for_its_group() {
    let world = World::start().await;
    let object = |kind: &str| json!({"type": kind, "id": "policies", "attributes": {}, "references": []});
    let pipeline = world.real.client("ops", "write:dashboards read:dashboards").await;
    let import = async |kinds: &[&str]| {
        let lines: Vec<String> = kinds.iter().map(|kind| object(kind).to_string()).collect();
        let form = format!(
            "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.ndjson\"\r\n\r\n{}\n\r\n--XyZ--\r\n",
            lines.join("\n")
        );
        let headers = [("content-type", "multipart/form-data; boundary=XyZ"), ("osd-xsrf", "true")];
        let path = "/api/saved_objects/_import?overwrite=true";
        outcome(&pipeline.send(Method::POST, path, &headers, Bytes::from(form)).await)
    };
    let unpermitted = "not_permitted_by_policy";
    assert_eq!(import(&["dashboard"]).await, "200");
    assert_eq!(import(&["dashboard", "index-pattern"]).await, unpermitted);
    let headers = [("content-type", "application/json"), ("osd-xsrf", "true")];
    let send = async |method: Method, path: &str| {
        outcome(&pipeline.send(method, path, &headers, Bytes::from_static(b"{\"attributes\":{}}")).await)
    };
    let path = "/api/saved_objects/dashboard/policies";
    assert_eq!(send(Method::PUT, path).await, "200");
    // Its scopes would let it do all of these.
    assert_eq!(send(Method::PUT, "/api/saved_objects/search/policies").await, unpermitted);
    assert_eq!(send(Method::DELETE, path).await, unpermitted);
    assert_eq!(outcome(&pipeline.get(path).await), unpermitted);
    assert_eq!(outcome(&pipeline.get("/api/saved_objects/_find?type=dashboard").await), unpermitted);
    assert_eq!(outcome(&pipeline.get("/app/dashboards").await), unpermitted);
    let engine = world.real.testbed.engine.client().unwrap();
    engine.expect(&Method::DELETE, "/.kibana*?expand_wildcards=all", None).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn policies_decide_alone_and_the_engine_by_a_role_for_a_group() {
    let world = World::start_with(ALONE).await;
    let engine = world.real.testbed.engine.client().unwrap();
    let role = json!({
        "cluster_permissions": ["cluster_composite_ops_ro"],
        "index_permissions": [{"index_patterns": ["logs-policies-*", "logs-pii-*"], "allowed_actions": ["read"]}],
    });
    let mapping = json!({"backend_roles": ["policies_alone"]});
    let security = |kind: &str| format!("/_plugins/_security/api/{kind}/policies_alone");
    engine.expect(&Method::PUT, &security("roles"), Some(&role)).await.unwrap();
    engine.expect(&Method::PUT, &security("rolesmapping"), Some(&mapping)).await.unwrap();

    // The scope of its token speaks of something else.
    let agent = world.real.client("langchain-agent", "read:metrics-*").await;
    let listed =
        async || (agent.get("/logs-policies-a/_search").await.status == StatusCode::OK).then_some(());
    eventually("the names are listed", listed).await;
    for (path, expected) in [
        ("/logs-policies-a/_doc/1", "200"),
        ("/logs-policies-harmless/_search", "200"),
        ("/logs-pii-policies/_search", "forbidden_by_policy"),
        ("/logs-policies-mixed/_search", "forbidden_by_policy"),
        ("/metrics-host-2026.11.24/_search", "not_permitted_by_policy"),
    ] {
        let reply = agent.get(path).await;
        assert_eq!(outcome(&reply), expected, "{path}: {}", reply.text());
    }
    // What policies permit the engine refuses where its role does not go, and to those who have none.
    let ops = world.real.client("ops", "read:logs-*").await;
    for (client, path) in [(&agent, "/logs-app-2026.11.24/_search"), (&ops, "/logs-policies-a/_search")] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}: {}", reply.text());
        let record = world.real.proxy.last_audit().await;
        assert_eq!((&record["decision"], &record["layer"]), (&json!("allow"), &json!("engine")), "{record}");
    }
    for kind in ["rolesmapping", "roles"] {
        engine.expect(&Method::DELETE, &security(kind), None).await.unwrap();
    }
    world.end().await;
}
