//! Cedar policies narrow what scopes allow: in the request's line, in its body, behind aliases, and never the other way.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use bytes::Bytes;
use e2e::{
    Client, DashboardsOptions, ProxyFiles, RunningProxy, StandInDashboards, StandInEngine, StandInProvider,
    StandIns, eventually, stand_in_config,
};
use http::{Method, StatusCode};
use opensearch_oauth_proxy::reload::ReloadError;
use serde_json::{Value, json};

const POLICIES: &str = r#"
@id("agents read logs")
permit(principal in Group::"agents", action in Action::"read", resource in Index::"logs-*");

@id("the tester writes logs")
permit(principal == Agent::"tester", action in [Action::"bulk", Action::"index"], resource in Index::"logs-*");

@id("people see all but from outside")
permit(principal is User, action, resource) when { context.source.isLoopback() };

@id("nobody sees people")
forbid(principal, action, resource in Index::"logs-pii-*");
"#;

async fn world(policies: &str, extra: &str) -> StandIns {
    world_with(policies, extra, "").await
}

async fn world_with(policies: &str, extra: &str, cluster: &str) -> StandIns {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    engine.answer("/_resolve/index/*", |_| {
        let aliases = json!([
            {"name": "logs-of-people", "indices": ["logs-a", "logs-pii-1"]},
            {"name": "logs-of-machines", "indices": ["logs-a"]},
        ]);
        let index = |name: &str| json!({"name": name, "attributes": ["open"]});
        let listing = json!({"indices": [index("logs-a"), index("logs-pii-1")], "aliases": aliases, "data_streams": []});
        http::Response::new(http_body_util::Full::from(listing.to_string()))
    });
    let files = ProxyFiles::new();
    files.write("agents.cedar", policies);
    let config = stand_in_config(&files, &provider, &[&engine.url()]);
    let proxy =
        RunningProxy::start(files, &format!("{config}{cluster}policies:\n  files: [agents.cedar]\n{extra}"))
            .await;
    StandIns { provider, engine, proxy }
}

/// An agent in the group `agents`.
fn agent(world: &StandIns, scope: &str) -> Client {
    let token = world
        .provider
        .build_token()
        .claim("sub", "tester")
        .claim("scope", scope)
        .claim("groups", json!(["agents"]))
        .sign();
    world.anonymous().with_token(token)
}

async fn code(world: &StandIns, client: &Client, method: Method, path: &str, body: &str) -> String {
    let before = world.engine.seen().len();
    let kind = if body.contains('\n') { "application/x-ndjson" } else { "application/json" };
    let headers: &[_] = if body.is_empty() { &[] } else { &[("content-type", kind)] };
    let reply = client.send(method, path, headers, Bytes::from(body.to_owned())).await;
    if reply.status.is_success() {
        return "ok".to_owned();
    }
    assert_eq!(world.engine.seen().len(), before, "a refusal does not trouble the engine");
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    reply.code()
}

