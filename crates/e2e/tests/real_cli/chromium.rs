use e2e::{Chromium, Real, RealConfig};

use crate::person::Person;

/// Fills Keycloak's own form.
async fn log_in(chromium: &Chromium, user: &str) {
    chromium.fill("#username", user).await;
    chromium.fill("#password", &format!("{user}-password")).await;
    chromium.click("#kc-login").await;
}

#[tokio::test]
async fn the_program_opens_the_browser_and_a_person_logs_in_there() {
    let real = Real::start(&RealConfig::default()).await;
    let (person, chromium) = (Person::new(&real).await, Chromium::start().await);
    let login = person.start_with(("BROWSER", &chromium.opener()), &["login", "--provider", "keycloak"]);
    log_in(&chromium, "alice").await;
    chromium.shows("You can close this window").await;
    assert_eq!(
        login.end().await,
        "🌐 Opening browser for authentication...\n\
         ✅ Authenticated as alice@example.org\n\
         Token stored in ~/.opensearch/token (expires in 8h)\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );
    person.run(&["curl", "/logs-*/_search", "--silent", "--fail"]).await.ok();

    // Keycloak remembers the person: the second login asks nothing.
    let login = person.start_with(("BROWSER", &chromium.opener()), &["login"]);
    assert!(login.end().await.contains("✅ Authenticated as alice@example.org\n"));
    person.leave().await;
}

#[tokio::test]
async fn a_person_enters_the_code_in_the_browser_of_another_device() {
    let real = Real::start(&RealConfig::default()).await;
    let (person, chromium) = (Person::new(&real).await, Chromium::start().await);
    let mut login = person.start(&["login", "--device"]);
    let (address, code) = login.code().await;
    chromium.open(&address).await;
    chromium.fill("#device_user_code", &code).await;
    chromium.click("[type=submit]").await;
    log_in(&chromium, "bob").await;
    chromium.click("[name=accept]").await;
    assert!(login.end().await.contains("✅ Authenticated as bob@example.org\n"));
    person.run(&["curl", "/metrics-*/_count", "--silent", "--fail"]).await.ok();
    person.leave().await;
}

#[tokio::test]
async fn a_person_who_declines_is_not_logged_in() {
    let real = Real::start(&RealConfig::default()).await;
    let (person, chromium) = (Person::new(&real).await, Chromium::start().await);
    let mut login = person.start(&["login", "--device"]);
    chromium.open(&login.address().await).await;
    log_in(&chromium, "bob").await;
    chromium.click("[name=cancel]").await;
    let said = login.failed(1).await;
    assert!(said.contains("declined"), "{said}");
    person.run(&["status"]).await.failed(4);
    person.leave().await;
}
