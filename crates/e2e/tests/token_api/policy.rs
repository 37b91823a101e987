//! What policies and mappings make of a token.

use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{TOKENS, exchange, issued, passes, refused, search, start};

const POLICIES: &str = "  max_lifetime: 10d
  policies:
    - name: by-request
      when: {claim: {path: team, equals: interns}}
      scopes: [\"read:*\"]
      max_lifetime: 1h
      require: [name, metadata.ticket]
      approval: required
    - name: everybody
      when: {provider: stand-in, claim: {path: team, equals: staff}}
      scopes: [\"read:logs-*\"]
";

#[tokio::test]
async fn policies_say_who_may_have_what_and_who_must_agree() {
    let world = start(POLICIES).await;
    let of = |subject: &str, team: &str, scope: &str| {
        world.provider.build_token().claim("sub", subject).claim("team", team).claim("scope", scope).sign()
    };
    let staff = of("carol", "staff", "read:logs-* write:logs-*");
    assert_eq!(
        exchange(&world, &staff, &[]).await.json()["scope"],
        "read:logs-*",
        "what is held and allowed"
    );
    let reply = exchange(&world, &staff, &[("scope", "write:logs-*")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
    let long = exchange(&world, &staff, &[("expires_in", "99999999")]).await.json();
    assert_eq!(long["expires_in"], 864_000, "shortened to what is allowed");
    let reply = exchange(&world, &of("dave", "guests", "read:logs-*"), &[]).await;
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (StatusCode::BAD_REQUEST, &json!("unauthorized_client"))
    );

    let intern = of("erin", "interns", "read:logs-* admin:tokens");
    let reply = exchange(&world, &intern, &[("name", "try")]).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")));
    let asked = [
        ("name", "try"),
        ("metadata", "{\"ticket\":\"T-1\"}"),
        ("scope", "read:logs-*"),
        ("expires_in", "7200"),
    ];
    let reply = exchange(&world, &intern, &asked).await;
    assert_eq!((&reply.json()["status"], &reply.json()["expires_in"]), (&json!("pending"), &json!(3600)));
    let (secret, id) = issued(&reply);
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_pending"));
    let erin = world.anonymous().with_token(&intern);
    let lead = world.anonymous().with_token(of("lead", "staff", "admin:tokens"));
    let waiting = lead.get("/oauth/requests").await.json();
    assert_eq!(waiting["tokens"][0]["token_id"], *id);
    let approve = format!("/oauth/requests/{id}/approve");
    let own = erin.json(Method::POST, &approve, &json!({})).await;
    assert_eq!((own.status, &own.json()["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
    let approved = lead.json(Method::POST, &approve, &json!({"reason": "T-1"})).await.json();
    assert_eq!(
        (&approved["status"], &approved["approved"]["by"]["subject"]),
        (&json!("active"), &json!("lead"))
    );
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    assert_eq!(lead.json(Method::POST, &approve, &json!({})).await.status, StatusCode::CONFLICT);

    let (secret, id) = issued(&exchange(&world, &intern, &asked).await);
    let deny = format!("/oauth/requests/{id}/deny");
    assert_eq!(lead.json(Method::POST, &deny, &json!({"reason": "no"})).await.json()["status"], "denied");
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_denied"));
    assert_eq!(lead.get("/oauth/requests").await.json()["tokens"], json!([]));
    assert_eq!(lead.get("/oauth/review").await.json(), json!({"findings": []}));
}

#[tokio::test]
async fn what_is_withdrawn_from_the_owner_is_withdrawn_from_the_token() {
    let mapping = "mappings:\n  - {scope: reader, grant: {scopes: [\"read:logs-*\", \"read:metrics-*\"]}}\n";
    let world = start(mapping).await;
    let (secret, _) = issued(&exchange(&world, &world.provider.token("reader"), &[]).await);
    assert_eq!(search(&world, &secret, "metrics-a").await, passes());
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let narrower = config.replace(", \\\"read:metrics-*\\\"", "").replace(", \"read:metrics-*\"", "");
    assert_ne!(config, narrower);
    world.proxy.rewrite_config(&narrower);
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(search(&world, &secret, "metrics-a").await, (403, "insufficient_scope".to_owned()));
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    // Nor does it become more when the owner does.
    world.proxy.rewrite_config(&config.replace("read:metrics-*", "read:*"));
    world.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(search(&world, &secret, "other").await, (403, "insufficient_scope".to_owned()));
    // Another store needs another process.
    for other in [config.replace("tokens.redb", "others.redb"), config.replace(TOKENS, "")] {
        world.proxy.rewrite_config(&other);
        let error = world.proxy.reloader().try_reload().await.unwrap_err();
        assert_eq!(error.to_string(), "tokens.store cannot change while running; restart to change it");
    }
}

#[tokio::test]
async fn a_lead_gets_a_token_for_somebody_elses_job() {
    let policies = "  policies:
    - {name: leads, when: {group: leads}, scopes: [\"read:*\"], for_others: true}
    - {name: all, scopes: [\"read:*\"]}
";
    let world = start(policies).await;
    let of = |subject: &str, groups: &[&str], scope: &str| {
        world
            .provider
            .build_token()
            .claim("sub", subject)
            .claim("groups", groups)
            .claim("scope", scope)
            .sign()
    };
    let lead = of("lead", &["leads"], "read:logs-*");
    let fields = [("owner", "job"), ("owner_client_id", "job-client"), ("scope", "read:logs-a")];
    let (secret, id) = issued(&exchange(&world, &lead, &fields).await);
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    let record = world.proxy.last_audit().await;
    assert_eq!(
        (&record["subject"], &record["token_id"]),
        (&json!("lead"), &json!(id)),
        "under the lead's name"
    );
    // Both see it and have a say; what the owner does not hold, the owner gets no other secret for.
    let path = format!("/oauth/token/{id}");
    let owner = world.anonymous().with_token(of("job", &[], ""));
    let shown = owner.get(&path).await.json();
    assert_eq!(
        (&shown["owner"]["client_id"], &shown["created_by"]["subject"]),
        (&json!("job-client"), &json!("lead"))
    );
    let rotated = owner.json(Method::POST, &format!("{path}/rotate"), &json!({})).await;
    assert_eq!(rotated.status, StatusCode::FORBIDDEN);
    assert_eq!(world.anonymous().with_token(&lead).get(&path).await.json(), shown);
    assert_eq!(owner.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
    // More than the lead holds nobody gets, and others ask for themselves only.
    for (token, scope, error) in [
        (lead, "read:*", "invalid_scope"),
        (of("member", &[], "read:logs-*"), "read:logs-a", "unauthorized_client"),
    ] {
        let reply = exchange(&world, &token, &[("owner", "job"), ("scope", scope)]).await;
        assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::BAD_REQUEST, &json!(error)));
    }
}
