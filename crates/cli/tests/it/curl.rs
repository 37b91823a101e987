use serde_json::Value;

use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;

#[tokio::test]
async fn curl_is_run_with_the_token() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&proxy, &provider).await;
    let echo = home.run(&["curl", "/logs-*/_search?q={a,b}[1-2]", "--silent"]).await.json();
    assert_eq!(echo["method"], "GET");
    assert_eq!(echo["target"], "/logs-*/_search?q={a,b}[1-2]", "nothing is expanded");
    assert_eq!(echo["authorization"], "Bearer access-token-1");
    let body = r#"{"query": {"match_all": {}}}"#;
    let echo = home.run(&["curl", "/_search", "-s", "-d", body]).await.json();
    assert_eq!((&echo["method"], &echo["body"]), (&Value::from("POST"), &Value::from(body)));
    assert_eq!(echo["content_type"], "application/json");
    let ndjson = ["curl", "/_bulk", "-s", "-d", "{}", "-H", "Content-Type: application/x-ndjson"];
    assert_eq!(home.run(&ndjson).await.json()["content_type"], "application/x-ndjson");
    // As with curl itself.
    assert_eq!(home.run(&["curl", "/_search", "--no-such-option"]).await.code, 2);
}

/// A stand-in for curl, which tells what it is given.
#[tokio::test]
async fn the_token_is_in_no_argument_and_in_no_variable() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let mut home = Home::logged_in(&proxy, &provider).await;
    let programs = home.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let script = "#!/bin/sh\necho \"arguments: $*\"; env; echo 'config:'; cat \"$3\"\n";
    std::fs::write(programs.join("curl"), script).unwrap();
    std::fs::set_permissions(programs.join("curl"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    home.variable("PATH", &format!("{}:/usr/bin:/bin", programs.display()));
    let told = home.run(&["curl", "/_search", "--fail"]).await.ok();
    let (visible, config) = told.split_once("config:").unwrap();
    assert!(!visible.contains("access-token"), "{visible}");
    assert!(config.contains("header = \"Authorization: Bearer access-token-1\""), "{config}");
    assert!(visible.contains("--fail"), "{visible}");
}

#[tokio::test]
async fn the_token_goes_to_no_other_server() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let other = proxy::start("https://login.example").await;
    let home = Home::logged_in(&proxy, &provider).await;
    let address = other.url();
    home.run(&["curl", &address]).await.failed(2);
    home.run(&["curl", "/_search", &address]).await.failed(2);
    home.run(&["curl", "/_search", "--url", &address]).await.failed(2);
    home.run(&["curl", "/_search", "-s", &other.address.to_string()]).await.failed(2);
    std::fs::write(home.path().join(".curlrc"), format!("url = {address}\n")).unwrap();
    home.run(&["curl", "/_search", "--silent"]).await.ok();
    // The context is pointed elsewhere by hand.
    let config = home.read("config.yaml").replace(&proxy.url(), &address);
    std::fs::write(home.file("config.yaml"), config).unwrap();
    let said = home.run(&["curl", "/_search"]).await.failed(4);
    assert!(said.contains("is for"), "{said}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn without_curl_it_is_said_so() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let mut home = Home::logged_in(&proxy, &provider).await;
    home.variable("PATH", "/nowhere");
    let said = home.run(&["curl", "/_search"]).await.failed(3);
    assert!(said.contains("install curl"), "{said}");
}
