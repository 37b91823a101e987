use serde_json::json;

use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced_silently() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| behaviour.expires_in = 0);
    let home = Home::logged_in(&proxy, &provider).await;
    assert_eq!(
        home.run(&["status"]).await.ok().lines().nth(1).unwrap(),
        "Provider: keycloak | Expires: renewed at its next use"
    );
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-3\n");
    provider.set(|behaviour| behaviour.expires_in = 600);
    let told = home.run(&["token", "--output", "json"]).await.json();
    assert_eq!(told["access_token"], "access-token-4");
    assert!(told["expires_at"].is_string(), "{told}");
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-4\n", "it still counts");
}

#[tokio::test]
async fn programs_that_refresh_at_once_lose_nothing() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| behaviour.expires_in = 0);
    let home = Home::logged_in(&proxy, &provider).await;
    provider.set(|behaviour| behaviour.expires_in = 600);
    // The provider takes each refresh token once: whoever asked with an old one would be refused.
    let runs: Vec<_> = (0..6).map(|_| home.start(&["token"])).collect();
    for child in runs {
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "access-token-2\n", "{output:?}");
    }
    assert_eq!(provider.server.seen_at("/token").len(), 2);
}

#[tokio::test]
async fn a_login_that_has_ended_is_told_so() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| behaviour.expires_in = 0);
    let home = Home::logged_in(&proxy, &provider).await;
    let refusal = json!({"error": "invalid_grant", "error_description": "Session not active"});
    provider.set(|behaviour| behaviour.failure = Some((400, refusal)));
    let said = home.run(&["token"]).await.failed(4);
    assert!(said.contains("Session not active") && said.contains("opensearch-auth login"), "{said}");
    // The refresh token is not tried a second time.
    let asked = provider.server.seen_at("/token").len();
    home.run(&["token"]).await.failed(4);
    home.run(&["status"]).await.failed(4);
    assert_eq!(provider.server.seen_at("/token").len(), asked);
}

#[tokio::test]
async fn without_a_refresh_token_the_login_ends_with_its_token() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| (behaviour.refreshable, behaviour.expires_in) = (false, 0));
    let home = Home::logged_in(&proxy, &provider).await;
    home.run(&["token"]).await.failed(4);
    home.run(&["status"]).await.failed(4);
}

#[tokio::test]
async fn a_provider_that_is_away_does_not_end_a_login() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    provider.set(|behaviour| behaviour.expires_in = 0);
    let home = Home::logged_in(&proxy, &provider).await;
    provider.set(|behaviour| behaviour.failure = Some((503, json!({}))));
    home.run(&["token"]).await.failed(3);
    provider.set(|behaviour| behaviour.failure = None);
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-2\n");
}

#[tokio::test]
async fn a_token_of_ones_own_takes_the_place_of_the_login() {
    let proxy = proxy::start("https://login.example").await;
    let mut home = Home::with_context(&proxy).await;
    home.run(&["token"]).await.failed(4);
    home.variable("OPENSEARCH_AUTH_TOKEN", "osat_example");
    assert_eq!(home.run(&["token"]).await.ok(), "osat_example\n");
    home.variable("OPENSEARCH_AUTH_TOKEN", "two words");
    home.run(&["token"]).await.failed(2);
}
