//! `explain`: what the program makes of a proxy's answers.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::program::Home;
use crate::proxy;
use crate::server::{Server, json as answer};

const ID: &str = "0193f0e2-8c1b-7d6e-9a55-3f1f0d1c2b3a";

/// A proxy that gives these answers about decisions, one after the other, and the last for ever.
async fn proxy_with(answers: Vec<(u16, Value)>) -> (Server, Home) {
    let left = Mutex::new(answers);
    let server = Server::start(move |seen| {
        if !seen.path.starts_with("/oauth/decisions/") {
            return proxy::answer(&format!("http://{}", seen.header("host")), "https://login.example", seen);
        }
        let mut left = left.lock().unwrap();
        let (status, body) = if left.len() > 1 { left.remove(0) } else { left[0].clone() };
        answer(status, &body)
    })
    .await;
    let mut home = Home::with_context(&server).await;
    home.variable("OPENSEARCH_AUTH_TOKEN", "t0ken");
    (server, home)
}

fn explanation() -> Value {
    json!({
        "decision_id": ID, "decision": "deny", "layer": "scope", "status": 403, "request": {"method": "GET", "path": "/x/_search"},
        "would_allow": [{"what": "the scope read:x", "ask": "who manages it"}], "a member of later": true,
    })
}

#[tokio::test]
async fn the_proxy_that_decided_is_looked_for() {
    let elsewhere = (421, json!({"error": "not_found", "error_description": "another proxy"}));
    let (server, home) = proxy_with(vec![elsewhere.clone(), elsewhere.clone(), (200, explanation())]).await;
    let told = home.run(&["explain", &ID.to_uppercase()]).await.ok();
    assert!(told.starts_with("❌ Refused: GET /x/_search") && told.contains("the scope read:x"), "{told}");
    let asked = server.seen_at(&format!("/oauth/decisions/{ID}"));
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|seen| seen.header("authorization") == "Bearer t0ken"));
    let value = home.run(&["explain", ID, "--output", "json"]).await.json();
    assert_eq!((&value["decision_id"], &value["layer"]), (&json!(ID), &json!("scope")));
    let (server, home) = proxy_with(vec![elsewhere]).await;
    assert!(home.run(&["explain", ID]).await.failed(1).contains("--audit FILE"));
    assert!(server.seen_at(&format!("/oauth/decisions/{ID}")).len() < 20, "it gives up");
}

#[tokio::test]
async fn each_failure_has_its_code_and_its_cure() {
    let oauth = |error: &str| json!({"error": error, "error_description": "words"});
    let engine =
        json!({"error": {"type": "authorization_exception", "reason": "no such operation"}, "status": 403});
    let table = [
        (404, oauth("not_found"), 1, "monitor:decisions"),
        (403, engine.clone(), 1, "the section `decisions`"),
        (404, engine, 1, "the section `decisions`"),
        (401, oauth("invalid_token"), 4, "login"),
        (500, json!({}), 3, "status 500"),
    ];
    for (status, body, code, part) in table {
        let (_server, home) = proxy_with(vec![(status, body)]).await;
        let said = home.run(&["explain", ID]).await.failed(code);
        assert!(said.contains(part), "{status}: {said}");
    }
    let home = Home::new();
    assert!(home.run(&["explain", "../token"]).await.failed(2).contains("decision_id"));
    assert!(home.run(&["explain", ID, "--audit", "nowhere.jsonl"]).await.failed(3).contains("nowhere.jsonl"));
}
