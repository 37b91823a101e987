//! Sets of policies that are edited over HTTP: what is written counts at once, and what is faulty never does.

use bytes::Bytes;
use e2e::{Client, ProxyFiles, Reply, RunningProxy, StandIns, stand_in_config};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::described::as_described;
use crate::world::TOKENS;

const SETS: &str = "policies:\n  sets:\n    - {name: company, managed: true}\n";
const ALL: &str = "@id(\"all\")\npermit(principal, action, resource);\n";
const NO_PII: &str = "@id(\"all\")\npermit(principal, action, resource);\n@id(\"no pii\")\nforbid(principal, action, resource in Index::\"logs-pii-*\");\n";
const COMPANY: &str = "/oauth/policies/company";

async fn send(client: &Client, method: Method, path: &str, replaces: Option<u32>, body: Value) -> Reply {
    let tag = replaces.map(|version| format!("\"{version}\""));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(tag.as_deref().map(|tag| ("if-match", tag)));
    client.send(method, path, &headers, Bytes::from(body.to_string())).await
}

async fn write(client: &Client, replaces: u32, policies: &str) -> Reply {
    let body = json!({"policies": policies, "comment": "as was agreed"});
    send(client, Method::PUT, COMPANY, Some(replaces), body).await
}

/// What becomes of a search of this index.
async fn search(world: &StandIns, index: &str) -> String {
    let reply = world.client("read:*").get(&format!("/{index}/_search")).await;
    if reply.status.is_success() { "ok".to_owned() } else { reply.code() }
}

