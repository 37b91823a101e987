//! "Why was I refused?": each refusal can be explained, layer by layer, to whom it concerns and to nobody else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use e2e::{
    Client, ProxyFiles, Reply, RunningProxy, StandInEngine, StandInProvider, StandIns, stand_in_config,
};
use http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

const CONFIG: &str = "\
mappings:
  - {group: sre, grant: {scopes: ['read:secret*'], roles: [secrets]}}
  - {claim: {path: team.name, equals: search}, grant: {scopes: ['read:team-*']}}
  - {scope: 'logs.reader', grant: {scopes: ['read:logs-*'], roles: [logs]}}
policies:
  files: [p.cedar]
decisions: {contact: '#search-help'}
";

const POLICIES: &str = r#"
@id("all but people")
permit(principal, action, resource) unless { context.cluster == "nowhere" };
@id("nobody sees people")
forbid(principal, action, resource in Index::"logs-pii-*");
"#;

async fn world(config: &str) -> StandIns {
    let (provider, engine) = (StandInProvider::start().await, StandInEngine::start().await);
    let files = ProxyFiles::new();
    files.write("p.cedar", POLICIES);
    let text = stand_in_config(&files, &provider, &[&engine.url()]);
    let proxy = RunningProxy::start(files, &format!("{text}{config}")).await;
    StandIns { provider, engine, proxy }
}

fn caller(world: &StandIns, subject: &str, scope: &str) -> Client {
    let token = world.provider.build_token().claim("sub", subject).claim("scope", scope);
    world.anonymous().with_token(token.claim("team", json!({"name": "serach", "secret": "x"})).sign())
}

fn decision_of(reply: &Reply) -> String {
    reply.header("x-decision-id").to_owned()
}

