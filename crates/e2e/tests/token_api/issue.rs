//! Issuing, from a client's credentials and from a provider's token.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{ACCESS_TOKEN, basic, exchange, form, issue, issued, passes, refused, search, start};

#[tokio::test]
async fn a_client_gets_a_token_uses_it_lists_it_and_ends_it() {
    let world = start("").await;
    let reply = issue(
        &world,
        &[
            ("scope", "read:logs-*"),
            ("expires_in", "1800"),
            ("name", "nightly"),
            ("metadata", "{\"team\":\"ops\"}"),
        ],
    )
    .await;
    assert_eq!(
        (reply.header("cache-control"), reply.header("content-type")),
        ("no-store", "application/json")
    );
    let answer = reply.json();
    let (secret, id) = issued(&reply);
    assert!(secret.starts_with("osat_") && secret.len() == 54, "prefix, random part, checksum");
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"], &answer["scope"], &answer["status"]),
        (&json!("Bearer"), &json!(1800), &json!("read:logs-*"), &json!("active"))
    );
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["operation"], &record["decision"], &record["client_id"], &record["targets"]),
        (&json!("oauth.token.issue"), &json!("allow"), &json!("agent"), &json!([id]))
    );

    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["token_id"], &record["client_id"], &record["scopes"], &record["permitted_by"]),
        (&json!(id), &json!("agent"), &json!(["read:logs-*"]), &json!(["read:logs-*"]))
    );
    let seen = world.engine.seen();
    assert!(!format!("{seen:?}").contains(&secret), "the engine does not see it");
    assert_eq!(search(&world, &secret, "metrics-a").await, (403, "insufficient_scope".to_owned()));

    let own = world.anonymous().with_token(
        world
            .provider
            .build_token()
            .claim("sub", "agent")
            .claim("client_id", "agent")
            .claim("scope", "")
            .sign(),
    );
    let list = own.get("/oauth/tokens?client_id=agent&status=active").await.json();
    let shown = own.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!(list, json!({"tokens": [shown], "next_cursor": null}));
    assert_eq!(
        (
            &shown["name"],
            &shown["metadata"],
            &shown["status"],
            &shown["scopes"],
            &shown["owner"]["client_id"]
        ),
        (
            &json!("nightly"),
            &json!({"team": "ops"}),
            &json!("active"),
            &json!(["read:logs-*"]),
            &json!("agent")
        )
    );
    assert!(shown["last_used"]["at"].is_string() && shown["last_used"]["address"] == "127.0.0.1", "{shown}");
    assert!(shown.get("claims").is_none() && !shown.to_string().contains(&secret));

    for _ in 0..2 {
        let reply = own.get_or(Method::DELETE, &format!("/oauth/token/{id}?reason=done")).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
    let shown = own.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!((&shown["status"], &shown["revoked"]["reason"]), (&json!("revoked"), &json!("done")));
    let trail = format!("{:?}", world.proxy.audit().await);
    assert!(!trail.contains(&secret) && !trail.contains("s3cret"), "no secret in the audit trail");
}

#[tokio::test]
async fn credentials_that_the_provider_does_not_know() {
    let world = start("").await;
    let client = world.anonymous();
    let grant = ("grant_type", "client_credentials");
    let reply = form(&client, "/oauth/token", Some(&basic("agent", "wrong")), &[grant]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    assert_eq!(reply.header("www-authenticate"), "Basic realm=\"oauth\"");
    assert!(!reply.text().contains("words of the provider"), "its words are not repeated");
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["reason"], &record["client_id"], &record["decision"]),
        (&json!("oauth_invalid_client"), &json!("agent"), &json!("deny"))
    );
    let posted = [grant, ("client_id", "agent"), ("client_secret", "s3cret")];
    issued(&form(&client, "/oauth/token", None, &posted).await);
    let both = form(&client, "/oauth/token", Some(&basic("agent", "s3cret")), &posted).await;
    assert_eq!((both.status, &both.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));

    // The provider does not know this scope, but a mapping may: then what the client holds by default counts.
    let reply = issue(&world, &[("scope", "read:logs-2026")]).await;
    assert_eq!(reply.json()["scope"], "read:logs-2026", "{}", reply.text());
    let reply = issue(&world, &[("scope", "read:secrets")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));

    world.provider.set_down(true);
    let reply = issue(&world, &[]).await;
    assert_eq!(
        (reply.status, &reply.json()["error"], reply.header("retry-after")),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"), "5")
    );
}

