//! Rate limits: by what a verified token says, all rules together, told to the client, and not to be had anew.
//!
//! No test waits: budgets come back so slowly that none does while a test runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails with its reason")]

use bytes::Bytes;
use e2e::{Client, Reply, StandIns};
use http::{Method, StatusCode};

/// `rules` in the flow form of YAML.
async fn world(rules: &str) -> StandIns {
    StandIns::start_with(&format!("rate_limits: {{rules: [{rules}]}}\n")).await
}

/// A client with a token of this client's own.
fn client(world: &StandIns, id: &str) -> Client {
    let token = world.provider.build_token().claim("client_id", id).claim("scope", "read:* write:*");
    world.anonymous().with_token(token.sign())
}

async fn search(client: &Client) -> Reply {
    client.get("/logs-a/_search").await
}

async fn write(client: &Client) -> StatusCode {
    client.json(Method::POST, "/logs-a/_doc", &serde_json::json!({"a": 1})).await.status
}

/// What is left under each rule that applies.
fn left(answer: &Reply) -> String {
    let items = answer.header("ratelimit").split(", ").filter(|item| !item.is_empty());
    let left = items.map(|item| {
        let (left, window) = item.split_once(";t=").unwrap();
        assert!(window.parse::<u64>().unwrap() > 0, "{item}");
        left
    });
    left.collect::<Vec<_>>().join(", ")
}

/// Whether the answer asks for a pause of so many hours, less what has passed of them.
fn waits_hours(answer: &Reply, hours: u64) -> bool {
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    seconds <= hours * 3600 && seconds > (hours - 1) * 3600
}

