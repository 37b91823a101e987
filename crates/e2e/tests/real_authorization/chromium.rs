//! The pages in a real browser.

use std::net::SocketAddr;

use e2e::{Chromium, eventually};
use http::{Method, StatusCode};
use url::Url;

use crate::world::{Asking, DESK, DEVICE_CODE, INDEX, WEB_REDIRECT, World, issued, sent_back_to};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
/// Widths and heights of a desk and of a telephone.
const SCREENS: [(u32, u32); 2] = [(1280, 800), (390, 844)];

/// A browser for which the proxy has its public name. Whatever comes to the program on the web comes to the proxy, which
/// has nothing there: only the address is looked at.
async fn chromium(proxy: SocketAddr) -> Chromium {
    let rules = format!("MAP localhost:8443 {proxy}, MAP agent.example:443 {proxy}");
    Chromium::start_with(&[&format!("--host-resolver-rules={rules}")]).await
}

/// Fills Keycloak's own form.
async fn log_in(chromium: &Chromium, user: &str) {
    chromium.fill("#username", user).await;
    chromium.fill("#password", &format!("{user}-password")).await;
    chromium.click("#kc-login").await;
}

/// Where the browser is sent, as soon as it is there.
async fn sent_to(chromium: &Chromium, redirect_uri: &str) -> Url {
    let what = format!("the browser is sent to {redirect_uri}");
    let address = eventually(&what, async || {
        Some(chromium.address().await).filter(|address| address.starts_with(redirect_uri))
    });
    address.await.parse().unwrap()
}

/// Goes from control to control until the focus is on the button with this value.
async fn tab_to(chromium: &Chromium, value: &str) {
    for _ in 0..10 {
        chromium.press(TAB).await;
        if chromium.run("return document.activeElement.value").await == value {
            return;
        }
    }
    panic!("the key Tab does not lead to {value}");
}

#[tokio::test]
async fn a_person_allows_by_keyboard_is_not_asked_twice_and_takes_it_back() {
    let world = World::start().await;
    let chromium = chromium(world.real.proxy.address).await;
    let asking = Asking::web("read:logs-*");
    chromium.open(&asking.address()).await;
    log_in(&chromium, "alice").await;
    let page = chromium.shows("Allow Web <Agent> to use OpenSearch for you?").await;
    for shown in ["web-agent", "alice", "Read logs-*", "agent.example", "For how long?"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for (width, height) in SCREENS {
        chromium.resize(width, height).await;
        let wide = chromium.run("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64() <= Some(width.into()), "at {width} pixels the page is {wide} wide");
    }
    tab_to(&chromium, "allow").await;
    chromium.press(ENTER).await;
    let back = sent_back_to(&sent_to(&chromium, WEB_REDIRECT).await);
    let redeemed = world.post("/oauth/token", &asking.redemption(back["code"].as_str().unwrap())).await;
    let (token, _) = issued(&redeemed);
    assert_eq!(world.search(&token, INDEX).await, (200, String::new()));

    // Neither Keycloak nor the proxy asks again.
    let again = Asking::web("read:logs-*");
    chromium.open(&again.address()).await;
    let back = sent_back_to(&sent_to(&chromium, WEB_REDIRECT).await);
    issued(&world.post("/oauth/token", &again.redemption(back["code"].as_str().unwrap())).await);

    let alice = world.as_person("alice").await;
    let consents = alice.get("/oauth/consents").await.json();
    let path = format!("/oauth/consents/{}", consents["consents"][0]["consent_id"].as_str().unwrap());
    assert_eq!(alice.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.search(&token, INDEX).await, (401, "managed_token_revoked".to_owned()));
    chromium.console().await;
    chromium.open(&Asking::web("read:logs-*").address()).await;
    chromium.shows("Allow Web <Agent>").await;
    assert_eq!(chromium.console().await, [""; 0], "the page is told off by the browser");
    chromium.click("button[value=deny]").await;
    assert_eq!(sent_back_to(&sent_to(&chromium, WEB_REDIRECT).await)["error"], "access_denied");
    world.end().await;
}

#[tokio::test]
async fn a_person_connects_a_device_by_its_code() {
    let world = World::start().await;
    let chromium = chromium(world.real.proxy.address).await;
    let asked = [("client_id", DESK), ("scope", "read:logs-*")];
    let begun = world.post("/oauth/device_authorization", &asked).await.json();
    let text = |name: &str| begun[name].as_str().unwrap();
    chromium.open(text("verification_uri")).await;
    chromium.fill("#user_code", "BCDF-GHJK").await;
    chromium.press(ENTER).await;
    chromium.shows("No device waits with this code").await;
    assert_eq!(chromium.run("return document.querySelector('[role=alert]') !== null").await, true);
    chromium.open(text("verification_uri_complete")).await;
    chromium.click("button").await;
    chromium.shows("Is this your device?").await;
    chromium.click("a.button").await;
    log_in(&chromium, "alice").await;
    assert!(chromium.shows("Allow Desk Agent").await.contains(text("user_code")));
    chromium.click("button[value=allow]").await;
    chromium.shows("The device is connected").await;
    let poll = [("grant_type", DEVICE_CODE), ("client_id", DESK), ("device_code", text("device_code"))];
    let (token, _) = issued(&world.post("/oauth/token", &poll).await);
    assert_eq!(world.search(&token, INDEX).await, (200, String::new()));
    world.end().await;
}
