//! Who sees and rules which tokens.

use e2e::{Client, ProxyFiles, RunningProxy, StandIns};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{TOKENS, exchange, form, issued, passes, refused, search, start};

#[tokio::test]
async fn own_tokens_for_everyone_all_for_governance() {
    let world = start("").await;
    let alice = world.provider.build_token().claim("sub", "alice").claim("scope", "read:logs-*").sign();
    let (secret, id) = issued(&exchange(&world, &alice, &[]).await);
    let with = |subject: &str, scope: &str| {
        world
            .anonymous()
            .with_token(world.provider.build_token().claim("sub", subject).claim("scope", scope).sign())
    };
    let path = format!("/oauth/token/{id}");
    // Whoever it is not for learns nothing of it, whatever else they hold.
    for mallory in [with("mallory", "read:*"), with("mallory", "admin:*"), with("mallory", "")] {
        for reply in [mallory.get(&path).await, mallory.get_or(Method::DELETE, &path).await] {
            assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::NOT_FOUND, &json!("not_found")));
        }
        assert_eq!(mallory.get("/oauth/tokens").await.json()["tokens"], json!([]));
        let all = mallory.json(Method::POST, "/oauth/tokens/revoke", &json!({"all": true})).await.json();
        assert_eq!(all["matched"], 0);
        for path in ["/oauth/revocations"] {
            let reply = mallory.get(path).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN);
            assert!(reply.header("www-authenticate").contains("scope=\"monitor:tokens\""));
        }
    }
    let monitor = with("auditor", "monitor:tokens");
    assert_eq!(monitor.get(&path).await.json()["token_id"], *id);
    let reply = monitor.get_or(Method::DELETE, &path).await;
    assert_eq!((reply.status, &reply.json()["error"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")));
    assert!(reply.header("www-authenticate").contains("scope=\"admin:tokens\""));
    // A managed token speaks for itself alone.
    let (other, _) = issued(&exchange(&world, &alice, &[("scope", "read:logs-1")]).await);
    let narrow = world.anonymous().with_token(&other);
    assert_eq!(narrow.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(narrow.get("/oauth/tokens").await.status, StatusCode::FORBIDDEN);
    assert_eq!(search(&world, &secret, "logs-a").await, passes());
    let admin = with("lead", "admin:tokens");
    assert_eq!(admin.get_or(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(search(&world, &secret, "logs-a").await, refused("managed_token_revoked"));
}

#[tokio::test]
async fn rotation_gives_a_new_secret_to_who_holds_as_much() {
    let world = start("").await;
    let wide = world.provider.token("read:logs-* read:metrics-*");
    let (old, id) = issued(&exchange(&world, &wide, &[]).await);
    let rotate = format!("/oauth/token/{id}/rotate");
    // A token that holds less does not get one that holds more, not even of its own subject.
    for token in [world.provider.token("read:logs-*"), world.provider.token("admin:tokens read:logs-*")] {
        let reply = world.anonymous().with_token(token).json(Method::POST, &rotate, &json!({})).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
        );
    }
    let owner = world.anonymous().with_token(&wide);
    let (new, new_id) = issued(&owner.json(Method::POST, &rotate, &json!({"overlap": 600})).await);
    for secret in [&old, &new] {
        assert_eq!(search(&world, secret, "metrics-a").await, passes());
    }
    let again = owner.json(Method::POST, &rotate, &json!({})).await;
    assert_eq!((again.status, &again.json()["error"]), (StatusCode::CONFLICT, &json!("conflict")));
    let shown = owner.get(&format!("/oauth/token/{new_id}")).await.json();
    assert_eq!(shown["rotated_from"], *id);
    // By itself, and at once.
    let itself = world.anonymous().with_token(&new);
    let rotated = itself.json(Method::POST, &format!("/oauth/token/{new_id}/rotate"), &json!({})).await;
    let (newest, newest_id) = issued(&rotated);
    let end = owner.get(&format!("/oauth/token/{newest_id}")).await.json()["expires_at"].clone();
    assert!(
        end.as_str().unwrap() <= shown["expires_at"].as_str().unwrap(),
        "by itself a token gets no more time: {end}, {shown}"
    );
    assert_eq!(search(&world, &new, "logs-a").await, refused("managed_token_revoked"));
    assert_eq!(search(&world, &newest, "logs-a").await, passes());
}

#[tokio::test]
async fn many_are_ended_at_once_after_a_look() {
    let world = start("").await;
    let token = world.provider.token("read:logs-* read:metrics-*");
    let mut secrets = Vec::new();
    for scope in ["read:logs-a", "read:logs-b", "read:metrics-a"] {
        secrets.push(issued(&exchange(&world, &token, &[("scope", scope)]).await));
    }
    let owner = world.anonymous().with_token(&token);
    let revoke = async |body: Value| owner.json(Method::POST, "/oauth/tokens/revoke", &body).await;
    for body in [
        json!({}),
        json!({"all": true, "scope": "read:logs-*"}),
        json!({"scopes": "x"}),
        json!({"dry_run": true}),
    ] {
        assert_eq!(revoke(body.clone()).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let tried = revoke(json!({"scope": "read:logs-*", "dry_run": true})).await.json();
    assert_eq!((&tried["matched"], &tried["revoked"]), (&json!(2), &json!(0)));
    assert_eq!(search(&world, &secrets[0].0, "logs-a").await, passes());
    let done = revoke(json!({"scope": "read:logs-*", "reason": "leaked"})).await.json();
    assert_eq!((&done["matched"], &done["revoked"]), (&json!(2), &json!(2)));
    let record = world.proxy.last_audit().await;
    assert_eq!(record["targets"].as_array().unwrap().len(), 2);
    for (secret, _) in &secrets[..2] {
        assert_eq!(search(&world, secret, "logs-a").await, refused("managed_token_revoked"));
    }
    assert_eq!(search(&world, &secrets[2].0, "metrics-a").await, passes());
    // Pages.
    let page = owner.get("/oauth/tokens?limit=2&sort=-created_at").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = owner.get(&format!("/oauth/tokens?limit=2&sort=-created_at&cursor={cursor}")).await.json();
    assert_eq!((page["tokens"].as_array().unwrap().len(), rest["tokens"].as_array().unwrap().len()), (2, 1));
    for query in
        ["limit=0", "limit=9999", "cursor=x", "sort=x", "status=x", "limit=1&limit=2", "access_token=x"]
    {
        assert_eq!(
            owner.get(&format!("/oauth/tokens?{query}")).await.status,
            StatusCode::BAD_REQUEST,
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_a_token_means_is_told_to_who_may_know() {
    let world = start("").await;
    let token = world.provider.token("read:logs-*");
    let (secret, id) = issued(&exchange(&world, &token, &[]).await);
    let owner = world.anonymous().with_token(&token);
    let ask = async |client: &Client, token: &str| {
        form(client, "/oauth/introspect", None, &[("token", token)]).await
    };
    let told = ask(&owner, &secret).await.json();
    assert_eq!(
        (&told["active"], &told["scope"], &told["client_id"], &told["jti"], &told["token_type"]),
        (&json!(true), &json!("read:logs-*"), &json!("tester"), &json!(id), &json!("Bearer"))
    );
    assert_eq!(ask(&owner, &token).await.json()["jti"], "token-1");
    let mallory = world.anonymous().with_token(world.provider.build_token().claim("sub", "mallory").sign());
    for token in [&secret, &token, "osat_nothing", "nothing"] {
        assert_eq!(ask(&mallory, token).await.json(), json!({"active": false}));
    }
    assert_eq!(ask(&world.client("monitor:tokens"), &secret).await.json()["active"], true);
    let reply = ask(&world.anonymous(), &secret).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
    owner.get_or(Method::DELETE, &format!("/oauth/token/{id}")).await;
    assert_eq!(ask(&owner, &secret).await.json(), json!({"active": false}));
}

#[tokio::test]
async fn a_token_for_one_cluster_rotates_none_that_counts_on_two() {
    let world = StandIns::start().await;
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let node = world.engine.url();
    let own = "identity: {signed_jwt: {private_key: signing.pem}}\n";
    let clusters = format!(
        "{own}    path_prefix: /one\n    audience: of-one\n  - name: two\n    nodes: [{node}]\n    path_prefix: /two\n    audience: of-two\n    {own}"
    );
    let config = config.replace(own, &clusters);
    let proxy = RunningProxy::start(ProxyFiles::new(), &format!("{config}{TOKENS}")).await;
    let world = StandIns { proxy, ..world };
    let token = |audiences: &[&str]| {
        let audiences = [&["opensearch-proxy"], audiences].concat();
        world.provider.build_token().claim("aud", audiences).claim("scope", "read:logs-*").sign()
    };
    let (both, one) = (token(&["of-one", "of-two"]), token(&["of-one"]));
    let (secret, id) = issued(&exchange(&world, &both, &[]).await);
    for cluster in ["one", "two"] {
        assert_eq!(search(&world, &secret, &format!("{cluster}/logs-a")).await, passes());
    }
    let rotate = async |token: &str| {
        let client = world.anonymous().with_token(token);
        client.json(Method::POST, &format!("/oauth/token/{id}/rotate"), &json!({})).await.status
    };
    assert_eq!(rotate(&one).await, StatusCode::FORBIDDEN);
    assert_eq!(rotate(&both).await, StatusCode::OK);
}