/// Subject token, further fields, error, reason code.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[tokio::test]
async fn an_exchange_narrows_and_never_widens() {
    let world = start("").await;
    let token = world.provider.token("read:logs-* read:metrics-*");
    let reply = exchange(&world, &token, &[("scope", "read:logs-2026-*")]).await;
    assert_eq!(reply.json()["issued_token_type"], ACCESS_TOKEN);
    let (secret, _) = issued(&reply);
    assert_eq!(search(&world, &secret, "logs-2026-01").await, passes());
    for index in ["logs-2025-01", "metrics-a", "logs-*"] {
        assert_eq!(search(&world, &secret, index).await.0, 403, "{index}");
    }
    let all = exchange(&world, &token, &[]).await.json();
    assert_eq!(all["scope"], "read:metrics-* read:logs-*", "without a scope asked, all that is held");

    let now = world.provider.build_token().claims()["iat"].as_u64().unwrap();
    let expired = world.provider.build_token().claim("exp", now - 100).sign();
    let table: [Case<'_>; 9] = [
        (&token, &[("scope", "read:*")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "read:logs-* write:logs-*")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "openid")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("scope", "role:all_access")], "invalid_scope", "oauth_invalid_scope"),
        (&token, &[("audience", "elsewhere")], "invalid_target", "oauth_invalid_target"),
        (&token, &[("resource", "https://elsewhere.example")], "invalid_target", "oauth_invalid_target"),
        (&secret, &[], "invalid_request", "oauth_invalid_request"),
        (&expired, &[], "invalid_request", "expired"),
        ("not.a.token", &[], "invalid_request", "opaque_not_accepted"),
    ];
    for (token, fields, error, reason) in table {
        let reply = exchange(&world, token, fields).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!(error)),
            "{fields:?}"
        );
        assert_eq!(world.proxy.last_audit().await["reason"], reason, "{fields:?}");
    }
    let resource =
        exchange(&world, &token, &[("resource", "https://localhost:8443/"), ("audience", "main")]).await;
    issued(&resource);
}

#[tokio::test]
async fn who_acts_for_the_subject_is_kept() {
    let world = start("").await;
    let issuer = world.provider.issuer();
    let token = |subject: &str, more: &[(&str, Value)]| {
        let mut token = world.provider.build_token().claim("sub", subject).claim("scope", "read:logs-*");
        for (name, value) in more {
            token = token.claim(name, value.clone());
        }
        token.sign()
    };
    let actor = token("robot", &[("client_id", json!("robot-client"))]);
    let acting = [("actor_token", actor.as_str()), ("actor_token_type", ACCESS_TOKEN)];
    let chain = token("alice", &[("act", json!({"sub": "first"})), ("may_act", json!({"sub": "robot"}))]);
    let (_, id) = issued(&exchange(&world, &chain, &acting).await);
    let owner = world.anonymous().with_token(token("alice", &[]));
    let shown = owner.get(&format!("/oauth/token/{id}")).await.json();
    assert_eq!(
        shown["act"],
        json!({"iss": issuer, "sub": "robot", "client_id": "robot-client", "act": {"sub": "first"}}),
    );
    for may_act in [
        json!({"sub": "somebody"}),
        json!({"sub": "robot", "iss": "https://x.example"}),
        json!({"x": "y"}),
        json!("robot"),
    ] {
        let subject = token("alice", &[("may_act", may_act.clone())]);
        let reply = exchange(&world, &subject, &acting).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{may_act}"
        );
    }
}
