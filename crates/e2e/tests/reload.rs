//! Reload: all or nothing, unnoticed by whoever is being served.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use e2e::{Session, StandIns, eventually};
use http::{Method, StatusCode};
use opensearch_oauth_proxy::reload::ReloadError;

/// The configuration file as it is.
fn config(world: &StandIns) -> String {
    std::fs::read_to_string(world.proxy.config_path()).unwrap()
}

fn grant(scope: &str) -> String {
    format!("mappings:\n  - scope: team\n    grant: {{scopes: [\"{scope}\"]}}\n")
}

async fn status(world: &StandIns, scope: &str, path: &str) -> StatusCode {
    world.client(scope).get(path).await.status
}

fn connects(world: &StandIns) -> u64 {
    let snapshot = world.proxy.proxy().snapshot();
    snapshot.clusters().iter().flat_map(|cluster| cluster.upstream().status().map(|node| node.connects)).sum()
}

fn generation(world: &StandIns) -> u64 {
    world.proxy.proxy().snapshot().generation()
}

#[tokio::test]
async fn a_new_mapping_counts_at_once_for_tokens_already_known() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    let client = world.client("team");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!(client.get("/metrics-a/_search").await.status, StatusCode::FORBIDDEN);

    world.proxy.rewrite_config(&config(&world).replace("read:logs-*", "read:metrics-*"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::FORBIDDEN);
    assert_eq!(client.get("/metrics-a/_search").await.status, StatusCode::OK);
    assert_eq!(generation(&world), 2);
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_being_told() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    world.proxy.rewrite_config(&config(&world).replace("read:logs-*", "read:metrics-*"));
    // These requests also write to the audit file, in the same folder, all the time.
    eventually("the new mapping is in force", async || {
        (status(&world, "team", "/metrics-a/_search").await == StatusCode::OK).then_some(())
    })
    .await;

    // As editors do it, and as a mounted volume does: another file takes the name.
    let files = world.proxy.files();
    files.write("config.yml.new", &config(&world).replace("read:metrics-*", "read:traces-*"));
    std::fs::rename(files.path("config.yml.new"), files.path("config.yml")).unwrap();
    eventually("the next mapping is in force", async || {
        (status(&world, "team", "/traces-a/_search").await == StatusCode::OK).then_some(())
    })
    .await;
    let success = world.proxy.metric("config_reloads_total{result=\"success\"}").await;
    assert_eq!(success, Some(2.0), "one reload for one change");
}

#[tokio::test]
async fn files_that_a_new_configuration_names_elsewhere_are_watched_too() {
    let world = StandIns::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let key = elsewhere.path().join("signing.pem");
    std::fs::copy(world.proxy.files().path("signing.pem"), &key).unwrap();
    let moved =
        config(&world).replace("private_key: signing.pem", &format!("private_key: {}", key.display()));
    world.proxy.rewrite_config(&moved);
    eventually("the new configuration is in force", async || (generation(&world) == 2).then_some(())).await;
    std::fs::write(&key, &*engine::generate_key(engine::KeyKind::Rsa2048).unwrap()).unwrap();
    eventually("the change is noticed there", async || (generation(&world) == 3).then_some(())).await;
}

#[tokio::test]
async fn a_faulty_file_leaves_what_runs_and_says_what_is_wrong() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    let good = config(&world);
    let cases = [
        ("scopes: [\"read:logs-*\"]", "scopes: [\"reed:logs-*\"]", "mappings[0].grant.scopes[0]"),
        ("min_refetch_interval: 1s", "min_refetch_interval: 1h", "providers[0].min_refetch_interval"),
        (
            "private_key: signing.pem",
            "private_key: missing.pem",
            "clusters[0].identity.signed_jwt.private_key",
        ),
        ("mappings:", "mapings:", "mapings"),
        ("providers:", "providers: [", ""),
    ];
    for (from, to, key) in cases {
        let faulty = good.replacen(from, to, 1);
        assert_ne!(faulty, good, "{from}");
        let line = 1 + faulty.lines().position(|line| line.contains(to)).unwrap();
        world.proxy.rewrite_config(&faulty);
        let error = world.proxy.reloader().try_reload().await.expect_err("it is faulty");
        let ReloadError::Mistakes(diagnostics) = &error else { unreachable!("{error}") };
        let told = diagnostics.to_string();
        assert!(told.contains("config.yml") && told.contains(key), "{key}: {told}");
        if !key.is_empty() {
            assert!(told.contains(&format!("config.yml:{line}:")), "line {line}: {told}");
        }
        assert!(error.to_string().contains("config.yml"), "{error}");
        assert_eq!(generation(&world), 1);
        assert_eq!(status(&world, "team", "/logs-a/_search").await, StatusCode::OK);
    }
    world.proxy.reloader().reload("test").await;
    assert_eq!(world.proxy.metric("config_last_reload_successful").await, Some(0.0));
    assert!(world.proxy.metric("config_reloads_total{result=\"failure\"}").await >= Some(1.0));

    world.proxy.rewrite_config(&good);
    world.proxy.reloader().reload("test").await;
    assert_eq!(world.proxy.metric("config_last_reload_successful").await, Some(1.0));
}

