//! A flow that meets two proxies.

use e2e::{Client, eventually};
use http::Method;

use crate::world::{Asking, INDEX, WEB_REDIRECT, World, error_of, issued, sent_back};

const STORE: &str = ".oauth-tokens-e2e-authorization";

#[tokio::test]
async fn each_step_can_meet_another_proxy() {
    let secret = "literal:a secret that both proxies have, of 32 bytes or more";
    let store = format!("opensearch: {{cluster: main, index: {STORE}, secret: {secret:?}}}");
    let world = World::start_with(&store).await;
    let second = world.another().await;
    let (one, two) = (world.real.anonymous(), Client::new(second.address, &second.ca()));

    let asking = Asking::web("read:logs-*");
    let mut browser = world.browser();
    let at_keycloak = browser.open(&asking.address()).await;
    browser.is_sent_to(two.clone());
    let page = browser.fill_login(at_keycloak, "alice").await;
    browser.is_sent_to(one.clone());
    let back = browser.submit(&page, &[("decision", "allow")]).await;
    let code = sent_back(&back, WEB_REDIRECT)["code"].as_str().unwrap().to_owned();
    // At once, though the one has not told the other.
    let (token, _) = issued(&World::post_to(&two, "/oauth/token", &asking.redemption(&code)).await);
    let search = async |proxy: &Client| {
        let reply = proxy.clone().with_token(&token).get(INDEX).await;
        if reply.status.is_success() { String::new() } else { reply.code() }
    };
    assert_eq!(search(&two).await, "");
    eventually("the other proxy learns of it", async || search(&one).await.is_empty().then_some(())).await;
    assert_eq!(
        error_of(&World::post_to(&one, "/oauth/token", &asking.redemption(&code)).await),
        "invalid_grant"
    );
    assert_eq!(search(&one).await, "managed_token_revoked", "used twice, wherever");
    eventually("the other proxy learns of that, too", async || {
        (search(&two).await == "managed_token_revoked").then_some(())
    })
    .await;

    second.stop().await;
    let engine = world.real.testbed.engine.client().unwrap();
    let (status, answer) = engine.rest(&Method::DELETE, &format!("/{STORE}"), None).await.unwrap();
    assert!(status.is_success(), "{answer}");
    world.end().await;
}
