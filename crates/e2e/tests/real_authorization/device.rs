//! Devices without a browser.

use http::StatusCode;
use serde_json::json;

use crate::world::{DESK, DEVICE_CODE, INDEX, PUBLIC_URL, WEB, WEB_SECRET, World, error_of, issued};

#[tokio::test]
async fn a_person_connects_a_device() {
    let world = World::start().await;
    let begun =
        world.post("/oauth/device_authorization", &[("client_id", DESK), ("scope", "read:logs-*")]).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text());
    let begun = begun.json();
    assert_eq!(begun["verification_uri"], format!("{PUBLIC_URL}/oauth/device"));
    let (user_code, code) = (begun["user_code"].as_str().unwrap(), begun["device_code"].as_str().unwrap());
    let poll = [("grant_type", DEVICE_CODE), ("client_id", DESK), ("device_code", code)];
    assert_eq!(error_of(&world.post("/oauth/token", &poll).await), "authorization_pending");

    let mut browser = world.browser();
    let page = browser.open(begun["verification_uri_complete"].as_str().unwrap()).await;
    assert!(page.html.contains(&format!("value=\"{user_code}\"")), "{}", page.html);
    let wrong = browser.submit(&page, &[("user_code", "BCDF-GHJK")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.html.contains("role=\"alert\"") && wrong.html.contains("BCDF-GHJK"), "{}", wrong.html);
    let typed = user_code.to_lowercase().replace('-', " ");
    let found = browser.submit(&page, &[("user_code", &typed)]).await;
    assert!(found.html.contains("Desk Agent") && found.html.contains(user_code), "{}", found.html);
    let login = browser.follow(&found).await;
    let consent = browser.fill_login(login, "alice").await;
    assert!(consent.html.contains("A device asks") && consent.html.contains(user_code), "{}", consent.html);
    let done = browser.submit(&consent, &[("decision", "allow"), ("lifetime", "3600")]).await;
    assert!(done.html.contains("The device is connected"), "{}", done.html);
    // What was decided is decided.
    let again = browser.open(&format!("{PUBLIC_URL}/oauth/device?user_code={user_code}")).await;
    let again = browser.submit(&again, &[("user_code", user_code)]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.html);

    // Another client cannot fetch it.
    let other = [
        ("grant_type", DEVICE_CODE),
        ("client_id", WEB),
        ("client_secret", WEB_SECRET),
        ("device_code", code),
    ];
    assert_eq!(error_of(&world.post("/oauth/token", &other).await), "unauthorized_client");
    let (token, _) = issued(&world.post("/oauth/token", &poll).await);
    assert_eq!(world.search(&token, INDEX).await, (200, String::new()));
    let record = world.real.proxy.last_audit().await;
    assert_eq!((&record["user_id"], &record["client_id"]), (&json!("alice"), &json!(DESK)));
    assert_eq!(error_of(&world.post("/oauth/token", &poll).await), "invalid_grant", "once");
    world.end().await;
}

#[tokio::test]
async fn a_device_is_told_of_a_no_and_asks_no_oftener_than_it_may() {
    let world = World::start().await;
    let begun = world.post("/oauth/device_authorization", &[("client_id", DESK)]).await.json();
    let code = begun["device_code"].as_str().unwrap();
    let poll = [("grant_type", DEVICE_CODE), ("client_id", DESK), ("device_code", code)];
    // Each answer comes sooner than the interval allows the next question, which grows.
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(error_of(&world.post("/oauth/token", &poll).await));
    }
    assert_eq!(told[0], "authorization_pending");
    assert!(told.contains(&"slow_down".to_owned()), "{told:?}");

    let mut browser = world.browser();
    let page = browser.open(begun["verification_uri_complete"].as_str().unwrap()).await;
    let found = browser.submit(&page, &[("user_code", begun["user_code"].as_str().unwrap())]).await;
    let login = browser.follow(&found).await;
    let consent = browser.fill_login(login, "alice").await;
    let done = browser.submit(&consent, &[("decision", "deny")]).await;
    assert!(done.html.contains("Nothing was allowed"), "{}", done.html);
    assert_eq!(error_of(&world.post("/oauth/token", &poll).await), "access_denied");

    for (fields, error) in [
        (vec![("client_id", "nobody")], "invalid_client"),
        (vec![("client_id", WEB), ("client_secret", WEB_SECRET)], "unauthorized_client"),
        (vec![("client_id", DESK), ("client_secret", "x")], "invalid_client"),
        (vec![("client_id", DESK), ("scope", "read:metrics-*")], "invalid_scope"),
        (vec![("client_id", DESK), ("resource", "https://elsewhere.example")], "invalid_target"),
    ] {
        assert_eq!(error_of(&world.post("/oauth/device_authorization", &fields).await), error, "{fields:?}");
    }

    // Guessing ends soon.
    let guess = [("user_code", "BCDFGHJK")];
    let mut last = StatusCode::OK;
    for _ in 0..11 {
        last = world.post("/oauth/device", &guess).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    world.end().await;
}