#[tokio::test]
async fn a_mistake_that_is_taken_back_is_noticed_too() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    let good = config(&world);
    world.proxy.rewrite_config(&good.replace("read:logs-*", "reed:logs-*"));
    let successful = async || world.proxy.metric("config_last_reload_successful").await;
    eventually("the mistake is told", async || (successful().await == Some(0.0)).then_some(())).await;
    world.proxy.rewrite_config(&good);
    eventually("all is well again", async || (successful().await == Some(1.0)).then_some(())).await;
}

#[tokio::test]
async fn what_only_a_restart_can_change_is_named() {
    let world = StandIns::start().await;
    let good = config(&world);
    let another = "admin: {address: 127.0.0.1:1}";
    let cases: [(&str, String); 7] = [
        ("listen", good.replacen("address: 127.0.0.1:0", "address: 127.0.0.1:1", 1)),
        ("admin", good.replace("admin: {address: 127.0.0.1:0}", another)),
        ("audit", good.replace("path: audit.log", "path: other.log")),
        ("telemetry", format!("{good}telemetry: {{log_level: debug}}\n")),
        ("limits.max_connections", format!("{good}limits: {{max_connections: 5}}\n")),
        ("drain_timeout", format!("{good}drain_timeout: 5s\n")),
        ("tokens.store", format!("{good}tokens:\n  store: {{embedded: {{path: tokens.redb}}}}\n")),
    ];
    for (key, changed) in cases {
        assert_ne!(changed, good, "{key}");
        world.proxy.rewrite_config(&changed);
        let error = world.proxy.reloader().try_reload().await.expect_err(key);
        assert!(matches!(&error, ReloadError::NeedsRestart(keys) if *keys == [key]), "{key}: {error}");
        assert!(error.to_string().contains(key) && error.to_string().contains("restart"), "{error}");
        assert_eq!(generation(&world), 1);
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    let mut old = Session::open(&client).await;
    assert_eq!(old.get("/logs-a/_search").await.unwrap().status, StatusCode::OK);
    let expiry = world.proxy.metric("certificate_not_after_seconds").await;
    assert!(expiry > Some(0.0));

    world.proxy.files().renew_certificate();
    world.proxy.reloader().try_reload().await.unwrap();
    // A client of its own: this one would resume its TLS session, for which no certificate is shown.
    let new = Session::open(&world.anonymous()).await;
    assert_ne!(new.certificate(), old.certificate());
    assert_eq!(
        old.get("/logs-a/_search").await.unwrap().status,
        StatusCode::OK,
        "the old connection lives on"
    );
    assert_eq!(connects(&world), 1, "connections to the engine have nothing to do with it");
    assert_eq!(world.provider.fetches(), 1, "nor have the provider's keys");

    // A key that does not fit changes nothing.
    let certificate = std::fs::read_to_string(world.proxy.files().path("proxy.pem")).unwrap();
    world.proxy.files().renew_certificate();
    world.proxy.files().write("proxy.pem", &certificate);
    world.proxy.reloader().try_reload().await.expect_err("certificate and key do not belong together");
    assert_eq!(Session::open(&world.anonymous()).await.certificate(), new.certificate());
}

#[tokio::test]
async fn what_did_not_change_is_kept() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    let client = world.client("team");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    let (fetches, connections) = (world.provider.fetches(), connects(&world));
    for round in 0..5 {
        world
            .proxy
            .rewrite_config(&config(&world).replace("scopes: [\"read:", "scopes: [\"write:w\", \"read:"));
        world.proxy.reloader().try_reload().await.unwrap();
        assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK, "{round}");
    }
    assert_eq!((world.provider.fetches(), connects(&world)), (fetches, connections));

    // What did change is made anew: here the cluster, whose old connections are gone with it.
    world
        .proxy
        .rewrite_config(&config(&world).replace("- name: main", "- name: main\n    max_idle_connections: 7"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    assert_eq!((world.provider.fetches(), connects(&world)), (fetches, 1));
}

#[tokio::test]
async fn a_request_in_flight_ends_under_what_it_began_with() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    world.engine.hold("/logs-held/_search");
    let client = world.client("team");
    let asked = tokio::spawn(async move { client.get("/logs-held/_search").await });
    world.engine.wait_for(1).await;
    // Another cluster altogether, and no rights there.
    let changed =
        config(&world).replace("read:logs-*", "read:other").replace("- name: main", "- name: other");
    world.proxy.rewrite_config(&changed);
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(status(&world, "team", "/logs-a/_search").await, StatusCode::FORBIDDEN);
    world.engine.release("/logs-held/_search");
    assert_eq!(asked.await.unwrap().status, StatusCode::OK);
    let records = world.proxy.audit().await;
    let held = records.iter().find(|record| record["path"] == "/logs-held/_search").unwrap();
    assert_eq!((held["cluster"].as_str(), held["outcome"].as_str()), (Some("main"), Some("complete")));
}

