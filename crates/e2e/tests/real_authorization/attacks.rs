//! What must not work.

use http::{Method, StatusCode};
use oauth::CodeVerifier;
use serde_json::json;

use crate::world::{
    Asking, DESK, DESK_REDIRECT, INDEX, PUBLIC_URL, WEB, WEB_REDIRECT, WEB_SECRET, World, error_of, issued,
    sent_back,
};

#[tokio::test]
async fn nothing_is_sent_to_an_address_that_is_not_the_clients() {
    let world = World::start().await;
    for (client, redirect) in [
        (WEB, "https://evil.example/cb"),
        (WEB, "https://agent.example/cb/"),
        (WEB, "https://agent.example/cb?x=1"),
        (WEB, "https://agent.example.evil.example/cb"),
        (WEB, "https://agent.example@evil.example/cb"),
        (WEB, "http://agent.example/cb"),
        (WEB, DESK_REDIRECT),
        (WEB, ""),
        (DESK, "http://127.0.0.1:51004/other"),
        (DESK, "http://127.0.0.1:51004@evil.example/cb"),
        (DESK, "http://127.0.0.1.evil.example/cb"),
        (DESK, "javascript:alert(1)"),
        ("nobody", WEB_REDIRECT),
        ("", WEB_REDIRECT),
    ] {
        let asking = Asking::new(client, WEB_REDIRECT, "read:logs-*").with("redirect_uri", redirect);
        let reply = world.real.anonymous().get(&asking.with("client_id", client).path()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{client} {redirect}");
        assert!(reply.headers.get("location").is_none() && reply.headers.get("set-cookie").is_none());
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    }
    // A parameter given twice could mean two things.
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", Asking::web("read:logs-*").path());
    assert_eq!(world.real.anonymous().get(&twice).await.status, StatusCode::BAD_REQUEST);
    world.end().await;
}

#[tokio::test]
async fn a_faulty_request_is_told_to_the_client() {
    let world = World::start().await;
    let long = "x".repeat(4000);
    let good = || Asking::web("read:logs-*");
    for (asking, error) in [
        (good().with("response_type", "token"), "unsupported_response_type"),
        (good().with("response_type", ""), "invalid_request"),
        (good().with("code_challenge", ""), "invalid_request"),
        (good().with("code_challenge_method", ""), "invalid_request"),
        (good().with("code_challenge_method", "plain"), "invalid_request"),
        (good().with("scope", "write:logs-*"), "invalid_scope"),
        (good().with("scope", "read:*"), "invalid_scope"),
        (good().with("scope", "role:all_access"), "invalid_scope"),
        (good().with("resource", "https://elsewhere.example"), "invalid_target"),
        (good().with("request_uri", "https://evil.example"), "invalid_request"),
        (good().with("prompt", "none login"), "invalid_request"),
        (
            good().with("login_hint", "").with("scope", &format!("read:logs-{}", &long[..3500])),
            "invalid_request",
        ),
    ] {
        let page = world.browser().open(&asking.address()).await;
        let sent = sent_back(&page, WEB_REDIRECT);
        assert_eq!(sent["error"], error, "{}: {sent}", asking.path());
        assert_eq!((&sent["state"], &sent["iss"]), (&json!("state of the client"), &json!(PUBLIC_URL)));
    }
    world.end().await;
}

#[tokio::test]
async fn a_code_is_good_for_who_asked_for_it_and_once() {
    let world = World::start().await;
    let asking = Asking::web("read:logs-*");
    let code = world.code(&asking, "alice").await;
    let good = asking.redemption(&code);
    let with = |name: &str, value: &'static str| {
        let mut fields = good.clone();
        fields.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            fields.push((if name == "client_id" { "client_id" } else { name_of(name) }, value));
        }
        fields
    };
    let other = Asking::web("read:logs-*");
    let verifier = other.verifier.expose();
    let mut wrong_verifier = with("code_verifier", "");
    wrong_verifier.push(("code_verifier", verifier));
    let mut as_desk = with("client_secret", "");
    as_desk.retain(|(name, _)| *name != "client_id");
    as_desk.push(("client_id", DESK));
    for (fields, error, what) in [
        (wrong_verifier, "invalid_grant", "another verifier"),
        (with("code_verifier", ""), "invalid_request", "no verifier"),
        (with("redirect_uri", "https://agent.example/other"), "invalid_grant", "another redirect URI"),
        (with("redirect_uri", ""), "invalid_request", "no redirect URI"),
        (with("client_secret", ""), "invalid_client", "no secret"),
        (with("client_secret", "guess"), "invalid_client", "a wrong secret"),
        (with("code", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "invalid_grant", "no such code"),
        (as_desk, "invalid_grant", "the code of another client"),
    ] {
        assert_eq!(error_of(&world.post("/oauth/token", &fields).await), error, "{what}");
    }
    // None of that has used it up.
    let (token, _) = issued(&world.post("/oauth/token", &good).await);
    assert_eq!(world.search(&token, INDEX).await, (200, String::new()));
    // A second time somebody else has it, whoever that is: what it gave ends.
    assert_eq!(error_of(&world.post("/oauth/token", &good).await), "invalid_grant");
    assert_eq!(world.search(&token, INDEX).await, (401, "managed_token_revoked".to_owned()));
    let ended = world.as_person("alice").await.get("/oauth/tokens?status=revoked").await.json();
    assert_eq!(ended["tokens"][0]["revoked"]["reason"], "its authorization code was used a second time");
    assert!(CodeVerifier::parse(verifier).is_some());
    world.end().await;
}

