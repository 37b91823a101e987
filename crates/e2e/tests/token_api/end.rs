//! Ending tokens: by their holder, and those of providers.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{exchange, form, issued, passes, refused, search, start};

#[tokio::test]
async fn whoever_holds_a_token_may_end_it() {
    let world = start("").await;
    let client = world.anonymous();
    let token = world.provider.build_token().claim("jti", "j-1").claim("scope", "read:logs-*").sign();
    let (secret, _) = issued(&exchange(&world, &token, &[]).await);
    let (kept, _) = issued(&exchange(&world, &token, &[]).await);
    for text in [secret.as_str(), secret.as_str(), "osat_nothing", "nothing", "a.b.c", "not a token at all"] {
        let reply = form(&client, "/oauth/revoke", None, &[("token", text)]).await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0), "{text}");
    }
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &kept, "logs-a").await, passes());
    // A provider's token, verified and cached before, and what was made from it.
    assert_eq!(search(&world, &token, "logs-a").await, passes());
    assert_eq!(form(&client, "/oauth/revoke", None, &[("token", &token)]).await.status, StatusCode::OK);
    assert_eq!(search(&world, &token, "logs-a").await, refused("token_revoked"));
    assert_eq!(search(&world, &kept, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(exchange(&world, &token, &[]).await.status, StatusCode::BAD_REQUEST);
    let other = world.provider.build_token().claim("jti", "j-2").claim("scope", "read:logs-*").sign();
    assert_eq!(search(&world, &other, "logs-a").await, passes());
}

#[tokio::test]
async fn tokens_of_a_provider_are_revoked_by_what_they_say() {
    let world = start("").await;
    let admin = world
        .anonymous()
        .with_token(world.provider.build_token().claim("sub", "lead").claim("scope", "admin:tokens").sign());
    let bob = |issued_at: u64| {
        let token = world.provider.build_token().claim("sub", "bob").claim("client_id", "bobs-client");
        token.claim("iat", issued_at).claim("scope", "read:logs-*").sign()
    };
    let now = world.provider.build_token().claims()["iat"].as_u64().unwrap();
    let (old, new) = (bob(now - 60), bob(now));
    let (managed, _) = issued(&exchange(&world, &old, &[]).await);
    let before = moment(now - 30);
    let add = async |body: Value| admin.json(Method::POST, "/oauth/revocations", &body).await;
    for body in [
        json!({}),
        json!({"jti": "a", "subject": "b"}),
        json!({"subject": ""}),
        json!({"subject": "bob", "issuer": "https://elsewhere.example"}),
        json!({"subject": "bob", "until": "2001-01-01T00:00:00Z"}),
        json!({"subject": "bob", "also": 1}),
    ] {
        assert_eq!(add(body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let added = add(json!({"subject": "bob", "issuer": world.provider.issuer(), "issued_before": before, "reason": "stolen laptop"})).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text());
    assert_eq!(search(&world, &old, "logs-a").await, refused("token_revoked"));
    assert_eq!(search(&world, &managed, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &new, "logs-a").await, passes());
    let listed = admin.get("/oauth/revocations").await.json();
    assert_eq!(listed["revocations"], json!([added.json()]));
    let path = format!("/oauth/revocations/{}", added.json()["revocation_id"].as_str().unwrap());
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(search(&world, &old, "logs-a").await, passes());
    assert_eq!(add(json!({"client_id": "bobs-client"})).await.status, StatusCode::CREATED);
    for token in [&old, &new] {
        assert_eq!(search(&world, token, "logs-a").await, refused("token_revoked"));
    }
    // With only `monitor:tokens` one may look.
    let monitor = world.client("monitor:tokens");
    assert_eq!(monitor.get("/oauth/revocations").await.status, StatusCode::OK);
    assert_eq!(
        monitor.json(Method::POST, "/oauth/revocations", &json!({"jti": "x"})).await.status,
        StatusCode::FORBIDDEN
    );
}

/// RFC 3339 of seconds since 1970.
fn moment(seconds: u64) -> String {
    jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap().to_string()
}