/// How many of so many searches are let through.
async fn let_through(client: &Client, requests: usize) -> usize {
    let mut let_through = 0;
    for _ in 0..requests {
        match search(client).await.status {
            StatusCode::OK => let_through += 1,
            status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    let_through
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_and_does_not_reach_the_engine() {
    let world = world("{name: searches, per: [client], requests: 24, every: 1d, burst: 3}").await;
    let eager = client(&world, "eager");
    for units in [2, 1, 0] {
        let answer = search(&eager).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("ratelimit-policy"), "\"searches\";q=3;w=10800");
        assert_eq!(left(&answer), format!("\"searches\";r={units}"));
        assert_eq!(answer.header("retry-after"), "");
    }
    let refused = search(&eager).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(left(&refused), "\"searches\";r=0");
    assert!(waits_hours(&refused, 1));
    assert_eq!(refused.code(), "rate_limited");
    let decision = refused.header("x-decision-id").to_owned();
    assert_eq!(refused.json()["error"]["decision_id"], decision);
    assert_eq!(world.engine.seen().len(), 3);

    let record = world.proxy.last_audit().await;
    assert_eq!(record["layer"], "rate_limit", "{record}");
    assert_eq!(record["reason"], "rate_limited");
    assert_eq!(record["decision"], "deny");
    assert_eq!(record["decision_id"], decision);
    assert_eq!(record["client_id"], "eager");
    assert!(record["detail"].as_str().unwrap().contains("`searches`"), "{record}");
    assert_eq!(world.proxy.metric("rate_limited_total{rule=\"searches\"}").await, Some(1.0));
    assert_eq!(world.proxy.metric("rate_limit_identities{rule=\"searches\"}").await, Some(1.0));

    assert_eq!(let_through(&client(&world, "other"), 4).await, 3, "another has a budget of its own");
}

#[tokio::test]
async fn what_is_not_verified_neither_spends_nor_escapes() {
    let world = world("{name: searches, per: [client], requests: 1, every: 1d, burst: 2}").await;
    let forged = format!("{}x", world.provider.build_token().claim("client_id", "eager").sign());
    for _ in 0..5 {
        assert_eq!(search(&world.anonymous()).await.status, StatusCode::UNAUTHORIZED);
        let answer = search(&world.anonymous().with_token(forged.clone())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(left(&answer), "");
    }
    // Fresh tokens, connections and protocols are the same client.
    let mut let_through = 0;
    for fresh in 0..4 {
        let token = world.provider.build_token().claim("client_id", "eager").claim("scope", "read:*");
        let token = token.claim("jti", format!("fresh-{fresh}")).sign();
        let client = match fresh % 2 {
            0 => world.anonymous(),
            _ => Client::http2(world.proxy.address, &world.proxy.ca()),
        };
        let headers = [("x-forwarded-for", "192.0.2.1"), ("x-real-ip", "192.0.2.1")];
        let client = client.with_token(token);
        let answer = client.send(Method::GET, "/logs-a/_search", &headers, Bytes::new()).await;
        let_through += usize::from(answer.status == StatusCode::OK);
    }
    assert_eq!(let_through, 2);
}

#[tokio::test]
async fn each_rule_tells_apart_what_it_says() {
    let mut token = 0;
    let mut one = |world: &StandIns, client: &str, person: Option<&str>| {
        token += 1;
        let mut claims = world.provider.build_token().claim("client_id", client).claim("scope", "read:*");
        claims = claims.claim("jti", format!("token-{token}"));
        claims = match person {
            Some(person) => claims.claim("sub", person).claim("preferred_username", person),
            None => claims.claim("sub", client),
        };
        world.anonymous().with_token(claims.sign())
    };
    // For each rule: of clients `a` and `b`, each for `alice`, `bob` and itself, with one token each, how many are let through.
    for (per, expected) in [
        ("[]", 1),
        ("[cluster]", 1),
        ("[action]", 1),
        ("[client]", 2),
        // For themselves, no person is there to be counted.
        ("[user]", 4),
        ("[client, user]", 6),
        ("[token]", 6),
    ] {
        let world = world(&format!("{{name: rule, per: {per}, requests: 1, every: 1d}}")).await;
        let mut let_through = 0;
        for client in ["a", "b"] {
            for person in [Some("alice"), Some("bob"), None] {
                let_through +=
                    usize::from(search(&one(&world, client, person)).await.status == StatusCode::OK);
            }
        }
        assert_eq!(let_through, expected, "{per}");
    }
}

#[tokio::test]
async fn rules_count_what_they_are_for_and_a_refused_request_costs_nothing() {
    let world = world(
        "{name: writes, per: [client], actions: [write], requests: 1, every: 1d, burst: 10, weights: {bulk: 4}}, \
         {name: all, per: [client], requests: 1, every: 1d, burst: 4}, \
         {name: named, per: [client], clients: [watched], requests: 1, every: 1d}, \
         {name: elsewhere, per: [], clusters: [main], actions: [admin], requests: 1, every: 1d}",
    )
    .await;
    let one = client(&world, "one");
    let bulk = Bytes::from("{\"index\":{\"_index\":\"logs-a\"}}\n{\"a\":1}\n");
    let bulk = async || {
        let headers = [("content-type", "application/x-ndjson")];
        one.send(Method::POST, "/_bulk", &headers, bulk.clone()).await
    };
    let answer = bulk().await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("ratelimit-policy"), "\"writes\";q=10;w=864000, \"all\";q=4;w=345600");
    assert_eq!(left(&answer), "\"writes\";r=6, \"all\";r=3");
    assert_eq!(bulk().await.status, StatusCode::OK);
    // Two units of `writes` are left, and a bulk counts for four: refused, and `all` is as it was.
    let refused = bulk().await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(waits_hours(&refused, 48));
    assert_eq!(left(&refused), "\"writes\";r=2, \"all\";r=2");
    let read = search(&one).await;
    assert_eq!(read.header("ratelimit-policy"), "\"all\";q=4;w=345600");
    assert_eq!(left(&read), "\"all\";r=1");
    assert_eq!(write(&one).await, StatusCode::OK);
    assert_eq!(write(&one).await, StatusCode::TOO_MANY_REQUESTS, "`all` is spent");
    assert_eq!(let_through(&client(&world, "watched"), 3).await, 1);
}

#[tokio::test]
async fn a_request_that_is_refused_for_another_reason_counts_too() {
    let world = world("{name: rule, per: [client], requests: 1, every: 1d, burst: 2}").await;
    let narrow = world.client("read:logs-*");
    let answer = narrow.get("/metrics-a/_search").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(left(&answer), "\"rule\";r=1");
    assert_eq!(narrow.get("/_no/such/operation").await.status, StatusCode::FORBIDDEN);
    assert_eq!(narrow.get("/metrics-a/_search").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn requests_at_the_same_moment_do_not_get_more() {
    let rules = "{name: one, per: [client], requests: 1, every: 1d, burst: 20}, \
                 {name: two, per: [cluster], requests: 1, every: 1d, burst: 30}";
    let world = world(rules).await;
    let asked = (0..60).map(|index| {
        let client = client(&world, if index % 2 == 0 { "even" } else { "odd" });
        tokio::spawn(async move { search(&client).await.status })
    });
    let mut let_through = 0;
    for answer in asked.collect::<Vec<_>>() {
        let_through += usize::from(answer.await.unwrap() == StatusCode::OK);
    }
    assert_eq!(let_through, 30, "the cluster's rule, of which neither client may have more than 20");
    assert_eq!(world.engine.seen().len(), 30);
}

#[tokio::test]
async fn a_replica_lets_its_share_through() {
    let rules = "rate_limits: {replicas: 3, rules: [{name: rule, per: [client], requests: 9, every: 1d}]}\n";
    let world = StandIns::start_with(rules).await;
    assert_eq!(let_through(&client(&world, "one"), 9).await, 3);
}

#[tokio::test]
async fn a_reload_gives_nothing_anew_under_a_rule_that_stays() {
    let world = world(
        "{name: stays, per: [client], requests: 1, every: 1d, burst: 2}, \
         {name: changes, per: [client], requests: 1, every: 1d, burst: 2}",
    )
    .await;
    let one = client(&world, "one");
    assert_eq!(let_through(&one, 3).await, 2);
    let config = std::fs::read_to_string(world.proxy.config_path()).unwrap();
    let changed = config
        .replace("{name: changes, per: [client], requests: 1", "{name: changes, per: [client], requests: 2");
    assert_ne!(changed, config);
    world.proxy.rewrite_config(&changed);
    world.proxy.reloader().try_reload().await.unwrap();
    let answer = search(&one).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(left(&answer), "\"stays\";r=0, \"changes\";r=2");

    world.proxy.rewrite_config(changed.split("rate_limits:").next().unwrap());
    world.proxy.reloader().try_reload().await.unwrap();
    let answer = search(&one).await;
    assert_eq!((answer.status, answer.header("ratelimit")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn after_many_refused_tokens_of_an_address_others_are_not_verified() {
    let limit = "rate_limits: {failed_authentications: {failures: 24, every: 1d, burst: 3}}\n\
                 tokens:\n  store: {embedded: {path: tokens.redb}}\n";
    let world = StandIns::start_with(limit).await;
    let known = world.client("read:logs-*");
    assert_eq!(search(&known).await.status, StatusCode::OK);
    let unknown = world.anonymous().with_token(world.provider.build_token().claim("jti", "new").sign());
    // Neither a request without a token nor a client that may not do something is a token refused.
    for _ in 0..5 {
        assert_eq!(search(&world.anonymous()).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(known.get("/metrics-a/_search").await.status, StatusCode::FORBIDDEN);
    }
    let forged =
        |index: usize| world.anonymous().with_token(format!("{}{index}", world.provider.token("read:*")));
    assert_eq!(search(&forged(1)).await.status, StatusCode::UNAUTHORIZED);
    let managed = world.anonymous().with_token("osat_nothing");
    assert_eq!(search(&managed).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(forged(2).get("/oauth/tokens").await.status, StatusCode::UNAUTHORIZED);

    for client in [&forged(3), &unknown, &managed] {
        let refused = search(client).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.code(), "too_many_failures");
        assert!(waits_hours(&refused, 1));
        assert_eq!(refused.header("www-authenticate"), "");
    }
    assert_eq!(unknown.get("/oauth/tokens").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(search(&known).await.status, StatusCode::OK, "who is known already goes on");
    let record =
        world.proxy.audit().await.iter().rev().find(|record| record["status"] == 429).cloned().unwrap();
    assert_eq!((&record["layer"], &record["reason"]), (&"token".into(), &"too_many_failures".into()));
}