/// The name of a field, for as long as the test runs.
fn name_of(name: &str) -> &'static str {
    ["code", "redirect_uri", "code_verifier", "client_secret"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap()
}

#[tokio::test]
async fn what_a_browser_brings_must_be_its_own() {
    let world = World::start().await;
    let mut alice = world.browser();
    let asking = Asking::web("read:logs-*");

    // The address with which Keycloak sends alice back, opened by mallory: login by another's hand.
    let begun = world.real.anonymous().get(&asking.path()).await;
    let cookie = begun.header("set-cookie").to_owned();
    for part in ["__Host-oauth-", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("logs"), "sealed: {cookie}");
    let state =
        begun.header("location").split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let callback = format!("{PUBLIC_URL}/oauth/callback?code=stolen&state={state}");
    let page = world.browser().open(&callback).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "without the cookie: {}", page.html);
    assert!(page.html.contains("did not begin this login"), "{}", page.html);
    for state in ["", "x", "../../etc", "AAAAAAAAAAAAAAAAAAAAAA"] {
        let page = alice.open(&format!("{PUBLIC_URL}/oauth/callback?code=stolen&state={state}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{state}");
    }
    // With the cookie, but from another provider (mix-up), or with a code that is none.
    let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    for query in [format!("{callback}&iss=https%3A%2F%2Fevil.example"), callback.clone()] {
        let mut browser = world.browser();
        browser.set_proxy_cookie(name, value);
        let page = browser.open(&query).await;
        assert_eq!(sent_back(&page, WEB_REDIRECT)["error"], "server_error", "{query}");
        assert!(browser.proxy_cookies().is_empty(), "an answer counts once");
    }
    // The cookie of one login under the name of another.
    let mut browser = world.browser();
    browser.set_proxy_cookie("__Host-oauth-AAAAAAAAAAAAAAAAAAAAAA", value);
    let page =
        browser.open(&format!("{PUBLIC_URL}/oauth/callback?code=x&state=AAAAAAAAAAAAAAAAAAAAAA")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);

    // The consent page's form, sent by another browser, by another site, changed, or twice.
    let page = alice.log_in(&asking.address(), "alice").await;
    let mut mallory = world.browser();
    let refused = mallory.submit(&page, &[("decision", "allow")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
    let cookies = alice.proxy_cookies();
    let (name, binding) = &cookies[0];
    let (_, hidden) = page.form().unwrap();
    let send = async |fields: Vec<(String, String)>, site: &str, cookie: String| {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = "application/x-www-form-urlencoded";
        let headers = [("content-type", form), ("sec-fetch-site", site), ("cookie", &cookie)];
        world.real.anonymous().send(Method::POST, "/oauth/consent", &headers, body.into()).await.status
    };
    let allowed = |request: &str| {
        let mut fields = hidden.clone();
        fields.retain(|(name, _)| name != "request");
        fields.push(("request".to_owned(), request.to_owned()));
        fields.push(("decision".to_owned(), "allow".to_owned()));
        fields
    };
    let sealed = &hidden.iter().find(|(name, _)| name == "request").unwrap().1;
    let own = format!("{name}={binding}");
    let changed = format!("{}A", &sealed[..sealed.len() - 1]);
    for (fields, site, cookie) in [
        (allowed(sealed), "cross-site", own.clone()),
        (allowed(sealed), "same-site", own.clone()),
        (allowed(&changed), "same-origin", own.clone()),
        (allowed(value), "same-origin", own.clone()),
        (allowed(sealed), "same-origin", format!("{name}=AAAAAAAAAAAAAAAAAAAAAA")),
        (allowed(sealed), "same-origin", format!("{own}; {own}")),
        (allowed(sealed), "same-origin", String::new()),
    ] {
        assert_eq!(send(fields, site, cookie.clone()).await, StatusCode::BAD_REQUEST, "{site} {cookie}");
    }
    assert_eq!(world.as_person("alice").await.get("/oauth/consents").await.json(), json!({"consents": []}));
    let back = alice.submit(&page, &[("decision", "allow"), ("lifetime", "99999999")]).await;
    let code = back.parameter("code").unwrap();
    let answer = world.post("/oauth/token", &asking.redemption(&code)).await.json();
    assert_eq!(answer["expires_in"], 30 * 24 * 3600, "never longer than policy allows");
    assert_eq!(alice.submit(&page, &[("decision", "allow")]).await.status, StatusCode::BAD_REQUEST, "once");
    assert!(!format!("{page:?}").contains(WEB_SECRET));
    world.end().await;
}
