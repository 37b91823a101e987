//! What a line says, and what no client can make it say.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use audit::{Caller, Claimed, Decision, EngineIdentity, Outcome, Record};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{file, lines, open, record};

fn docs(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../docs", name].iter().collect();
    fs::read_to_string(path).unwrap()
}

async fn written(records: impl IntoIterator<Item = Record>) -> Vec<Value> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, writer) = open(file(&path));
    for record in records {
        log.write(record).await;
    }
    drop(log);
    writer.join().unwrap();
    lines(&path)
}

fn caller(claimed: &Claimed<'_, &str>) -> Arc<Caller> {
    Arc::new(Caller::new(claimed))
}

/// A record with everything in it.
fn full() -> Record {
    let text = |text: &str| Some(text.to_owned());
    Record {
        decision: Decision::Allow,
        outcome: Outcome::Complete,
        layer: Some("scope".into()),
        reason: Some("not_permitted".into()),
        detail: text("the token does not permit write on logs-a"),
        needed_scope: text("write:logs-a"),
        permitted_by: vec!["read:logs-*".into()],
        policies: vec!["agents read logs".into()],
        policy_would_deny: text("read on pii is forbidden by `no pii`"),
        client_id: text("agent"),
        caller: Some(caller(&Claimed {
            user_id: Some("ada"),
            subject: "248289761001",
            issuer: "https://login.example.org/",
            provider: "corporate",
            token_id: Some("f2c4"),
            scopes: &["read:logs-*", "monitor:cluster"],
            groups: &["agents"],
            acr: Some("mfa"),
            token_issued_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        })),
        action: Some("read".into()),
        operation: Some("search".into()),
        targets: vec!["logs-a".into()],
        needs: vec!["read logs-a".into()],
        cluster: Some("main".into()),
        upstream: Some("engine".into()),
        engine_identity: Some(EngineIdentity {
            kind: "signed_jwt".into(),
            user: "ada".into(),
            roles: ["logs_reader".into()].into(),
        }),
        status: Some(200),
        engine_status: Some(200),
        node: text("https://node-1.example.org:9200"),
        request_bytes: 12,
        response_bytes: 3456,
        duration_us: 7890,
        upstream_us: Some(7000),
        source: Some("[2001:db8::1]:40312".parse().unwrap()),
        tls: Some("TLSv1.3".into()),
        http_version: "HTTP/2".into(),
        trace_id: text("4bf92f3577b34da6a3ce929d0e0e4736"),
        ..record("0193f0e2")
    }
}

#[tokio::test]
async fn lines_keep_to_the_published_schema() {
    let schema: Value = serde_json::from_str(&docs("audit-record.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let gap = serde_json::json!({
        "event": "gap", "timestamp": "2031-05-04T03:02:01.000000Z", "missed_before": 3
    });
    for line in written([full(), record("least")]).await.into_iter().chain([gap]) {
        let errors: Vec<_> = validator.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert!(!validator.is_valid(&serde_json::json!({ "event": "request" })));
}

#[tokio::test]
async fn schema_and_guide_name_every_field() {
    let schema: Value = serde_json::from_str(&docs("audit-record.schema.json")).unwrap();
    let guide = docs("audit.md");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let line = written([full()]).await.remove(0);
    let described = keys(&schema["$defs"]["request"]["properties"]);
    let mut present = keys(&line);
    present.insert("missed_before".to_owned());
    assert_eq!(described, present);
    let roles = keys(&line["engine_identity"]);
    assert_eq!(keys(&schema["$defs"]["engine_identity"]["properties"]), roles);
    for field in present {
        assert!(guide.contains(&format!("| `{field}` |")), "docs/audit.md does not describe `{field}`");
    }
}

#[tokio::test]
async fn a_record_cannot_hold_another() {
    let forged = "x\"}\n{\"event\":\"request\",\"decision\":\"allow\"}\r\n\0\u{2028}\u{85}\u{1b}[2J";
    let mut record = Record::begin(forged, forged, forged);
    for field in [&mut record.client_id, &mut record.detail, &mut record.node] {
        *field = Some(forged.to_owned());
    }
    let forgery = Claimed { user_id: Some(forged), subject: forged, scopes: &[forged], ..Claimed::default() };
    record.caller = Some(caller(&forgery));
    record.targets = vec![forged.to_owned()];
    let lines = written([record]).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["decision"], "error");
    for field in ["client_id", "user_id", "subject"] {
        assert_eq!(lines[0][field], forged);
    }
    assert_eq!(lines[0]["scopes"][0], forged);
}

#[tokio::test]
async fn no_query_is_written_and_everything_is_bounded() {
    let secret = "c2VjcmV0";
    for path in [format!("/logs/_search?token={secret}"), format!("/logs/_search#{secret}")] {
        let lines = written([Record::begin("1", "GET", path)]).await;
        assert_eq!(lines[0]["path"], "/logs/_search");
    }
    let long = "é".repeat(100_000);
    let mut record = Record::begin(&long, &long, &long);
    let scopes = [long.as_str(), long.as_str()];
    record.caller = Some(caller(&Claimed { subject: &long, scopes: &scopes, ..Claimed::default() }));
    record.targets = (0..5000).map(|number| format!("logs-{number}")).collect();
    let line = written([record]).await.remove(0);
    assert!(line.to_string().len() < 20_000, "{}", line.to_string().len());
    assert!(line["subject"].as_str().unwrap().ends_with('…'));
    let targets = line["targets"].as_array().unwrap();
    assert_eq!(targets.last().unwrap(), "… and 4744 more");
}

#[tokio::test]
async fn times_have_microseconds_and_are_in_utc() {
    let mut record = record("1");
    record.timestamp = "2031-05-04T03:02:01+02:00".parse().unwrap();
    let line = written([record]).await.remove(0);
    assert_eq!(line["timestamp"], "2031-05-04T01:02:01.000000Z");
}
