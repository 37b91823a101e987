//! People log in at the real Keycloak and give programs tokens for the real engine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails with its reason")]

mod attacks;
mod chromium;
mod device;
mod replicas;
mod world;

use http::{Method, StatusCode};
use serde_json::json;

use world::{Asking, DESK, DESK_REDIRECT, INDEX, PUBLIC_URL, WEB, WEB_REDIRECT, World, issued, sent_back};

#[tokio::test]
async fn a_person_lets_a_program_read_and_takes_that_back() {
    let world = World::start().await;
    let mut browser = world.browser();
    let asking = Asking::web("read:logs-* read:metrics-*");
    let page = browser.log_in(&asking.address(), "alice").await;
    assert_eq!(page.status, StatusCode::OK, "{} {}", page.address, page.html);
    for shown in
        ["Web &lt;Agent&gt;", "web-agent", "alice", "Read logs-*", "agent.example", "main", "read:metrics-*"]
    {
        assert!(page.html.contains(shown), "{shown}: {}", page.html);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in
        [("cache-control", "no-store"), ("x-frame-options", "DENY"), ("x-content-type-options", "nosniff")]
    {
        assert_eq!(page.headers[name], value);
    }

    let back = browser.submit(&page, &[("decision", "allow"), ("lifetime", "900")]).await;
    let sent = sent_back(&back, WEB_REDIRECT);
    assert_eq!((&sent["state"], &sent["iss"]), (&json!("state of the client"), &json!(PUBLIC_URL)));
    assert!(browser.proxy_cookies().is_empty(), "nothing is left in the browser");
    let record = world.real.proxy.last_audit().await;
    assert_eq!(
        (&record["operation"], &record["decision"], &record["user_id"], &record["client_id"]),
        (&json!("oauth.consent.decide"), &json!("allow"), &json!("alice"), &json!(WEB)),
        "{record}"
    );
    let code = sent["code"].as_str().unwrap();
    assert!(!record.to_string().contains(code));
    let answer = world.post("/oauth/token", &asking.redemption(code)).await;
    let (token, id) = issued(&answer);
    assert_eq!((&answer.json()["scope"], &answer.json()["expires_in"]), (&json!("read:logs-*"), &json!(900)));

    assert_eq!(world.search(&token, INDEX).await, (200, String::new()));
    let record = world.real.proxy.last_audit().await;
    assert_eq!((&record["user_id"], &record["client_id"]), (&json!("alice"), &json!(WEB)), "{record}");
    assert_eq!(record["engine_identity"]["user"], "keycloak:alice", "{record}");
    assert_eq!(world.search(&token, "/metrics-*/_search").await, (403, "insufficient_scope".to_owned()));

    let alice = world.as_person("alice").await;
    let shown = alice.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!((&shown["name"], &shown["act"]["sub"]), (&json!("Web <Agent>"), &json!(WEB)));
    assert_eq!(shown["owner"]["client_id"], WEB);
    let consents = alice.get("/oauth/consents").await.json();
    let consent = &consents["consents"][0];
    assert_eq!((&consent["scopes"], &consent["lifetime"]), (&json!(["read:logs-*"]), &json!(900)));
    assert_eq!(shown["consent_id"], consent["consent_id"]);

    // The same or less is not asked again, more is, and so is what the client wants asked.
    for (again, is_asked) in [
        (Asking::web("read:logs-*"), false),
        (Asking::web("read:logs-app-*"), false),
        (Asking::web("read:logs-app-*").with("prompt", "none"), false),
        (Asking::web("read:logs-*").with("expires_in", "901"), true),
        (Asking::web("read:logs-*").with("prompt", "consent"), true),
    ] {
        let page = browser.log_in(&again.address(), "alice").await;
        assert_eq!(page.html.contains("Allow"), is_asked, "{}: {}", again.path(), page.html);
        if !is_asked {
            let code = page.parameter("code").unwrap();
            let (token, _) = issued(&world.post("/oauth/token", &again.redemption(&code)).await);
            assert_eq!(world.search(&token, "/logs-app-*/_search").await, (200, String::new()));
        }
    }

    let path = format!("/oauth/consents/{}", consent["consent_id"].as_str().unwrap());
    let bob = world.as_person("bob").await;
    assert_eq!(bob.get("/oauth/consents").await.json(), json!({"consents": []}));
    assert_eq!(bob.get_or(Method::DELETE, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.search(&token, INDEX).await, (401, "managed_token_revoked".to_owned()));
    assert!(alice.get("/oauth/consents").await.json()["consents"][0]["withdrawn"].is_object());
    let page = browser.log_in(&asking.address(), "alice").await;
    assert!(page.html.contains("Allow"), "what was withdrawn is asked again");
    world.end().await;
}

#[tokio::test]
async fn a_person_says_no_or_cannot_say_yes() {
    let world = World::start().await;
    let mut browser = world.browser();
    let asking = Asking::desk("read:logs-*");
    let page = browser.log_in(&asking.address(), "alice").await;
    assert!(page.html.contains("A program on this computer asks"), "{}", page.html);
    let back = browser.submit(&page, &[("decision", "deny")]).await;
    let sent = sent_back(&back, DESK_REDIRECT);
    assert_eq!((&sent["error"], &sent["iss"]), (&json!("access_denied"), &json!(PUBLIC_URL)));
    assert_eq!(sent["state"], "state of the client");
    let record = world.real.proxy.last_audit().await;
    assert_eq!((&record["decision"], &record["reason"]), (&json!("deny"), &json!("oauth_access_denied")));
    assert_eq!(world.as_person("alice").await.get("/oauth/consents").await.json(), json!({"consents": []}));

    // A program on the machine is asked about each time: any other could pretend to be it.
    for _ in 0..2 {
        let page = browser.log_in(&Asking::desk("read:logs-app-*").address(), "alice").await;
        let back = browser.submit(&page, &[("decision", "allow")]).await;
        assert!(sent_back(&back, DESK_REDIRECT)["code"].is_string());
    }
    // Whoever may not be troubled is not asked.
    let silent = asking.with("prompt", "none");
    let back = browser.open(&silent.address()).await;
    assert_eq!(sent_back(&back, DESK_REDIRECT)["error"], "consent_required");
    let back = world.browser().open(&silent.address()).await;
    assert_eq!(sent_back(&back, DESK_REDIRECT)["error"], "login_required");

    // Bob gives what he has, and no more; of other things he has nothing to give.
    let mut browser = world.browser();
    let asking = Asking::new(DESK, DESK_REDIRECT, "read:logs-*");
    let page = browser.log_in(&asking.address(), "bob").await;
    assert!(
        page.html.contains("Read logs-app-*") && page.html.contains("which you may not give"),
        "{}",
        page.html
    );
    let back = browser.submit(&page, &[("decision", "allow")]).await;
    let code = back.parameter("code").unwrap();
    let (token, _) = issued(&world.post("/oauth/token", &asking.redemption(&code)).await);
    assert_eq!(world.search(&token, "/logs-app-*/_search").await, (200, String::new()));
    assert_eq!(world.search(&token, INDEX).await, (403, "insufficient_scope".to_owned()));
    let back = browser.open(&Asking::web("read:metrics-*").address()).await;
    assert_eq!(sent_back(&back, WEB_REDIRECT)["error"], "access_denied");
    world.end().await;
}