#[tokio::test]
async fn a_new_signing_key_signs() {
    let world = StandIns::start().await;
    let client = world.client("read:logs-*");
    let kid = || {
        let sent = world.engine.last().headers["authorization"].to_str().unwrap().to_owned();
        let header = sent.trim_start_matches("Bearer ").split('.').next().unwrap().to_owned();
        let header = data_encoding::BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        (header["kid"].as_str().map(ToOwned::to_owned), sent)
    };
    client.get("/logs-a/_search").await;
    let before = kid();
    let fresh = engine::generate_key(engine::KeyKind::Rsa2048).unwrap();
    world.proxy.files().write("signing.pem", &fresh);
    eventually("the change is noticed", async || (generation(&world) == 2).then_some(())).await;
    client.get("/logs-a/_search").await;
    let after = kid();
    assert_ne!(before.1, after.1);
    assert_ne!(before.0, after.0, "another key has another id");
    assert_eq!(connects(&world), 1);
}

#[tokio::test]
async fn two_hundred_reloads_under_load_fail_nobody() {
    let world = StandIns::start_with(&grant("read:logs-*")).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (client, done) = (world.client("team"), Arc::clone(&done));
        clients.spawn(async move {
            let mut session = Session::open(&client).await;
            let mut served = 0_u32;
            while !done.load(Ordering::Acquire) {
                let body = Bytes::from_static(b"{\"query\":{\"match_all\":{}}}");
                let reply = if number % 2 == 0 {
                    session.send(Method::POST, "/logs-a/_search", body).await.expect("the connection lives")
                } else {
                    client.get("/logs-a/_search").await
                };
                assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
                served += 1;
            }
            served
        });
    }
    let good = config(&world);
    for round in 0..200 {
        // Each time something else: a mapping, the cluster with its pool, the provider.
        let changed = match round % 3 {
            0 => good.replace("read:logs-*\"", &format!("read:logs-*\", \"read:more-{round}\"")),
            1 => good.replace("- name: main", &format!("- name: main\n    max_idle_connections: {round}")),
            _ => good
                .replace("min_refetch_interval: 1s", &format!("min_refetch_interval: {}s", 1 + round % 500)),
        };
        world.proxy.rewrite_config(&changed);
        world.proxy.reloader().try_reload().await.unwrap();
    }
    done.store(true, Ordering::Release);
    let served: u32 = clients.join_all().await.into_iter().sum();
    assert!(served > 200, "{served}");
    assert!(generation(&world) >= 201);
    // A record each.
    let records = world.proxy.audit().await;
    assert_eq!(records.len(), served as usize);
    assert!(records.iter().all(|record| record["outcome"] == "complete" && record["status"] == 200));
}

#[tokio::test]
async fn metrics_and_readiness_follow_the_configuration_in_force() {
    let world = StandIns::start().await;
    let changed =
        config(&world).replace("- name: main", "- name: renamed").replace("name: stand-in", "name: other");
    world.proxy.rewrite_config(&changed);
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(world.proxy.metric("jwks_keys{provider=\"other\"}").await, Some(1.0));
    assert_eq!(world.proxy.metric("jwks_keys{provider=\"stand-in\"}").await, None);
    let node = world.engine.address();
    let healthy = format!("node_healthy{{cluster=\"renamed\",node=\"{node}\"}}");
    assert_eq!(world.proxy.metric(&healthy).await, Some(1.0));
    assert_eq!(world.proxy.admin("/readyz").await.status, StatusCode::OK);
}