#[tokio::test]
async fn a_policy_narrows_what_a_scope_allows() {
    let world = world(POLICIES, "").await;
    let client = agent(&world, "read:* write:* monitor:cluster");
    let (forbidden, unpermitted) = ("forbidden_by_policy", "not_permitted_by_policy");
    let bulk = |index: &str| format!("{}\n{{}}\n", json!({"index": {"_index": index}}));
    let table: Vec<(Method, &str, String, &str)> = vec![
        (Method::GET, "/logs-a/_search", String::new(), "ok"),
        (Method::GET, "/logs-a,logs-b/_search", String::new(), "ok"),
        (Method::GET, "/logs-pii-1/_search", String::new(), forbidden),
        (Method::GET, "/logs-a,logs-pii-1/_search", String::new(), forbidden),
        // It could touch what is forbidden.
        (Method::GET, "/logs-*/_search", String::new(), forbidden),
        (Method::GET, "/logs-p*/_search", String::new(), forbidden),
        (Method::GET, "/logs-a*/_search", String::new(), "ok"),
        (Method::GET, "/metrics/_search", String::new(), unpermitted),
        (Method::GET, "/log*/_search", String::new(), forbidden),
        (Method::GET, "/_cluster/health", String::new(), unpermitted),
        (Method::POST, "/logs-a/_doc", "{}".to_owned(), "ok"),
        (Method::DELETE, "/logs-a/_doc/1", String::new(), unpermitted),
        // What stands in bodies, of a token that holds everything.
        (Method::POST, "/_bulk", bulk("logs-a"), "ok"),
        (Method::POST, "/_bulk", bulk("logs-a") + &bulk("logs-pii-1"), forbidden),
        (Method::POST, "/_bulk", bulk("metrics"), unpermitted),
        (Method::POST, "/_mget", json!({"docs": [{"_index": "logs-a", "_id": "1"}]}).to_string(), "ok"),
        (
            Method::POST,
            "/_mget",
            json!({"docs": [{"_index": "logs-pii-1", "_id": "1"}]}).to_string(),
            forbidden,
        ),
        (
            Method::POST,
            "/logs-a/_search",
            json!({"query": {"terms": {"user": {"index": "logs-pii-1", "id": "1", "path": "ids"}}}})
                .to_string(),
            forbidden,
        ),
    ];
    for (method, path, body, expected) in table {
        assert_eq!(
            code(&world, &client, method.clone(), path, &body).await,
            expected,
            "{method} {path} {body}"
        );
    }
    // A policy gives nothing that a scope does not.
    let narrow = agent(&world, "read:logs-a");
    assert_eq!(code(&world, &narrow, Method::GET, "/logs-b/_search", "").await, "insufficient_scope");
    // Without the group only the permit for everybody is left, of which there is none.
    let token = world.provider.build_token().claim("sub", "tester").claim("scope", "read:*").sign();
    let other = world.anonymous().with_token(token);
    assert_eq!(code(&world, &other, Method::GET, "/logs-a/_search", "").await, unpermitted);
    // Who may ask who they are is not the policies' matter.
    assert_eq!(code(&world, &other, Method::GET, "/", "").await, "ok");
}

#[tokio::test]
async fn no_alias_leads_around_a_policy_where_there_is_a_catalogue() {
    let world = world_with(POLICIES, "", "    catalogue: {refresh: 10m, stale: 1h}\n").await;
    let client = agent(&world, "read:*");
    // Until the names are listed, nothing that might be an alias is let through.
    let listed = async || (client.get("/logs-a/_search").await.status == StatusCode::OK).then_some(());
    eventually("the names are listed", listed).await;
    let table = [
        ("/logs-of-machines/_search", "ok"),
        ("/logs-of-people/_search", "forbidden_by_policy"),
        ("/logs-of-*/_search", "forbidden_by_policy"),
        ("/logs-a/_search", "ok"),
    ];
    for (path, expected) in table {
        assert_eq!(code(&world, &client, Method::GET, path, "").await, expected, "{path}");
    }
}

#[tokio::test]
async fn circumstances_count() {
    let world = world(POLICIES, "").await;
    let token =
        world.provider.build_token().claim("scope", "read:*").claim("preferred_username", "alice").sign();
    let alice = world.anonymous().with_token(token);
    assert_eq!(code(&world, &alice, Method::GET, "/metrics/_search", "").await, "ok");
    let record = world.proxy.last_audit().await;
    assert_eq!(record["policies"], json!(["people see all but from outside"]), "{record}");
    assert_eq!(code(&world, &alice, Method::GET, "/logs-pii-1/_search", "").await, "forbidden_by_policy");
}

#[tokio::test]
async fn the_trail_and_the_answer_name_the_policies() {
    let world = world(POLICIES, "").await;
    let client = agent(&world, "read:*");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["policies"], json!(["agents read logs"]), "{record}");
    let reply = client.get("/logs-pii-1/_search").await;
    assert!(reply.text().contains("`nobody sees people`"), "{}", reply.text());
    let record = world.proxy.last_audit().await;
    assert_eq!((&record["layer"], &record["decision"]), (&json!("policy"), &json!("deny")), "{record}");
}

#[tokio::test]
async fn policies_on_trial_refuse_nothing_and_tell_what_they_would() {
    let world = world(POLICIES, "  mode: log_only\n").await;
    let client = agent(&world, "read:*");
    assert_eq!(client.get("/logs-pii-1/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    let told = record["policy_would_deny"].as_str().unwrap();
    assert!(told.contains("nobody sees people") && record["decision"] == "allow", "{record}");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(world.proxy.last_audit().await["policy_would_deny"], Value::Null);
}

#[tokio::test]
async fn a_set_with_a_fault_never_replaces_one_that_works() {
    let world = world(POLICIES, "").await;
    let client = agent(&world, "read:*");
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "ok");
    world.proxy.files().write("agents.cedar", "permit(principal, action, resource in Index::\"logs-b\";");
    let error = world.proxy.reloader().try_reload().await.unwrap_err();
    assert!(matches!(error, ReloadError::Build(_)), "{error:?}");
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "ok");
    world.proxy.files().write("agents.cedar", "permit(principal, action, resource in Index::\"logs-b\");");
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "not_permitted_by_policy");
    assert_eq!(code(&world, &client, Method::GET, "/logs-b/_search", "").await, "ok");
}

