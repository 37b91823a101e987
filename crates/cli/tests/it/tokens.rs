use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;
use crate::server::Seen;
use crate::token_service::Service;

const ID: &str = "tok_abc123";

/// The service, and somebody who has a token for it.
async fn prepared() -> (Service, Home) {
    let service = Service::start("https://login.example").await;
    let mut home = Home::with_context(&service.server).await;
    home.variable("OPENSEARCH_AUTH_TOKEN", "my-own-token");
    (service, home)
}

/// What the service was asked last.
fn last(service: &Service) -> Seen {
    service.server.seen().pop().unwrap()
}

#[tokio::test]
async fn a_token_for_oneself_is_made_by_exchange() {
    let (service, home) = prepared().await;
    let told = home.run(&["create-token", "--scopes", "read:logs-*", "--expires", "24h"]).await.ok();
    let mut lines = told.lines();
    let first = lines.next().unwrap();
    let time =
        first.strip_prefix("✅ Token created: tok_abc123 (expires ").unwrap().strip_suffix(')').unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{first}");
    assert_eq!(
        lines.collect::<Vec<_>>(),
        ["Scopes: read:logs-*", "Token: osat_shown-once", "This is the only time that it is shown"]
    );
    let asked = last(&service);
    for (name, value) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", "my-own-token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", "read:logs-*"),
        ("expires_in", "86400"),
    ] {
        assert_eq!(asked.field(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(asked.header("authorization"), "");
}

#[tokio::test]
async fn a_token_for_a_client_is_made_with_its_secret() {
    let (service, mut home) = prepared().await;
    let create =
        ["create-token", "--client-id", "fluent-bit", "--description", "logs", "--metadata", "team=search"];
    let said = home.run(&create).await.failed(2);
    assert!(said.contains("secret is missing") && said.contains("--client-secret-file"), "{said}");
    // "fluent-bit:the secret", form-encoded (RFC 6749 section 2.3.1).
    let expected = format!("Basic {}", data_encoding::BASE64.encode(b"fluent-bit:the+secret"));

    std::fs::write(home.path().join("secret"), "the secret\n").unwrap();
    home.run(&[&create[..], &["--client-secret-file", "secret"]].concat()).await.ok();
    let asked = last(&service);
    assert_eq!(asked.header("authorization"), expected);
    assert_eq!(asked.field("grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(asked.field("metadata").as_deref(), Some(r#"{"team":"search"}"#));
    assert_eq!(
        (asked.field("client_id"), asked.field("client_secret"), asked.field("scope")),
        (None, None, None)
    );

    let mut command = home.command(&[&create[..], &["--client-secret-file", "-"]].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"the secret").await.unwrap();
    assert!(child.wait().await.unwrap().success());
    assert_eq!(last(&service).header("authorization"), expected);

    home.variable("OPENSEARCH_AUTH_CLIENT_SECRET", "the secret");
    home.run(&create).await.ok();
    assert_eq!(last(&service).header("authorization"), expected);
    // It takes no login.
    home.variable("OPENSEARCH_AUTH_TOKEN", "");
    home.run(&create).await.ok();
}

#[tokio::test]
async fn a_token_can_be_kept_without_being_shown() {
    let (service, home) = prepared().await;
    let told = home.run(&["create-token", "--save", "kept"]).await.ok();
    assert!(told.ends_with("\nToken stored in kept\n") && !told.contains("osat_"), "{told}");
    let kept = home.path().join("kept");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "osat_shown-once\n");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o7777, 0o600);
    let told = home.run(&["create-token", "--save", "other", "--output", "json"]).await.json();
    assert_eq!((&told["token_id"], &told["access_token"]), (&json!(ID), &Value::Null));
    let told = home.run(&["create-token", "--output", "json"]).await.json();
    assert_eq!(told["access_token"], "osat_shown-once");

    // Nothing is asked for that could not be kept.
    let asked = service.server.seen().len();
    let said = home.run(&["create-token", "--save", "kept"]).await.failed(2);
    assert!(said.contains("is there already"), "{said}");
    home.run(&["create-token", "--save", "nowhere/kept"]).await.failed(3);
    assert_eq!(service.server.seen().len(), asked);

    std::fs::write(&kept, "osat_old\n").unwrap();
    let told =
        home.run(&["rotate-token", "--token-id", "tok_a", "--overlap", "1h", "--save", "kept"]).await.ok();
    assert!(told.starts_with("✅ Token rotated: tok_abc123 takes over from tok_a (expires "), "{told}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "osat_shown-once\n");
    let asked: Value = serde_json::from_str(&last(&service).body).unwrap();
    assert_eq!(asked, json!({"overlap": 3600}));
}

#[tokio::test]
async fn a_token_that_waits_for_approval() {
    let (service, home) = prepared().await;
    let told = home.run(&["create-token", "--name", "careful", "--save", "kept"]).await.ok();
    assert!(told.starts_with("⏳ Token requested: tok_abc123 (waits for approval)\n"), "{told}");
    let told = home.run(&["requests", "list"]).await.ok();
    assert!(told.contains("tok_p") && told.contains("pending"), "{told}");
    assert_eq!(home.run(&["requests", "approve", "tok_p"]).await.ok(), "✅ Token approved: tok_p\n");
    assert_eq!(last(&service).path, "/oauth/requests/tok_p/approve");
    let deny = ["requests", "deny", "tok_p", "--reason", "too broad"];
    assert_eq!(home.run(&deny).await.ok(), "✅ Token denied: tok_p\n");
    assert_eq!(last(&service).body, r#"{"reason":"too broad"}"#);
}

#[tokio::test]
async fn tokens_are_listed_page_by_page_and_shown() {
    let (service, home) = prepared().await;
    let told = home.run(&["list-tokens"]).await.ok();
    let rows: Vec<&str> = told.lines().collect();
    assert!(rows[0].starts_with("TOKEN ID  NAME"), "{told}");
    assert_eq!(rows.iter().filter(|row| row.starts_with("tok_")).count(), 3, "{told}");
    let told = home.run(&["list-tokens", "--limit", "2", "--output", "json"]).await.json();
    assert_eq!((told["tokens"].as_array().unwrap().len(), &told["more"]), (2, &json!(true)));

    let filters = [
        ("--client-id", "ci", "client_id", "ci"),
        ("--owner", "4711", "owner", "4711"),
        ("--user", "ann", "user", "ann"),
        ("--scope", "read:logs-*", "scope", "read:logs-*"),
        ("--cluster", "prod", "cluster", "prod"),
        ("--status", "active", "status", "active"),
        ("--created-by", "ci", "created_by", "ci"),
        ("--expires-before", "2026-12-31T00:00:00Z", "expires_before", "2026-12-31T00:00:00Z"),
        ("--unused-since", "2026-12-31T00:00:00Z", "unused_since", "2026-12-31T00:00:00Z"),
        ("--sort", "last-used", "sort", "last_used"),
    ];
    for (option, value, name, expected) in filters {
        home.run(&["list-tokens", option, value, "--limit", "2"]).await.ok();
        let asked = last(&service);
        assert_eq!(asked.field(name).as_deref(), Some(expected), "{option}");
        assert_eq!(asked.header("authorization"), "Bearer my-own-token");
    }
    home.run(&["list-tokens", "--sort", "name", "--reverse", "--limit", "2"]).await.ok();
    assert_eq!(last(&service).field("sort").as_deref(), Some("-name"));

    assert_eq!(
        home.run(&["show-token", "tok_a"]).await.ok(),
        "\
Token id:     tok_a
Name:         a
Description:  made for a test
Status:       active
Scopes:       read:logs-*
Owner:        ann
Created:      2026-01-01T00:00:00Z by ci
Expires:      2999-01-01T00:00:00Z
Last used:    2026-01-02T00:00:00Z from 192.0.2.7
Metadata:     team = search
"
    );
    for id in ["", "../tokens", "tok_a/rotate", "tok_a?x=y"] {
        home.run(&["show-token", id]).await.failed(2);
    }
}

#[tokio::test]
async fn tokens_are_revoked_by_id() {
    let (service, home) = prepared().await;
    assert_eq!(home.run(&["revoke-token", "--token-id", ID]).await.ok(), "✅ Token revoked\n");
    let asked = last(&service);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("DELETE", "/oauth/token/tok_abc123"));
    let two = ["revoke-token", "--token-id", "tok_a", "--token-id", "tok_b", "--reason", "left the team"];
    assert_eq!(home.run(&two).await.ok(), "✅ 2 tokens revoked\n");
    assert_eq!(last(&service).query, "reason=left+the+team");
}

#[tokio::test]
async fn many_are_revoked_after_a_look_and_a_word() {
    let (service, home) = prepared().await;
    let revoke = ["revoke-token", "--client-id", "ci"];
    let run = home.run(&revoke).await;
    assert!(run.out.contains("tok_a") && run.out.contains("tok_b"), "{run:?}");
    let said = run.failed(2);
    assert!(said.contains("nothing was revoked") && said.contains("--yes"), "{said}");
    let told = home.run(&[&revoke[..], &["--dry-run"]].concat()).await.ok();
    assert!(told.ends_with("2 tokens would be revoked\n"), "{told}");
    let effective = |service: &Service| {
        let asked = service.server.seen_at("/oauth/tokens/revoke");
        asked.iter().filter(|seen| seen.body.contains("\"dry_run\":false")).count()
    };
    assert_eq!(effective(&service), 0);
    let told = home.run(&[&revoke[..], &["--yes", "--reason", "leaked"]].concat()).await.ok();
    assert_eq!(told, "✅ 2 tokens revoked\n");
    let asked: Value = serde_json::from_str(&last(&service).body).unwrap();
    assert_eq!(asked, json!({"client_id": "ci", "dry_run": false, "reason": "leaked"}));
    let told = home.run(&["revoke-token", "--client-id", "nobody", "--yes"]).await.ok();
    assert_eq!(told, "There are no such tokens\n");
    home.run(&["revoke-token", "--all", "--yes"]).await.ok();
    assert_eq!(effective(&service), 2);
    for unclear in [&["revoke-token"][..], &["revoke-token", "--all", "--user", "ann"]] {
        home.run(unclear).await.failed(2);
    }
}

#[tokio::test]
async fn tokens_worth_a_second_look() {
    let (service, home) = prepared().await;
    let told = home.run(&["review-tokens", "--user", "ann"]).await.ok();
    assert_eq!(told, "tok_a  ann  a\n  not used since 2026-01-02T00:00:00Z\n  broad: admin:*\n");
    assert_eq!(last(&service).query, "user=ann");
}

#[tokio::test]
async fn tokens_of_the_providers_are_revoked() {
    let (service, home) = prepared().await;
    let line = "rev_a  client id ci  issuer https://login.example  issued before 2026-01-02T00:00:00Z  by ann: leaked\n";
    assert_eq!(home.run(&["revocations", "list"]).await.ok(), line);
    let add = [
        "revocations",
        "add",
        "--client-id",
        "ci",
        "--issued-before",
        "2026-01-02T00:00:00Z",
        "--reason",
        "leaked",
    ];
    assert_eq!(home.run(&add).await.ok(), format!("✅ Revoked: {line}"));
    let asked: Value = serde_json::from_str(&last(&service).body).unwrap();
    assert_eq!(
        asked,
        json!({"client_id": "ci", "issued_before": "2026-01-02T00:00:00Z", "reason": "leaked"})
    );
    home.run(&["revocations", "withdraw", "rev_a"]).await.ok();
    let asked = last(&service);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("DELETE", "/oauth/revocations/rev_a"));
    home.run(&["revocations", "add", "--reason", "whose?"]).await.failed(2);
    home.run(&["revocations", "add", "--jti", "a", "--subject", "b"]).await.failed(2);
}

#[tokio::test]
async fn a_token_of_the_proxys_own_is_told_from_a_login_that_lacks_a_scope() {
    let (service, mut home) = prepared().await;
    let refusal =
        json!({"error": "insufficient_scope", "error_description": "this needs the scope monitor:tokens"});
    service.refuse(403, refusal, Some("monitor:tokens"));
    home.variable("OPENSEARCH_AUTH_TOKEN", "osat_mine");
    let said = home.run(&["list-tokens"]).await.failed(1);
    assert!(said.contains("sees and ends itself only") && !said.contains("--scopes"), "{said}");
}

#[tokio::test]
async fn a_life_that_the_proxy_cuts_short_is_told() {
    // The service gives a day.
    let (_service, home) = prepared().await;
    for (asked, cut) in [("25h", true), ("24h", false), ("1h", false)] {
        let run = home.run(&["create-token", "--expires", asked]).await;
        assert_eq!(run.err.contains("it ends earlier than asked"), cut, "{asked}: {run:?}");
        run.ok();
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (service, home) = prepared().await;
    let refusal = |code: &str| json!({"error": code, "error_description": "because"});
    for (status, code, scope, exit, words) in [
        (401, "invalid_token", None, 4, "opensearch-auth login"),
        (400, "invalid_scope", None, 1, "opensearch-auth status"),
        (403, "insufficient_scope", Some("admin:tokens"), 1, "admin:tokens"),
        (404, "not_found", None, 1, "because"),
        (409, "conflict", None, 1, "because"),
        (503, "temporarily_unavailable", None, 3, "try again"),
    ] {
        service.refuse(status, refusal(code), scope);
        for command in
            [&["list-tokens"][..], &["show-token", "tok_a"], &["revoke-token", "--token-id", "tok_a"]]
        {
            let said = home.run(command).await.failed(exit);
            assert!(said.contains(code) && said.contains(words), "{code}: {said}");
        }
    }
    service.refuse(401, refusal("invalid_client"), None);
    std::fs::write(home.path().join("secret"), "wrong").unwrap();
    let said =
        home.run(&["create-token", "--client-id", "ci", "--client-secret-file", "secret"]).await.failed(1);
    assert!(said.contains("check --client-id and the secret"), "{said}");
    for (code, words) in
        [("unauthorized_client", "audiences"), ("invalid_scope", "scopes that the client holds")]
    {
        service.refuse(400, refusal(code), None);
        let said = home.run(&["create-token", "--client-id", "ci", "--client-secret-file", "secret"]).await;
        let said = said.failed(1);
        assert!(said.contains(code) && said.contains(words), "{said}");
    }
    service.refuse(403, json!({"error": {"code": "unknown_operation"}}), None);
    let said = home.run(&["list-tokens"]).await.failed(1);
    assert!(said.contains("issues no tokens of its own"), "{said}");
}

#[tokio::test]
async fn the_login_is_what_is_exchanged() {
    let provider = Provider::start().await;
    let service = Service::start(&provider.issuer()).await;
    let home = Home::logged_in(&service.server, &provider).await;
    home.run(&["create-token"]).await.ok();
    assert_eq!(last(&service).field("subject_token").as_deref(), Some("access-token-1"));
    // A context with a path of its own: the service is the same for all.
    let url = format!("{}/prod", service.server.url());
    home.run(&["contexts", "add", "prod", "--url", &url]).await.ok();
    home.run(&["--context", "prod", "create-token"]).await.failed(4);
    home.run(&["--context", "prod", "login"]).await.ok();
    home.run(&["--context", "prod", "list-tokens", "--limit", "2"]).await.ok();
    assert_eq!(last(&service).path, "/oauth/tokens");
    let without = proxy::start(&provider.issuer()).await;
    let home = Home::logged_in(&without, &provider).await;
    home.run(&["list-tokens"]).await.failed(3);
}

/// The claims of the assertion by which a client proved itself (RFC 7523 section 3).
fn assertion(seen: &Seen) -> Value {
    let kind = seen.field("client_assertion_type");
    assert_eq!(kind.as_deref(), Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    let assertion = seen.field("client_assertion").unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(assertion.split('.').nth(1).unwrap().as_bytes());
    serde_json::from_slice(&claims.unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_that_signs_shows_no_secret() {
    let provider = Provider::start().await;
    let service = Service::start(&provider.issuer()).await;
    let home = Home::with_context(&service.server).await;
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(home.path().join("key.pem"), key).unwrap();
    let create =
        ["create-token", "--client-id", "nightly", "--client-key", "key.pem", "--scopes", "read:logs-*"];
    home.run(&[&create[..], &["--provider-scopes", "logs"]].concat()).await.ok();
    let asked = last(&service);
    assert_eq!((asked.header("authorization"), asked.field("provider_scope").as_deref()), ("", Some("logs")));
    let claims = assertion(&asked);
    for (claim, expected) in [("iss", "nightly"), ("sub", "nightly"), ("aud", &provider.issuer())] {
        assert_eq!(claims[claim], expected, "{claims}");
    }
    home.run(&["list-tokens", "--as-client", "nightly", "--client-key", "key.pem"]).await.ok();
    assert_eq!(last(&service).header("authorization"), "Bearer token-of-the-client");
    let again = assertion(&provider.server.seen_at("/token")[0]);
    assert_eq!(again["aud"], provider.issuer());
    assert_ne!(again["jti"], claims["jti"]);

    service.refuse(401, json!({"error": "invalid_client"}), None);
    let said = home.run(&create).await.failed(1);
    assert!(said.contains("public half"), "{said}");
    std::fs::write(home.path().join("key.pem"), "no key").unwrap();
    let said = home.run(&create).await.failed(2);
    assert!(said.contains("key.pem holds no private key") && said.contains("openssl pkcs8"), "{said}");
    home.run(&["create-token", "--client-key", "key.pem"]).await.failed(2);
}

#[tokio::test]
async fn a_client_looks_after_its_tokens() {
    let provider = Provider::start().await;
    let service = Service::start(&provider.issuer()).await;
    let mut home = Home::with_context(&service.server).await;
    home.variable("OPENSEARCH_AUTH_CLIENT_SECRET", "the secret");
    for command in [
        &["list-tokens", "--client-id", "another"][..],
        &["show-token", ID],
        &["rotate-token", "--token-id", "tok_a"],
        &["revoke-token", "--token-id", ID],
    ] {
        home.run(&[command, &["--as-client", "fluent-bit"]].concat()).await.ok();
        assert_eq!(last(&service).header("authorization"), "Bearer token-of-the-client", "{command:?}");
    }
    let asked = &provider.server.seen_at("/token")[0];
    let basic = format!("Basic {}", data_encoding::BASE64.encode(b"fluent-bit:the+secret"));
    assert_eq!(asked.header("authorization"), basic);

    let list = ["list-tokens", "--as-client", "fluent-bit"];
    service.refuse(401, json!({"error": "invalid_token"}), None);
    let said = home.run(&list).await.failed(1);
    assert!(said.contains("audiences"), "{said}");
    service.refuse(403, json!({"error": "insufficient_scope"}), Some("monitor:tokens"));
    let said = home.run(&list).await.failed(1);
    assert!(said.contains("give the client the scope monitor:tokens"), "{said}");
}

#[tokio::test]
async fn what_was_allowed_is_listed_and_taken_back() {
    let (service, home) = prepared().await;
    let line = "con_a  web-agent  read:logs-*  for ann, since 2026-01-02T00:00:00Z";
    let expected = format!("{line}\n{line}  withdrawn 2026-01-03T00:00:00Z by ann\n");
    assert_eq!(home.run(&["consents", "list"]).await.ok(), expected);
    let told = home.run(&["consents", "withdraw", "con_a"]).await.ok();
    assert_eq!(told, "✅ Consent withdrawn, and the tokens under it are revoked\n");
    let asked = last(&service);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("DELETE", "/oauth/consents/con_a"));
    home.run(&["consents", "withdraw", "../tokens"]).await.failed(2);
}
