//! `opensearch-auth` as people use it: with the real Keycloak, and through the proxy to the real engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails with its reason")]

mod chromium;
mod person;
mod tokens;

use e2e::{Browser, ProxyFiles, Real, RealConfig, RunningProxy};
use person::Person;
use serde_json::Value;

/// The transcript of the RFC that proposes OAuth for OpenSearch, word for word but for names, by the real program.
#[tokio::test]
async fn login_with_the_browser_search_and_logout() {
    let real = Real::start(&RealConfig::default()).await;
    let person = Person::new(&real).await;
    let mut login = person.start(&["login", "--provider", "keycloak", "--no-browser"]);
    let address = login.address().await;
    let page = Browser::new().log_in(&address, "alice").await.html;
    assert!(page.contains("You can close this window"), "{page}");
    let told = login.end().await;
    assert_eq!(
        told,
        "✅ Authenticated as alice@example.org\n\
         Token stored in ~/.opensearch/token (expires in 8h)\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );
    assert_eq!(
        person.run(&["status"]).await.ok(),
        "✅ Authenticated as alice@example.org\n\
         Provider: keycloak | Expires: 8h remaining\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );

    let search = r#"{"query": {"match": {"level": "ERROR"}}}"#;
    let found = person.run(&["curl", "/logs-*/_search", "--silent", "-d", search]).await.ok();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert!(found["hits"]["total"]["value"].as_u64() > Some(0), "{found}");
    let record = real.proxy.last_audit().await;
    assert_eq!(record["client_id"], person.client_id(), "{record}");
    let refused = person.run(&["curl", "/pii-customers/_search", "--silent"]).await.ok();
    assert!(refused.contains("insufficient_scope"), "{refused}");

    // As if hours had passed.
    let first = person.run(&["token"]).await.ok();
    person.let_the_token_end();
    let second = person.run(&["token"]).await.ok();
    assert_ne!(first, second);
    let token = second.trim();
    assert_eq!(real.testbed.keycloak.introspect(token).await.unwrap()["active"], true);
    let found = person.run(&["curl", "/metrics-*/_count", "--silent", "--fail"]).await.ok();
    assert!(found.contains("\"count\""), "{found}");

    assert_eq!(person.run(&["logout"]).await.ok(), "✅ Logged out\n");
    assert_eq!(real.testbed.keycloak.introspect(token).await.unwrap()["active"], false);
    person.run(&["curl", "/logs-*/_search"]).await.failed(4);
    person.leave().await;
}

/// As the guide begins: the proxy is named, and says the rest.
#[tokio::test]
async fn the_proxy_says_where_one_logs_in_and_what_to_ask_for() {
    let real = Real::start(&RealConfig::default()).await;
    let [port, _] = testbed::free_ports().unwrap();
    let (files, config) = (ProxyFiles::new(), RealConfig::default());
    let text = Real::text(&files, &real.testbed, &config)
        .replacen("address: 127.0.0.1:0", &format!("address: 127.0.0.1:{port}"), 1)
        .replace("https://localhost:8443", &format!("https://localhost:{port}"));
    let proxy = RunningProxy::start(files, &text).await;
    let person = Person::new(&real).await;
    let (url, ca) = (format!("https://localhost:{port}"), proxy.ca());
    let add = ["contexts", "add", "named", "--url", &url, "--ca", ca.to_str().unwrap(), "--client-id"];
    let told = person.run(&[&add[..], &[person.client_id()]].concat()).await.ok();
    let provider = format!("Provider: keycloak | Issuer: {}", real.testbed.keycloak.issuer);
    assert!(told.contains(&provider), "{told}");
    let checked = person.run(&["config", "check"]).await;
    // The other context goes by an address that its proxy does not go by.
    let checked = checked.failed_with_output(1);
    assert!(checked.contains(&format!("✅ named: proxy {url}/")), "{checked}");
    assert!(checked.contains("✅ named: provider keycloak"), "{checked}");
    assert!(checked.contains("says that its address is https://localhost:8443"), "{checked}");
    person.leave().await;
}

#[tokio::test]
async fn login_on_another_device() {
    let real = Real::start(&RealConfig::default()).await;
    let person = Person::new(&real).await;
    let mut login = person.start(&["login", "--device", "--scopes", "read:logs-*"]);
    let address = login.address().await;
    Browser::new().log_in(&address, "bob").await;
    let told = login.end().await;
    assert_eq!(
        told,
        "✅ Authenticated as bob@example.org\n\
         Token stored in ~/.opensearch/token (expires in 8h)\n\
         Scopes: read:logs-*\n"
    );
    person.run(&["curl", "/logs-*/_search", "--silent", "--fail"]).await.ok();
    person.leave().await;
}

#[tokio::test]
async fn a_scope_that_the_provider_does_not_give() {
    let real = Real::start(&RealConfig::default()).await;
    let person = Person::new(&real).await;
    let mut login = person.start(&["login", "--no-browser", "--scopes", "read:nothing"]);
    let address = login.address().await;
    Browser::new().open(&address).await;
    let said = login.failed(1).await;
    assert!(said.contains("invalid_scope") && said.contains("--scopes"), "{said}");
    person.leave().await;
}