/// Starts a proxy with these lines after the usual configuration, and these files beside it.
async fn world_of(files: &[(&str, &str)], extra: &str) -> StandIns {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let beside = ProxyFiles::new();
    for (name, text) in files {
        std::fs::create_dir_all(beside.path(name).parent().unwrap()).unwrap();
        beside.write(name, text);
    }
    let config = stand_in_config(&beside, &provider, &[&engine.url()]);
    let proxy = RunningProxy::start(beside, &format!("{config}{extra}")).await;
    StandIns { provider, engine, proxy }
}

const OPEN: &str = "@id(\"open\") permit(principal, action, resource);";

#[tokio::test]
async fn of_several_sets_each_must_allow_and_each_has_its_own_mode() {
    let company = "@id(\"nobody sees people\") forbid(principal, action, resource in Index::\"logs-pii-*\");";
    let team =
        "@id(\"readers\") permit(principal, action in Action::\"read\", resource in Index::\"logs-*\");";
    let files = [
        ("company.cedar", format!("{OPEN}\n{company}")),
        ("team.cedar", team.to_owned()),
        (
            "trial.cedar",
            "@id(\"a only\") permit(principal, action, resource in Index::\"logs-a\");".to_owned(),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let sets = "\
policies:
  sets:
    - {name: company, files: [company.cedar]}
    - {name: team, files: [team.cedar]}
    - {name: trial, files: [trial.cedar], mode: log_only}
";
    let world = world_of(&files, sets).await;
    let client = agent(&world, "admin:*");
    let table = [
        (Method::GET, "/logs-a/_search", "ok"),
        (Method::GET, "/logs-b/_search", "ok"),
        // What one set permits, another refuses.
        (Method::GET, "/logs-pii-1/_search", "forbidden_by_policy"),
        (Method::DELETE, "/logs-a", "not_permitted_by_policy"),
    ];
    for (method, path, expected) in table {
        assert_eq!(code(&world, &client, method, path, "").await, expected, "{path}");
    }
    let reply = client.get("/metrics/_search").await;
    assert!(reply.text().contains("no policy of the set `team` permits"), "{}", reply.text());
    assert_eq!(client.get("/logs-b/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["policies"], json!(["company/open", "team/readers"]), "{record}");
    let told = record["policy_would_deny"].as_str().unwrap();
    assert!(told.contains("no policy of the set `trial` permits"), "{told}");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    assert_eq!(record["policies"], json!(["company/open", "team/readers", "trial/a only"]), "{record}");
}

#[tokio::test]
async fn a_folder_is_read_whole_and_a_fault_in_one_file_leaves_all_as_it_was() {
    let forbid = "forbid(principal, action, resource in Index::\"logs-b\");";
    let files = [("rules/open.cedar", OPEN), ("rules/b.cedar", forbid), ("rules/notes.txt", "none of it")];
    let world = world_of(&files, "policies: {folder: rules}\n").await;
    let client = agent(&world, "read:*");
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "ok");
    assert_eq!(code(&world, &client, Method::GET, "/logs-b/_search", "").await, "forbidden_by_policy");
    let folder = world.proxy.files().path("rules");
    // A new file counts, and so does one that is gone.
    world.proxy.files().write("rules/a.cedar", "forbid(principal, action, resource in Index::\"logs-a\");");
    std::fs::remove_file(folder.join("b.cedar")).unwrap();
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "forbidden_by_policy");
    assert_eq!(code(&world, &client, Method::GET, "/logs-b/_search", "").await, "ok");
    // A fault in one file, or no file at all, changes nothing.
    world.proxy.files().write("rules/b.cedar", "forbid(principal, actoin, resource);");
    std::fs::remove_file(folder.join("a.cedar")).unwrap();
    let error = world.proxy.reloader().try_reload().await.unwrap_err();
    let told = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<String>();
    assert!(told.contains("b.cedar:1:19: found an invalid variable"), "{told}");
    assert!(told.contains("1 | forbid(principal, actoin, resource);\n     |                   ^"), "{told}");
    for file in ["open.cedar", "b.cedar"] {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    assert!(world.proxy.reloader().try_reload().await.is_err(), "an empty folder would refuse everything");
    assert_eq!(code(&world, &client, Method::GET, "/logs-a/_search", "").await, "forbidden_by_policy");
    assert_eq!(code(&world, &client, Method::GET, "/logs-b/_search", "").await, "ok");
}

const ALONE: &str = "\
mappings:
  - {group: agents, grant: {roles: [agents_of_the_engine]}}
policies: {files: [agents.cedar], instead_of_scopes: true}
";

#[tokio::test]
async fn policies_can_decide_alone_and_the_engine_still_judges_by_its_own_roles() {
    let world = world_of(&[("agents.cedar", POLICIES)], ALONE).await;
    // None of its scopes would allow it, and none that it has does.
    let client = agent(&world, "openid admin:metrics");
    let bulk = |index: &str| format!("{}\n{{}}\n", json!({"index": {"_index": index}}));
    let (forbidden, unpermitted) = ("forbidden_by_policy", "not_permitted_by_policy");
    for (method, path, body, expected) in [
        (Method::GET, "/logs-a/_search", String::new(), "ok"),
        (Method::GET, "/logs-*/_search", String::new(), forbidden),
        (Method::GET, "/metrics/_search", String::new(), unpermitted),
        (Method::DELETE, "/logs-a", String::new(), unpermitted),
        (Method::POST, "/_bulk", bulk("logs-a"), "ok"),
        (Method::POST, "/_bulk", bulk("logs-pii-1"), forbidden),
        (Method::POST, "/_bulk", bulk("metrics"), unpermitted),
        (Method::GET, "/", String::new(), "ok"),
        // A route that is not known is none that policies could speak of.
        (Method::GET, "/_plugins/unheard_of", String::new(), "unknown_operation"),
    ] {
        assert_eq!(code(&world, &client, method, path, &body).await, expected, "{path} {body}");
    }
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    let record = world.proxy.last_audit().await;
    // What the token says of itself becomes nothing that the engine trusts.
    assert_eq!(record["engine_identity"]["roles"], json!(["agents_of_the_engine"]), "{record}");
    assert_eq!(record["policies"], json!(["agents read logs"]), "{record}");
    // Whoever has no mapping comes to the engine without a role.
    let token =
        world.provider.build_token().claim("scope", "admin:*").claim("preferred_username", "alice").sign();
    let alice = world.anonymous().with_token(token);
    assert_eq!(code(&world, &alice, Method::GET, "/metrics/_search", "").await, "ok");
    let record = world.proxy.last_audit().await;
    assert_eq!(record["engine_identity"]["roles"], Value::Null, "{record}");
}

/// Parts of requests, put together in every way.
fn requests() -> Vec<(Method, String, String)> {
    let names =
        ["logs-a", "logs-*", "logs-pii-1", "log*", "*", "metrics", "logs-a,metrics", "logs-a,logs-pii-1"];
    let mut requests = vec![(Method::GET, "/_cluster/health".to_owned(), String::new())];
    for name in names {
        requests.push((Method::GET, format!("/{name}/_search"), String::new()));
        requests.push((Method::GET, format!("/{name}/_stats"), String::new()));
        requests.push((Method::DELETE, format!("/{name}"), String::new()));
    }
    for one in ["logs-a", "logs-pii-1", "metrics"] {
        requests.push((Method::PUT, format!("/{one}/_doc/1"), "{}".to_owned()));
        for other in ["logs-a", "metrics"] {
            let lines = [one, other].map(|index| format!("{}\n{{}}\n", json!({"index": {"_index": index}})));
            requests.push((Method::POST, "/_bulk".to_owned(), lines.concat()));
            let body = json!({"source": {"index": one}, "dest": {"index": other}});
            requests.push((Method::POST, "/_reindex".to_owned(), body.to_string()));
        }
    }
    requests
}

#[tokio::test]
async fn scopes_and_policies_together_never_allow_more_than_either_alone() {
    let files = [("agents.cedar", POLICIES)];
    let policies = "policies: {files: [agents.cedar]}\n";
    let (scopes, alone, both) =
        (world_of(&[], "").await, world_of(&files, ALONE).await, world_of(&files, policies).await);
    let mut seen = std::collections::BTreeSet::new();
    for held in [
        "read:logs-*",
        "read:* write:*",
        "write:logs-* read:logs-a",
        "admin:* admin:cluster",
        "monitor:logs-*",
    ] {
        for groups in [json!(["agents"]), json!([])] {
            for (method, path, body) in requests() {
                let mut allowed = Vec::new();
                for world in [&scopes, &alone, &both] {
                    let token = world.provider.build_token().claim("sub", "tester").claim("scope", held);
                    let client = world.anonymous().with_token(token.claim("groups", groups.clone()).sign());
                    allowed.push(code(world, &client, method.clone(), &path, &body).await == "ok");
                }
                let [scopes, alone, both] = allowed[..] else { unreachable!("three proxies were asked") };
                assert_eq!(both, scopes && alone, "{held} {groups} {method} {path} {body}");
                seen.insert((scopes, alone));
            }
        }
    }
    assert_eq!(seen.len(), 4, "each layer refuses something that the other allows: {seen:?}");
}

#[tokio::test]
async fn saved_objects_are_asked_about_by_type_and_workspace_and_for_the_tenant() {
    let policies = r#"
@id("team a") permit(principal, action in Action::"read", resource in Workspace::"team-a");
@id("dashboards are kept") permit(principal, action in [Action::"create", Action::"update"], resource in ResourceType::"dashboard");
@id("pages") permit(principal, action in Action::"read", resource == Dashboards::"dashboards");
@id("no settings") forbid(principal, action, resource in ResourceType::"config");
@id("not in private") forbid(principal, action in Action::"write", resource) when { context has tenant && context.tenant == "private" };
"#;
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let dashboards = StandInDashboards::start(DashboardsOptions::new(engine.url())).await;
    let files = ProxyFiles::new();
    files.write("agents.cedar", policies);
    let config = format!(
        "{}    dashboards: {{nodes: [{}], tenant: {{choice: {{allowed: [global, private]}}}}}}\npolicies: {{files: [agents.cedar]}}\n",
        stand_in_config(&files, &provider, &[&engine.url()]),
        dashboards.url()
    );
    let proxy = RunningProxy::start(files, &config).await;
    let world = StandIns { provider, engine, proxy };
    let client = agent(&world, "admin:dashboards");
    let (forbidden, unpermitted) = ("forbidden_by_policy", "not_permitted_by_policy");
    let list = |kinds: &[&str]| {
        json!(kinds.iter().map(|kind| json!({"type": kind})).collect::<Vec<_>>()).to_string()
    };
    let find = "/api/saved_objects/_find?type=dashboard";
    let table = [
        (Method::GET, "/app/home", String::new(), "global", "ok"),
        (Method::GET, &*format!("{find}&workspaces=team-a"), String::new(), "global", "ok"),
        (Method::GET, &*format!("{find}&workspaces=team-b"), String::new(), "global", unpermitted),
        // Anywhere is not in one workspace.
        (Method::GET, find, String::new(), "global", unpermitted),
        (Method::GET, &*format!("{find}&type=config&workspaces=team-a"), String::new(), "global", forbidden),
        // A type that is not known takes `admin` on all of Dashboards, and settings `manage`, which no policy permits.
        (Method::GET, &*format!("{find}&type=odd&workspaces=team-a"), String::new(), "global", unpermitted),
        (Method::POST, "/api/saved_objects/dashboard/d", "{}".to_owned(), "global", "ok"),
        (Method::POST, "/api/saved_objects/dashboard/d", "{}".to_owned(), "private", forbidden),
        (Method::POST, "/api/saved_objects/_bulk_create", list(&["dashboard"]), "global", "ok"),
        (
            Method::POST,
            "/api/saved_objects/_bulk_create",
            list(&["dashboard", "search"]),
            "global",
            unpermitted,
        ),
        (
            Method::POST,
            "/api/saved_objects/_bulk_create",
            list(&["dashboard", "config"]),
            "global",
            unpermitted,
        ),
        (Method::DELETE, "/api/saved_objects/dashboard/d", String::new(), "global", unpermitted),
        (Method::GET, "/api/opensearch-dashboards/dashboards/export", String::new(), "global", forbidden),
    ];
    for (method, path, body, tenant, expected) in table {
        let headers =
            [("content-type", "application/json"), ("osd-xsrf", "true"), ("securitytenant", tenant)];
        let before = dashboards.seen().len();
        let reply = client.send(method.clone(), path, &headers, Bytes::from(body.clone())).await;
        let told: Value = serde_json::from_str(&reply.text()).unwrap_or_default();
        let code = told["attributes"]["code"].as_str().unwrap_or("ok");
        assert_eq!(code, expected, "{method} {path} {body} {tenant}: {told}");
        assert_eq!(dashboards.seen().len() > before, expected == "ok", "{method} {path}");
    }
}
