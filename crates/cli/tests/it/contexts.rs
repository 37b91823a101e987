use crate::program::Home;
use crate::{proxy, server::Server, server::empty};

#[tokio::test]
async fn a_context_is_made_from_what_the_proxy_says() {
    let proxy = proxy::start("https://login.example/realms/main").await;
    let home = Home::new();
    let url = proxy.url();
    assert_eq!(
        home.run(&["contexts", "add", "main", "--url", &url]).await.ok(),
        format!(
            "✅ Context main added ({url}/)\n\
             Provider: keycloak | Issuer: https://login.example/realms/main\n\
             Next: opensearch-auth login --provider keycloak\n"
        )
    );
    assert_eq!(
        home.read("config.yaml"),
        format!(
            "current: main\ncontexts:\n  main:\n    url: \"{url}/\"\n    providers:\n      keycloak:\n        \
             issuer: \"https://login.example/realms/main\"\n        client_id: opensearch-auth\n"
        )
    );
    assert_eq!((home.mode(""), home.mode("config.yaml")), (0o700, 0o600));
}

#[tokio::test]
async fn contexts_are_listed_chosen_and_removed() {
    let home = Home::new();
    let empty_list = home.run(&["contexts", "list"]).await.ok();
    assert!(empty_list.contains("contexts add NAME --url"), "{empty_list}");
    assert!(!home.file("").exists(), "reading makes no folder");
    for (name, url) in [("dev", "https://dev.example:8443"), ("prod", "https://prod.example/cluster")] {
        let provider = format!("company=https://login.{name}.example");
        home.run(&["contexts", "add", name, "--url", url, "--provider", &provider]).await.ok();
    }
    let list = home.run(&["contexts", "list"]).await.ok();
    assert_eq!(
        list,
        "* dev  https://dev.example:8443/  company\n  prod  https://prod.example/cluster  company\n"
    );
    home.run(&["contexts", "use", "prod"]).await.ok();
    let list = home.run(&["contexts", "list", "--output", "json"]).await.json();
    assert_eq!(list["current"], "prod");
    assert_eq!(list["contexts"]["dev"]["providers"]["company"]["issuer"], "https://login.dev.example");
    home.run(&["contexts", "remove", "prod"]).await.ok();
    let said = home.run(&["status"]).await.failed(2);
    assert!(said.contains("no context is chosen") && said.contains("`dev`"), "{said}");
    let said = home.run(&["contexts", "use", "prod"]).await.failed(2);
    assert!(said.contains("there is no context `prod`"), "{said}");
}

#[tokio::test]
async fn a_context_is_not_replaced_by_chance_and_its_login_not_taken_along() {
    let provider = crate::provider::Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&proxy, &provider).await;
    let url = proxy.url();
    let again = ["contexts", "add", "main", "--url", &url];
    let said = home.run(&again).await.failed(2);
    assert!(said.contains("--replace"), "{said}");
    home.run(&["status"]).await.ok();
    home.run(&[&again[..], &["--replace"]].concat()).await.ok();
    home.run(&["status"]).await.failed(4);
}

#[tokio::test]
async fn what_is_no_context_is_refused() {
    let not_found = Server::start(|_| empty(404)).await;
    let home = Home::new();
    let cases = [
        (vec!["--url", "http://search.example"], 2, "tokens would travel unencrypted"),
        (vec!["--url", "search.example"], 2, "it is no URL"),
        (vec!["--url", "https://me:secret@search.example"], 2, "it holds credentials"),
        (vec!["--url", "https://s.example", "--provider", "a=http://login.example"], 2, "unencrypted"),
        (vec!["--url", "https://s.example", "--provider", "issuer"], 2, "NAME=ISSUER"),
        (
            vec!["--url", "https://s.example", "--provider", "a=https://l.example", "--ca", "nowhere.pem"],
            3,
            "nowhere.pem",
        ),
    ];
    for (arguments, code, words) in cases {
        let said = home.run(&[&["contexts", "add", "main"], &arguments[..]].concat()).await.failed(code);
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let said = home.run(&["contexts", "add", "main", "--url", &not_found.url()]).await.failed(3);
    assert!(said.contains("is no opensearch-oauth-proxy"), "{said}");
    let said = home.run(&["contexts", "add", "../main", "--url", "https://s.example"]).await.failed(2);
    assert!(said.contains("no name for a context"), "{said}");
    assert!(!home.file("config.yaml").exists());
}

#[tokio::test]
async fn a_proxy_that_calls_itself_otherwise_is_not_taken() {
    let proxy =
        Server::start(|seen| proxy::answer("https://other.example", "https://login.example", seen)).await;
    let home = Home::new();
    let said = home.run(&["contexts", "add", "main", "--url", &proxy.url()]).await.failed(1);
    assert!(said.contains("says that its address is https://other.example"), "{said}");
}

#[tokio::test]
async fn errors_can_be_read_by_programs() {
    let home = Home::new();
    let said = home.run(&["status", "--output", "json"]).await.failed(2);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["error"]["kind"], "usage");
    assert_eq!(said["error"]["message"], "there is no context yet");
    assert!(said["error"]["cure"].as_str().unwrap().contains("contexts add"), "{said}");
}