async fn explained(client: &Client, id: &str) -> Value {
    let reply = client.get(&format!("/oauth/decisions/{id}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named_with_all_that_led_there() {
    let world = world(CONFIG).await;
    let client = caller(&world, "ann", "logs.reader openid");
    let reply = client.get("/logs-1,secret-1/_search").await;
    assert_eq!(reply.code(), "insufficient_scope");
    let id = decision_of(&reply);
    let told = explained(&client, &id).await;
    assert_eq!(told["decision_id"], id.as_str());
    assert_eq!(
        (&told["layer"], &told["reason"], &told["status"]),
        (&json!("scope"), &json!("insufficient_scope"), &json!(403))
    );
    assert_eq!(told["request"]["path"], "/logs-1,secret-1/_search");
    assert_eq!(told["request"]["operation"], "search");
    assert_eq!((&told["token"]["kind"], &told["token"]["subject"]), (&json!("provider"), &json!("ann")));
    assert_eq!(told["scopes"], json!({"token": ["logs.reader", "openid"], "held": ["read:logs-*"]}));
    let because = "the path names it";
    let needs = json!([
        {"action": "read", "on": "logs-1", "because": because, "allowed_by": "read:logs-*"},
        {"action": "read", "on": "secret-1", "because": because, "would_allow": "read:secret-1"},
    ]);
    assert_eq!(told["needs"], needs);
    assert_eq!(
        told["mappings"],
        json!([{"when": "scope logs.reader", "scopes": ["read:logs-*"], "roles": ["logs"]}])
    );
    // What mappings ask for, so that a slip shows, and nothing else of the token.
    assert_eq!(told["claims"], json!({"groups": [], "team.name": ["serach"]}));
    assert_eq!(told["contact"], "#search-help");
    let cures = told["would_allow"].as_array().unwrap();
    assert_eq!(cures.len(), 1, "what mappings would grant to others is for operators: {cures:?}");
    assert!(cures[0]["what"].as_str().unwrap().contains("the scope read:secret-1"), "{cures:?}");
    assert_eq!(told.get("engine"), None);

    let operator = caller(&world, "boss", "monitor:decisions");
    let told = explained(&operator, &id).await;
    let cures = told["would_allow"].to_string();
    assert!(cures.contains("the mapping for `group sre`") && cures.contains("read:secret*"), "{cures}");
    assert_eq!(world.engine.seen().len(), 0, "nothing of it troubles the engine");
}

#[tokio::test]
async fn decisions_are_told_to_whom_they_concern_only() {
    let world = world(CONFIG).await;
    let ann = caller(&world, "ann", "logs.reader");
    let id = decision_of(&ann.get("/secret/_search").await);
    // The same subject with another token.
    explained(&caller(&world, "ann", "read:other"), &id).await;
    let path = |id: &str| format!("/oauth/decisions/{id}");
    // An id of this proxy that was never given out.
    let unknown = format!("{}{}{}", &id[..24], "00000000", &id[32..]);
    let foreign = caller(&world, "bob", "admin:* admin:cluster").get(&path(&id)).await;
    let missing = ann.get(&path(&unknown)).await;
    let malformed = ann.get(&path("nothing")).await;
    assert_eq!((foreign.status, foreign.text()), (missing.status, missing.text()));
    assert_eq!((foreign.status, foreign.text()), (malformed.status, malformed.text()));
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    // Of another process, whoever asks.
    let elsewhere = format!("{}{}", &id[..32], if id.ends_with("0000") { "1111" } else { "0000" });
    for client in [&ann, &caller(&world, "boss", "monitor:decisions")] {
        let reply = client.get(&path(&elsewhere)).await;
        assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST, "{}", reply.text());
        assert!(reply.text().contains("another proxy"), "{}", reply.text());
    }
    assert_eq!(world.anonymous().get(&path(&id)).await.status, StatusCode::UNAUTHORIZED);
    let reply = ann.send(Method::DELETE, &path(&id), &[], Bytes::new()).await;
    assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET"));
    assert_eq!(ann.get(&format!("{}?x=1", path(&id))).await.status, StatusCode::BAD_REQUEST);
    // Who asked for which is in the trail.
    let record = world.proxy.audit().await.into_iter().rfind(|record| record["subject"] == "bob").unwrap();
    assert_eq!((&record["operation"], &record["targets"]), (&json!("oauth.decisions.show"), &json!([id])));
}

#[tokio::test]
async fn policies_and_bodies_are_explained() {
    let world = world(CONFIG).await;
    let client = caller(&world, "ann", "logs.reader");
    let body = "{\"index\":\"logs-1\"}\n{}\n{\"index\":\"logs-pii-1\"}\n{}\n";
    let headers = [("content-type", "application/x-ndjson")];
    let reply = client.send(Method::POST, "/_msearch", &headers, Bytes::from_static(body.as_bytes())).await;
    assert_eq!(reply.code(), "forbidden_by_policy");
    let told = explained(&client, &decision_of(&reply)).await;
    assert_eq!(told["layer"], "policy");
    assert_eq!(told["policies"]["forbidden_by"], json!(["nobody sees people"]));
    assert_eq!(told["policies"]["permitted_by"], json!(["all but people"]));
    assert_eq!(told["policies"]["refused"], "read on logs-pii-1");
    let needs = told["needs"].to_string();
    assert!(needs.contains("\"logs-1\"") && needs.contains("the body names it"), "{needs}");
    assert!(told["would_allow"].to_string().contains("an exception from `nobody sees people`"));
}

#[tokio::test]
async fn the_engines_own_words_are_kept() {
    let world = world(CONFIG).await;
    let reason = "no permissions for [indices:data/read/search] and User [name=tester, backend_roles=[logs]]";
    let refusal =
        json!({"error": {"root_cause": [], "type": "security_exception", "reason": reason}, "status": 403});
    world.engine.answer("/logs-closed/_search", move |_| {
        let mut response = http::Response::new(Full::from(refusal.to_string()));
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    let client = caller(&world, "ann", "logs.reader");
    let reply = client.get("/logs-closed/_search").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.text().contains(reason), "the client reads the engine's words");
    let id = decision_of(&reply);
    let told = explained(&client, &id).await;
    assert_eq!((&told["decision"], &told["layer"]), (&json!("allow"), &json!("engine")));
    assert_eq!((&told["engine"]["status"], &told["engine"]["message"]), (&json!(403), &json!(reason)));
    let record =
        world.proxy.audit().await.into_iter().find(|record| record["decision_id"] == id.as_str()).unwrap();
    assert_eq!(told["engine"]["user"], record["engine_identity"]["user"]);
    assert_eq!(told["scopes"]["permitted_by"], json!(["read:logs-*"]));
    let cure = told["would_allow"][0]["what"].as_str().unwrap();
    assert!(cure.contains("indices:data/read/search for read on logs-closed"), "{cure}");
    assert_eq!(told["engine"].get("node"), None, "nodes are for operators");
    let told = explained(&caller(&world, "boss", "monitor:decisions"), &id).await;
    assert_eq!(told["engine"]["node"], record["node"]);
}

#[tokio::test]
async fn who_is_not_known_is_explained_to_operators() {
    let world = world(CONFIG).await;
    let expired = world.provider.build_token().claim("sub", "ann").claim("exp", 1_000_000_000).sign();
    let reply = world.anonymous().with_token(expired).get("/logs-1/_search").await;
    assert_eq!(reply.code(), "expired");
    let id = decision_of(&reply);
    let ann = caller(&world, "ann", "logs.reader");
    assert_eq!(ann.get(&format!("/oauth/decisions/{id}")).await.status, StatusCode::NOT_FOUND);
    let told = explained(&caller(&world, "boss", "monitor:decisions"), &id).await;
    assert_eq!((&told["layer"], told.get("token")), (&json!("token"), None));
    assert!(told["would_allow"].to_string().contains("a token that is accepted here"));
}

#[tokio::test]
async fn what_is_kept_and_where_it_is_told_is_configured() {
    let kept = world(CONFIG).await;
    let ann = caller(&kept, "ann", "logs.reader");
    let reply = ann.get("/logs-1/_search").await;
    assert_eq!(reply.status, StatusCode::OK);
    let allowed = kept.proxy.last_audit().await["decision_id"].as_str().unwrap().to_owned();
    assert_eq!(ann.get(&format!("/oauth/decisions/{allowed}")).await.status, StatusCode::NOT_FOUND);
    let refused = decision_of(&ann.get("/secret/_search").await);
    let admin = format!("/decisions/{refused}");
    assert_eq!(kept.proxy.admin(&admin).await.status, StatusCode::NOT_FOUND, "off unless configured");

    let files = std::fs::read_to_string(kept.proxy.config_path()).unwrap();
    kept.proxy.rewrite_config(&files.replace("decisions: {", "decisions: {allowed: true, admin: true, "));
    kept.proxy.reloader().try_reload().await.unwrap();
    let told: Value = kept.proxy.admin(&admin).await.json();
    assert_eq!(told["decision_id"], refused.as_str(), "a reload forgets nothing");
    ann.get("/logs-1/_search").await;
    let allowed = kept.proxy.last_audit().await["decision_id"].as_str().unwrap().to_owned();
    let told = explained(&ann, &allowed).await;
    assert_eq!((&told["decision"], told.get("would_allow")), (&json!("allow"), None));
    assert_eq!(told["policies"]["permitted_by"], json!(["all but people"]));

    kept.proxy.rewrite_config(files.split("decisions:").next().unwrap());
    kept.proxy.reloader().try_reload().await.unwrap();
    assert_eq!(kept.proxy.admin(&admin).await.status, StatusCode::NOT_FOUND);
    let passed = ann.get(&format!("/oauth/decisions/{refused}")).await;
    assert_eq!(passed.code(), "unknown_operation", "the path is the cluster's again");
}

#[tokio::test]
async fn the_trail_holds_what_policies_are_asked_by() {
    let world = world(CONFIG).await;
    let token = world.provider.build_token().claim("sub", "ann").claim("scope", "read:logs-* write:logs-*");
    let token =
        token.claim("groups", json!(["agents"])).claim("acr", "mfa").claim("iat", 1_700_000_000).sign();
    let body = json!({"source": {"index": "logs-1"}, "dest": {"index": "logs-2"}}).to_string();
    let headers = [("content-type", "application/json")];
    let client = world.anonymous().with_token(token);
    client.send(Method::POST, "/_reindex", &headers, Bytes::from(body)).await;
    let record = world.proxy.last_audit().await;
    assert_eq!((&record["groups"], &record["acr"]), (&json!(["agents"]), &json!("mfa")));
    assert_eq!(record["token_issued_at"], "2023-11-14T22:13:20.000000Z");
    let mut needs: Vec<_> =
        record["needs"].as_array().unwrap().iter().map(|need| need.as_str().unwrap()).collect();
    needs.sort_unstable();
    assert_eq!(needs, ["read logs-1", "write logs-2"]);
    let body = json!({"source": {"index": "logs-pii-1"}, "dest": {"index": "logs-2"}}).to_string();
    client.send(Method::POST, "/_reindex", &headers, Bytes::from(body)).await;
    let needs = world.proxy.last_audit().await["needs"].to_string();
    assert!(needs.contains("read logs-pii-1"), "what was refused is there, too: {needs}");
    client.get("/secret/_search").await;
    let record = world.proxy.last_audit().await;
    assert_eq!((&record["needed_scope"], record.get("needs")), (&json!("read:secret"), None));
}

/// What `opensearch-auth policy simulate` finds in the trail so far, about the policies in this file.
async fn simulated(world: &StandIns, policies: &str) -> (bool, Value) {
    world.proxy.audit().await;
    let files = world.proxy.files();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_opensearch-auth-under-test"))
        .args(["policy", "simulate", "--exit-code", "--output", "json", "--audit"])
        .args([files.path("audit.log"), files.path(policies)])
        .output()
        .await
        .unwrap();
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_trail_is_decided_again_as_it_was() {
    let world = world(CONFIG).await;
    let client = caller(&world, "ann", "logs.reader write:logs-* read:* monitor:cluster");
    let json = [("content-type", "application/json")];
    let lines = [("content-type", "application/x-ndjson")];
    let bulk =
        "{\"index\":{\"_index\":\"logs-2\"}}\n{}\n{\"delete\":{\"_index\":\"logs-pii-1\",\"_id\":\"1\"}}\n";
    let reindex = json!({"source": {"index": "logs-pii-1"}, "dest": {"index": "logs-2"}}).to_string();
    for path in ["/logs-1/_search", "/logs-pii-1/_search", "/logs-*/_search", "/_cluster/health", "/"] {
        client.get(path).await;
    }
    client.send(Method::POST, "/_bulk", &lines, Bytes::from_static(bulk.as_bytes())).await;
    client.send(Method::POST, "/_reindex", &json, Bytes::from(reindex)).await;
    caller(&world, "bob", "").get("/logs-1/_search").await;
    let (same, found) = simulated(&world, "p.cedar").await;
    assert!(same, "{found}");
    assert_eq!((&found["asked"], &found["refused_elsewhere"]), (&json!(7), &json!(1)));

    world.proxy.files().write("open.cedar", "permit(principal, action, resource);");
    let (same, found) = simulated(&world, "open.cedar").await;
    assert!(!same);
    let mut operations: Vec<_> = found["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["operation"].as_str().unwrap())
        .collect();
    operations.sort_unstable();
    assert_eq!(operations, ["bulk", "reindex", "search", "search"], "{found}");
}

#[tokio::test]
async fn a_managed_token_is_told_about_itself_only() {
    let world = world(&format!("{CONFIG}tokens: {{store: {{embedded: {{path: tokens.db}}}}}}\n")).await;
    let own = world.provider.build_token().claim("sub", "ann").claim("scope", "logs.reader").sign();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
        .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
        .append_pair("subject_token", &own)
        .append_pair("scope", "read:logs-1")
        .finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let issued = world.anonymous().send(Method::POST, "/oauth/token", &headers, Bytes::from(form)).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text());
    let managed = world.anonymous().with_token(issued.json()["access_token"].as_str().unwrap());
    let ann = world.anonymous().with_token(own);

    let of_managed = decision_of(&managed.get("/logs-2/_search").await);
    let told = explained(&managed, &of_managed).await;
    assert_eq!(
        (&told["token"]["kind"], &told["token"]["id"]),
        (&json!("managed"), &issued.json()["token_id"])
    );
    assert_eq!(told["scopes"]["held"], json!(["read:logs-1"]));
    let cure = told["would_allow"][0]["ask"].as_str().unwrap();
    assert!(cure.contains("for a new token with that scope"), "{cure}");
    // Whoever had it made sees what became of it; it does not see what they do otherwise.
    explained(&ann, &of_managed).await;
    let of_ann = decision_of(&ann.get("/secret/_search").await);
    assert_eq!(managed.get(&format!("/oauth/decisions/{of_ann}")).await.status, StatusCode::NOT_FOUND);
    // The service's own refusals are explained, too.
    let refused = decision_of(&ann.get("/oauth/revocations").await);
    let told = explained(&ann, &refused).await;
    assert_eq!(
        (&told["layer"], &told["request"]["operation"]),
        (&json!("scope"), &json!("oauth.revocations.list"))
    );
    assert!(told["would_allow"][0]["what"].as_str().unwrap().contains("monitor:tokens"), "{told}");
}
