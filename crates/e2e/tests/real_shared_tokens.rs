//! Two proxies that share their managed tokens, and policies, in an index of the real engine.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use bytes::Bytes;
use e2e::{Client, Real, RealConfig, eventually};
use http::{Method, StatusCode};
use testbed::KeycloakInfo;
use transport::client_secret_basic;

const INDEX: &str = ".oauth-tokens-e2e-proxies";

fn store(index: &str) -> String {
    let secret = "literal:a secret that both proxies have, of 32 bytes or more";
    format!("tokens:\n  store: {{opensearch: {{cluster: main, index: {index}, secret: {secret:?}}}}}\n")
}

async fn outcome(client: &Client, token: &str) -> (u16, String) {
    let reply = client.clone().with_token(token).get("/logs-*/_search").await;
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status.as_u16(), code)
}

async fn remove_index(real: &Real, index: &str) {
    let engine = real.testbed.engine.client().unwrap();
    let (status, answer) = engine.rest(&Method::DELETE, &format!("/{index}"), None).await.unwrap();
    assert!(status.is_success() || status == 404, "{answer}");
}

#[tokio::test]
async fn a_token_of_one_proxy_works_at_the_other_until_either_ends_it() {
    let config = RealConfig { extra: store(INDEX), ..RealConfig::default() };
    let real = Real::start(&config).await;
    let second = real.another(&config).await;
    let (one, two) = (real.anonymous(), Client::new(second.address, &second.ca()));

    let basic = client_secret_basic("langchain-agent", &KeycloakInfo::secret("langchain-agent"));
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("authorization", basic.to_str().unwrap())];
    let form = Bytes::from_static(b"grant_type=client_credentials&scope=read%3Alogs-*&name=shared");
    let issued = one.send(Method::POST, "/oauth/token", &headers, form).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text());
    let answer = issued.json();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    let path = format!("/oauth/token/{}", answer["token_id"].as_str().unwrap());

    assert_eq!(outcome(&one, &token).await, (200, String::new()));
    eventually("the other proxy learns of the token", async || {
        (outcome(&two, &token).await == (200, String::new())).then_some(())
    })
    .await;

    let own = real.testbed.keycloak.token("langchain-agent", "").await.unwrap();
    let ended = two.clone().with_token(own).get_or(Method::DELETE, &path).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text());
    let revoked = (401, "managed_token_revoked".to_owned());
    assert_eq!(outcome(&two, &token).await, revoked, "at once where it was ended");
    eventually("the other proxy learns that it was ended", async || {
        (outcome(&one, &token).await == revoked).then_some(())
    })
    .await;

    second.stop().await;
    let third = real.another(&config).await;
    assert_eq!(
        outcome(&Client::new(third.address, &third.ca()), &token).await,
        revoked,
        "after a start, too"
    );
    third.stop().await;
    remove_index(&real, INDEX).await;
}

#[tokio::test]
async fn policies_written_at_one_proxy_hold_at_the_other() {
    const INDEX: &str = ".oauth-tokens-e2e-policies";
    const PATH: &str = "/oauth/policies/company";
    let extra = format!(
        "{}mappings:\n  - {{scope: 'read:logs-*', grant: {{scopes: ['read:logs-*', 'admin:policies']}}}}\n\
         policies:\n  sets:\n    - {{name: company, managed: true}}\n",
        store(INDEX)
    );
    let config = RealConfig { extra, ..RealConfig::default() };
    let real = Real::start(&config).await;
    let second = real.another(&config).await;
    let token = real.testbed.keycloak.token("langchain-agent", "read:logs-*").await.unwrap();
    let one = real.anonymous().with_token(&token);
    let two = Client::new(second.address, &second.ca()).with_token(&token);
    let write = async |at: &Client, tag: &str, policies: &str| {
        let body = serde_json::json!({"policies": policies}).to_string();
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        at.send(Method::PUT, PATH, &headers, Bytes::from(body)).await.status
    };
    let search = async |at: &Client| at.get("/logs-*/_search").await.status;

    assert_eq!(search(&one).await, StatusCode::FORBIDDEN, "nothing is written yet");
    assert_eq!(write(&one, "\"0\"", "permit(principal, action, resource);").await, StatusCode::OK);
    assert_eq!(search(&one).await, StatusCode::OK, "at once where it was written");
    eventually("the other proxy follows", async || (search(&two).await == StatusCode::OK).then_some(()))
        .await;

    let narrower = "permit(principal, action, resource in Index::\"logs-app-*\");";
    assert_eq!(write(&two, "\"1\"", narrower).await, StatusCode::OK);
    assert_eq!(search(&two).await, StatusCode::FORBIDDEN);
    // Whether it has heard of that or not.
    assert_eq!(write(&one, "\"1\"", "").await, StatusCode::PRECONDITION_FAILED);
    eventually("the first proxy follows", async || {
        (search(&one).await == StatusCode::FORBIDDEN).then_some(())
    })
    .await;
    second.stop().await;
    remove_index(&real, INDEX).await;
}
