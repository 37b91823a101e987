//! What a change of policies changes: `policy explain`, `simulate` and `diff`.

use serde_json::{Value, json};

use crate::program::Home;

const OLD: &str = r#"
@id("agents read logs")
permit(principal in Group::"agents", action in Action::"read", resource in Index::"logs-*");
@id("no personal data")
forbid(principal, action, resource in Index::"logs-pii-*");
"#;

/// A record of an allowed request of an agent, changed by `more`.
fn record(more: &Value) -> String {
    let mut record = json!({
        "event": "request", "timestamp": "2026-11-24T10:00:00.000000Z", "request_id": "r", "decision_id": "d", "decision": "allow",
        "client_id": "bot", "subject": "bot", "provider": "keycloak", "groups": ["agents"], "scopes": ["read:*"],
        "token_issued_at": "2026-11-24T09:00:00.000000Z", "action": "read", "operation": "search", "targets": ["logs-1"],
        "cluster": "main", "upstream": "engine", "method": "GET", "path": "/logs-1/_search", "outcome": "complete",
        "request_bytes": 0, "response_bytes": 0, "duration_us": 1, "http_version": "HTTP/2", "source": "10.1.2.3:4711",
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record.to_string() + "\n"
}

#[tokio::test]
async fn a_request_is_explained_by_the_policies_that_decide() {
    let home = Home::new();
    home.put("p.cedar", OLD);
    let bot = ["explain", "--agent", "bot", "--group", "agents"];
    let told = home.policy(&[&bot[..], &["GET", "/logs-1/_search", "p.cedar"]].concat()).await.ok();
    assert_eq!(
        told,
        "✅ Allowed: GET /logs-1/_search is search\n   ✅ read on logs-1: permitted by `agents read logs`\n"
    );
    let refused = |path: &'static str, part: &'static str| {
        let home = &home;
        async move {
            let run = home.policy(&[&bot[..], &["get", path, "p.cedar"]].concat()).await;
            assert!(run.out.contains(part), "{path}: {run:#?}");
            run.failed(1);
        }
    };
    refused("/logs-pii-1/_search", "an exception from `no personal data`").await;
    refused("/logs-1,other/_search", "✅ read on logs-1").await;
    refused("/other/_search", "a policy that permits read on other; or what `agents read logs` asks for")
        .await;
    refused("/_cluster/health", "a policy that permits monitor on cluster\n").await;
    let told = home.policy(&[&bot[..], &["GET", "/logs-1//_search", "p.cedar"]].concat()).await.failed(2);
    assert!(told.contains("the proxy refuses GET"), "{told}");
}

#[tokio::test]
async fn recorded_requests_are_asked_about_again() {
    let home = Home::new();
    home.put("p.cedar", OLD);
    let many: Vec<String> = vec!["… and 700 more".to_owned()];
    let trail = [
        record(&json!({})),
        record(&json!({"decision": "deny", "layer": "policy", "targets": ["logs-pii-1"]})),
        // By another layer, which says nothing of policies.
        record(&json!({"decision": "deny", "layer": "scope", "targets": ["metrics"]})),
        record(&json!({"targets": many})),
        // Neither a request for a cluster nor whole.
        record(&json!({"operation": "oauth.token.issue", "cluster": null})),
        "{\"event\":\"gap\",\"timestamp\":\"2026-11-24T10:00:00.000000Z\",\"missed_before\":3}\n{\"torn"
            .to_owned(),
    ];
    home.put("audit.jsonl", &trail.concat());
    let simulate = ["simulate", "--exit-code", "--audit", "audit.jsonl", "p.cedar"];
    let told = home.policy(&simulate).await.ok();
    assert!(told.starts_with("✅ 2 recorded requests are decided as they were\n"), "{told}");
    assert!(
        told.contains("1 was refused by another layer") && told.contains("1 record does not hold"),
        "{told}"
    );

    home.put("p.cedar", "@id(\"fresh\") permit(principal, action, resource) when { context.token_age < 60 };\n@id(\"pii\") permit(principal, action, resource in Index::\"logs-pii-*\");");
    let run = home.policy(&simulate).await;
    assert!(
        run.out
            .contains("🔒 becomes refused: agent bot, search on logs-1\n   no policy permits it; elsewhere"),
        "{run:#?}"
    );
    assert!(
        run.out.contains("🔓 becomes allowed: agent bot, search on logs-pii-1\n   permitted by `pii`"),
        "{run:#?}"
    );
    assert!(run.failed(1).contains("1 become refused, and 1 become allowed"));
    let value =
        home.policy(&["simulate", "--audit", "audit.jsonl", "p.cedar", "--output", "json"]).await.json();
    assert_eq!((&value["asked"], &value["incomplete"]), (&json!(2), &json!(1)));
    assert_eq!(value["differences"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn each_need_of_a_record_is_asked_about_by_its_own_action() {
    let home = Home::new();
    let reindex = json!({
        "operation": "reindex", "action": "write", "targets": ["logs-1", "copy"], "needs": ["read logs-1", "write copy"],
    });
    home.put("audit.jsonl", &record(&reindex));
    home.put("p.cedar", "permit(principal, action == Action::\"reindex\", resource in Index::\"copy\");\npermit(principal, action in Action::\"read\", resource in Index::\"logs-*\");");
    home.policy(&["simulate", "--exit-code", "--audit", "audit.jsonl", "p.cedar"]).await.ok();
    home.put("p.cedar", "permit(principal, action == Action::\"reindex\", resource);");
    let run = home.policy(&["simulate", "--exit-code", "--audit", "audit.jsonl", "p.cedar"]).await;
    assert!(run.out.contains("reindex on logs-1 (read), copy"), "{run:#?}");
    // With qualified names the same principal is another.
    home.put("p.cedar", "permit(principal == Agent::\"keycloak:bot\", action, resource);");
    home.policy(&["simulate", "--exit-code", "--qualified", "--audit", "audit.jsonl", "p.cedar"]).await.ok();
    home.policy(&["simulate", "--exit-code", "--audit", "audit.jsonl", "p.cedar"]).await.failed(1);
}

#[tokio::test]
async fn two_sets_are_compared_by_requests_that_are_made_up() {
    let home = Home::new();
    home.put("old/p.cedar", OLD);
    home.put("same/p.cedar", &format!("// Other words, the same policies.{OLD}"));
    let told = home.policy(&["diff", "--exit-code", "old", "same"]).await.ok();
    assert!(told.starts_with("✅ nothing that was asked is decided otherwise\n"), "{told}");

    let table = [
        // What is added, what is taken away, by pattern, group, operation and cluster.
        (
            "@id(\"x\") permit(principal == User::\"ann\", action == Action::\"count\", resource in Index::\"metrics-*\");",
            "🔓",
            "user ann, count on metrics-another",
        ),
        (
            "@id(\"x\") forbid(principal in Group::\"agents\", action == Action::\"msearch\", resource);",
            "🔒",
            "agent one of agents, msearch on logs-another",
        ),
        (
            "@id(\"x\") forbid(principal, action, resource in Index::\"logs-old-*\");",
            "🔒",
            "search on logs-old-another",
        ),
        (
            "@id(\"x\") permit(principal, action in Action::\"monitor\", resource in Cluster::\"main\");",
            "🔓",
            "user another, cluster.health on cluster",
        ),
    ];
    for (policy, mark, part) in table {
        home.put("new/p.cedar", &format!("{OLD}{policy}"));
        let run = home.policy(&["diff", "--exit-code", "old", "new", "--output", "json"]).await;
        let value: Value = serde_json::from_str(&run.out).unwrap();
        let now = if mark == "🔓" { "allow" } else { "deny" };
        let (who, rest) = part.split_once(", ").unwrap_or(("", part));
        let (operation, on) = rest.split_once(" on ").unwrap();
        let found = value["differences"].as_array().unwrap().iter().any(|difference| {
            difference["decision"] == now
                && (who.is_empty() || difference["who"] == who)
                && (operation == "search"
                    || operation == "cluster.health"
                    || difference["operation"] == operation)
                && difference["on"].to_string().contains(on)
        });
        assert!(found, "{policy}: {part}: {value}");
        run.failed(1);
    }
    // Recorded requests count, too; a fault is told as by `check`.
    home.put("audit.jsonl", &record(&json!({"targets": ["logs-2"]})));
    home.put("new/p.cedar", "permit(principal, action, resource) when { context.source.isLoopback() };");
    let run = home
        .policy(&["diff", "--audit", "audit.jsonl", "old/p.cedar", "new/p.cedar", "--output", "json"])
        .await;
    let value = run.json();
    assert_eq!(value["recorded"], 1);
    let differs = |on: &str| {
        value["differences"].as_array().unwrap().iter().any(|one| one["on"].to_string().contains(on))
    };
    assert!(differs("logs-2"), "{value}");
    home.put("new/p.cedar", "permit(principal, action == Action::\"serach\", resource);");
    assert!(home.policy(&["diff", "old", "new"]).await.failed(1).contains("fault"));
}