#[tokio::test]
async fn what_is_written_counts_at_once_and_what_is_faulty_never() {
    let world = StandIns::start_with(&format!("{TOKENS}{SETS}")).await;
    let admin = world.client("admin:policies");
    let unwritten = admin.get(COMPANY).await;
    assert_eq!((unwritten.header("etag"), unwritten.json()["version"].as_u64()), ("\"0\"", Some(0)));
    assert_eq!(search(&world, "logs-a").await, "not_permitted_by_policy", "until something is written");

    let written = write(&admin, 0, ALL).await;
    assert_eq!((written.status, written.header("etag")), (StatusCode::OK, "\"1\""), "{}", written.text());
    let record = world.proxy.last_audit().await;
    let told = [&record["operation"], &record["action"], &record["targets"][0], &record["detail"]];
    assert_eq!(told, ["oauth.policies.write", "policies", "company", "version 1"]);
    assert_eq!(search(&world, "logs-pii-1").await, "ok");
    assert_eq!(write(&admin, 1, NO_PII).await.status, StatusCode::OK);
    assert_eq!(search(&world, "logs-pii-1").await, "forbidden_by_policy");
    assert_eq!(search(&world, "logs-a").await, "ok");

    let faulty =
        write(&admin, 2, "permit(principal, action == Action::\"serach\",\n  resource);\nforbid(").await;
    assert_eq!(faulty.status, StatusCode::BAD_REQUEST);
    let fault = &faulty.json()["faults"][0];
    assert!(fault["line"].is_u64() && fault["shown"].as_str().unwrap().contains('^'), "{fault}");
    for (replaces, status) in
        [(Some(1), StatusCode::PRECONDITION_FAILED), (None, StatusCode::PRECONDITION_REQUIRED)]
    {
        let reply = send(&admin, Method::PUT, COMPANY, replaces, json!({"policies": ALL})).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    assert_eq!(search(&world, "logs-pii-1").await, "forbidden_by_policy", "nothing of it changed anything");
    assert_eq!(world.proxy.metric("managed_policies_version{set=\"company\"}").await, Some(2.0));

    let rollback = json!({"version": 1, "comment": "too narrow"});
    let restored = send(&admin, Method::POST, &format!("{COMPANY}/rollback"), Some(2), rollback).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.text());
    assert_eq!((restored.json()["restored_from"].as_u64(), restored.header("etag")), (Some(1), "\"3\""));
    assert_eq!(search(&world, "logs-pii-1").await, "ok");
    let versions = admin.get(&format!("{COMPANY}/versions")).await.json();
    let numbers: Vec<_> =
        versions["versions"].as_array().unwrap().iter().map(|version| version["version"].as_u64()).collect();
    assert_eq!(numbers, [Some(3), Some(2), Some(1)]);
    assert_eq!(versions["versions"][0]["written"]["reason"], "too narrow");
    let second = admin.get(&format!("{COMPANY}/versions/2")).await.json();
    assert_eq!(second["policies"], NO_PII);
    assert_eq!(admin.get(&format!("{COMPANY}/versions/9")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/oauth/policies/other").await.status, StatusCode::NOT_FOUND);
}

/// Runs `opensearch-auth policy-sets` with these files in its folder, and tells its exit code and what it wrote.
async fn policy_sets(world: &StandIns, home: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let run = async |arguments: &[&str]| {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_opensearch-auth-under-test"))
            .args(arguments)
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("OPENSEARCH_AUTH_TOKEN", world.provider.token("admin:policies"))
            .output()
            .await
            .unwrap();
        let written = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(written).unwrap())
    };
    if !home.path().join(".opensearch").exists() {
        let (url, ca) = (format!("https://localhost:{}", world.proxy.address.port()), world.proxy.ca());
        let issuer = format!("stand-in={}", world.provider.issuer());
        let context = ["--url", &url, "--ca", ca.to_str().unwrap(), "--provider", &issuer];
        let (code, written) = run(&[&["contexts", "add", "here"], &context[..]].concat()).await;
        assert_eq!(code, Some(0), "{written}");
    }
    run(&[&["policy-sets"], arguments].concat()).await
}

#[tokio::test]
async fn the_command_line_writes_shows_and_restores_versions() {
    let world = StandIns::start_with(&format!("{TOKENS}{SETS}")).await;
    let home = TempDir::new().unwrap();
    for (name, text) in [("all.cedar", ALL), ("no-pii.cedar", NO_PII), ("faulty.cedar", "permit(")] {
        std::fs::write(home.path().join(name), text).unwrap();
    }
    let told = async |arguments: &[&str]| {
        let (code, written) = policy_sets(&world, &home, arguments).await;
        assert_eq!(code, Some(0), "{written}");
        written
    };
    assert_eq!(told(&["list"]).await, "company  nothing was written yet, so it permits nothing\n");
    let first = told(&["write", "company", "all.cedar", "--comment", "to begin with"]).await;
    assert_eq!(first, "✅ Version 1 of company counts\n");
    assert_eq!(
        told(&["write", "company", "no-pii.cedar", "--replaces", "1"]).await,
        "✅ Version 2 of company counts\n"
    );
    assert_eq!(search(&world, "logs-pii-1").await, "forbidden_by_policy");
    assert_eq!(told(&["show", "company"]).await, NO_PII);
    assert_eq!(told(&["show", "company", "1"]).await, ALL);

    let (code, written) =
        policy_sets(&world, &home, &["write", "company", "all.cedar", "--replaces", "1"]).await;
    assert_eq!(code, Some(1), "{written}");
    let (code, written) = policy_sets(&world, &home, &["write", "company", "faulty.cedar"]).await;
    assert!(code == Some(1) && written.contains("faulty.cedar:1") && written.contains('^'), "{written}");
    for set in ["other", "../tokens"] {
        let (code, written) = policy_sets(&world, &home, &["show", set]).await;
        assert_ne!(code, Some(0), "{written}");
    }
    assert_eq!(told(&["list"]).await, "company  version 2\n", "nothing of that changed anything");

    assert_eq!(told(&["rollback", "company", "1"]).await, "✅ Version 3 of company counts\n");
    assert_eq!(search(&world, "logs-pii-1").await, "ok");
    let versions = told(&["versions", "company"]).await;
    let lines: Vec<_> = versions.lines().collect();
    assert!(lines[0].starts_with("3  ") && lines[0].ends_with("  version 1 again"), "{versions}");
    assert!(lines[2].starts_with("1  ") && lines[2].ends_with("  to begin with"), "{versions}");
}

#[tokio::test]
async fn what_was_written_outlasts_reloads_and_restarts() {
    let world = StandIns::start_with(&format!("{TOKENS}{SETS}")).await;
    let admin = world.client("admin:policies");
    assert_eq!(write(&admin, 0, NO_PII).await.status, StatusCode::OK);
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    world.proxy.rewrite_config(&format!("{config}# changed\n"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(search(&world, "logs-pii-1").await, "forbidden_by_policy");
    assert_eq!(search(&world, "logs-a").await, "ok");
    // The configuration that was reloaded follows what is written, too.
    assert_eq!(write(&admin, 1, ALL).await.status, StatusCode::OK);
    assert_eq!(search(&world, "logs-pii-1").await, "ok");
    assert_eq!(write(&admin, 2, NO_PII).await.status, StatusCode::OK);

    let StandIns { provider, engine, proxy } = world;
    let stopped = proxy.stop().await;
    // A folder of its own, since the first proxy lives on in this process for a moment.
    let files = ProxyFiles::new();
    std::fs::copy(stopped.path("tokens.redb"), files.path("tokens.redb")).unwrap();
    let config = format!("{}{TOKENS}{SETS}", stand_in_config(&files, &provider, &[&engine.url()]));
    let proxy = RunningProxy::start(files, &config).await;
    let world = StandIns { provider, engine, proxy };
    assert_eq!(search(&world, "logs-pii-1").await, "forbidden_by_policy");
    assert_eq!(search(&world, "logs-a").await, "ok");
}

#[tokio::test]
async fn scopes_say_who_sees_and_who_writes() {
    let world = StandIns::start_with(&format!("{TOKENS}{SETS}")).await;
    let (nobody, monitor) = (world.client("admin:* admin:tokens"), world.client("monitor:policies"));
    for path in ["/oauth/policies", COMPANY, "/oauth/policies/company/versions"] {
        assert_eq!(world.anonymous().get(path).await.status, StatusCode::UNAUTHORIZED);
        let refused = nobody.get(path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.header("www-authenticate").contains("monitor:policies"));
        assert_eq!(monitor.get(path).await.status, StatusCode::OK, "{path}");
    }
    for client in [&nobody, &monitor] {
        let refused = write(client, 0, ALL).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.header("www-authenticate").contains("admin:policies"));
    }
    let sets = monitor.get("/oauth/policies").await.json();
    assert_eq!(sets, json!({"sets": [{"set": "company", "version": 0, "in_force": 0}]}));
}

#[tokio::test]
async fn answers_are_as_the_published_description_says() {
    let world = StandIns::start_with(&format!("{TOKENS}{SETS}")).await;
    let (admin, anonymous) = (world.client("admin:policies"), world.anonymous());
    let document = anonymous.get("/oauth/openapi.json").await.json();
    let check = |name: &str, reply: &Reply| as_described(&document, name, reply);
    let rollback = async |replaces, version: u32| {
        let path = format!("{COMPANY}/rollback");
        send(&admin, Method::POST, &path, replaces, json!({"version": version})).await
    };
    check("oauth.policies.show", &admin.get(COMPANY).await);
    for (replaces, policies) in [(0, ALL), (0, ALL), (1, "nonsense"), (1, NO_PII)] {
        check("oauth.policies.write", &write(&admin, replaces, policies).await);
    }
    for (replaces, version) in [(Some(2), 1), (Some(2), 1), (Some(3), 9), (None, 1)] {
        check("oauth.policies.rollback", &rollback(replaces, version).await);
    }
    check("oauth.policies.write", &send(&admin, Method::PUT, COMPANY, None, json!({"policies": ALL})).await);
    check("oauth.policies.write", &send(&admin, Method::PUT, COMPANY, Some(3), json!({})).await);
    for client in [&admin, &anonymous, &world.client("read:*")] {
        check("oauth.policies.list", &client.get("/oauth/policies").await);
        check("oauth.policies.show", &client.get(COMPANY).await);
        check("oauth.policies.versions", &client.get(&format!("{COMPANY}/versions")).await);
        check("oauth.policies.version", &client.get(&format!("{COMPANY}/versions/1")).await);
    }
    check("oauth.policies.version", &admin.get(&format!("{COMPANY}/versions/none")).await);
}
