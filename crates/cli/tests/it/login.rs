use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;

/// Makes the provider misbehave.
type Change = Box<dyn FnOnce(&mut crate::provider::Behaviour)>;

#[tokio::test]
async fn login_and_status_read_as_promised() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    assert_eq!(
        home.run(&["login", "--provider", "keycloak"]).await.ok(),
        "🌐 Opening browser for authentication...\n\
         ✅ Authenticated as developer@example.com\n\
         Token stored in ~/.opensearch/token (expires in 8h)\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );
    assert_eq!(
        home.run(&["status"]).await.ok(),
        "✅ Authenticated as developer@example.com\n\
         Provider: keycloak | Expires: 8h remaining\n\
         Scopes: read:logs-*, read:metrics-*\n"
    );
    assert_eq!(home.mode("token"), 0o600);
    let asked = &provider.server.seen_at("/authorize")[0];
    assert_eq!(asked.field("scope").unwrap(), "openid read:logs-* read:metrics-*");
    assert!(asked.field("redirect_uri").unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(home.run(&["token"]).await.ok(), "access-token-1\n");
    assert_eq!(home.run(&["token", "--header"]).await.ok(), "Authorization: Bearer access-token-1\n");
}

#[tokio::test]
async fn scopes_can_be_chosen_and_what_is_granted_is_told() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    provider.set(|behaviour| behaviour.granted = Some("openid read:logs-app".to_owned()));
    let told =
        home.run(&["login", "--scopes", "read:logs-app read:secrets", "--output", "json"]).await.json();
    assert_eq!(told["scopes"], json!(["openid", "read:logs-app"]));
    assert_eq!(told["user"], "developer@example.com");
    assert_eq!(
        provider.server.seen_at("/authorize")[0].field("scope").unwrap(),
        "openid read:logs-app read:secrets"
    );
    assert!(!told.to_string().contains("access-token"), "{told}");
}

#[tokio::test]
async fn the_address_is_shown_where_no_browser_opens() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let mut home = Home::with_context(&proxy).await;
    home.variable("BROWSER", "/nowhere/browser");
    // Nor one that the system would choose.
    home.variable("PATH", "/nowhere");
    for arguments in [&["login"][..], &["login", "--no-browser"]] {
        let mut child = home.start(arguments);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if line.trim_start().starts_with("http://") {
                break line.trim().to_owned();
            }
        };
        let browser = tokio::process::Command::new("curl").args(["-sSL", &address]).output().await.unwrap();
        let page = String::from_utf8(browser.stdout).unwrap();
        assert!(page.contains("You can close this window"), "{page}");
        assert!(child.wait().await.unwrap().success());
        home.run(&["status"]).await.ok();
    }
}

#[tokio::test]
async fn login_on_another_device() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    provider.set(|behaviour| behaviour.pending = 2);
    let issuer = provider.issuer();
    assert_eq!(
        home.run(&["login", "--device"]).await.ok(),
        format!(
            "🌐 Open {issuer}/activate on any device and enter the code ABCD-EFGH\n   \
             or open {issuer}/activate?code=ABCD-EFGH\n\
             ✅ Authenticated as developer@example.com\n\
             Token stored in ~/.opensearch/token (expires in 8h)\n\
             Scopes: read:logs-*, read:metrics-*\n"
        )
    );
    assert_eq!(provider.server.seen_at("/token").len(), 3, "it waited");

    provider.set(|behaviour| behaviour.failure = Some((400, json!({"error": "access_denied"}))));
    let said = home.run(&["login", "--device"]).await.failed(1);
    assert!(said.contains("declined"), "{said}");
    provider.set(|behaviour| behaviour.failure = Some((400, json!({"error": "expired_token"}))));
    home.run(&["login", "--device"]).await.failed(4);
    provider.set(|behaviour| behaviour.metadata = json!({"device_authorization_endpoint": null}));
    let said = home.run(&["login", "--device"]).await.failed(1);
    assert!(said.contains("no device login"), "{said}");
}

#[tokio::test]
async fn a_login_that_is_not_this_one_does_not_count() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    let response = |value| move |behaviour: &mut crate::provider::Behaviour| behaviour.response = value;
    let id_token = |value| move |behaviour: &mut crate::provider::Behaviour| behaviour.id_token = value;
    let cases: Vec<(Change, i32, &str)> = vec![
        (Box::new(response(json!({"iss": "https://evil.example"}))), 1, "another issuer"),
        (Box::new(response(json!({"iss": null}))), 1, "does not name its issuer"),
        (Box::new(response(json!({"code": "another-code"}))), 1, "invalid_grant: not this time"),
        (Box::new(response(json!({"code": null, "error": "invalid_scope"}))), 1, "--scopes"),
        (Box::new(response(json!({"code": null, "error": "access_denied"}))), 1, "access_denied"),
        // Not an answer to this login, so it is waited on.
        (Box::new(response(json!({"state": "another"}))), 4, "did not come back in time"),
        (Box::new(id_token(json!({"nonce": "another"}))), 1, "another login"),
        (Box::new(id_token(json!({"aud": "another"}))), 1, "another client"),
        (Box::new(id_token(json!({"iss": "https://evil.example"}))), 1, "another issuer"),
        (Box::new(id_token(json!({"exp": 1}))), 1, "expired"),
    ];
    for (change, code, words) in cases {
        provider.set(|behaviour| {
            (behaviour.response, behaviour.id_token) = (json!({}), json!({}));
            change(behaviour);
        });
        let said = home.run(&["login", "--timeout", if code == 4 { "1s" } else { "5m" }]).await.failed(code);
        assert!(said.contains(words), "{words}: {said}");
        assert!(!home.file("token").exists(), "{words}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_trusted_is_not_gone_to() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    for (metadata, words) in [
        (json!({"issuer": "https://evil.example"}), "says that it is https://evil.example"),
        (json!({"token_endpoint": "http://evil.example/token"}), "unencrypted"),
        (json!({"code_challenge_methods_supported": ["plain"]}), "does not support PKCE"),
        (json!({"authorization_endpoint": null}), "no login by browser"),
    ] {
        provider.set(|behaviour| behaviour.metadata = metadata);
        let run = home.run(&["login"]).await;
        assert!(run.code != 0 && run.err.contains(words), "{words}: {run:?}");
    }
    assert!(provider.server.seen_at("/authorize").is_empty());
}

#[tokio::test]
async fn logout_revokes_and_forgets() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&proxy, &provider).await;
    assert_eq!(home.run(&["logout"]).await.ok(), "✅ Logged out\n");
    let revoked: Vec<_> = provider
        .server
        .seen_at("/revoke")
        .iter()
        .map(|seen| (seen.field("token"), seen.field("client_id")))
        .collect();
    let by = |token: &str| (Some(token.to_owned()), Some("opensearch-auth".to_owned()));
    assert_eq!(revoked, [by("refresh-token-1"), by("access-token-1")]);
    let said = home.run(&["status"]).await.failed(4);
    assert!(said.contains("nobody is logged in") && said.contains("opensearch-auth login"), "{said}");
    assert!(!home.read("token").contains("access-token"));
    assert_eq!(home.run(&["logout"]).await.ok(), "Nobody was logged in\n");

    home.run(&["login"]).await.ok();
    provider.set(|behaviour| behaviour.metadata = json!({"revocation_endpoint": null}));
    let run = home.run(&["logout", "--all", "--output", "json"]).await;
    assert!(run.err.contains("cannot revoke tokens"), "{run:?}");
    assert_eq!(run.json()["logged_out"][0]["revoked"], false);

    home.run(&["login"]).await.ok();
    provider.set(|behaviour| behaviour.metadata = json!({"issuer": "https://evil.example"}));
    let said = home.run(&["logout"]).await.failed(1);
    assert!(said.contains("logged out here, but the provider was not told"), "{said}");
    home.run(&["status"]).await.failed(4);
}
