//! What a record costs whoever commits it: `cargo bench -p audit`.
//!
//! The best of several rounds, so that whatever else the machine does disturbs it least.

#![expect(clippy::expect_used, reason = "a measurement that cannot run should say so at once")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use audit::{AuditLog, Caller, Claimed, Decision, EngineIdentity, Outcome, Record, Sink, WhenFull};

const ROUNDS: u32 = 20;
const COUNT: u32 = 5_000;

/// The best time for one of [`COUNT`] runs. `between` is run after each round.
fn best(mut run: impl FnMut(), mut between: impl FnMut()) -> Duration {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..COUNT {
            run();
        }
        let each = start.elapsed() / COUNT;
        between();
        each
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

/// The record of a search that was allowed.
fn record(caller: &Arc<Caller>, scope: &Arc<str>, roles: &Arc<[Arc<str>]>) -> Record {
    let mut record = Record::begin("262e60c001694ba6884552e4d63687bd", "GET", "/logs-1/_search");
    record.decision = Decision::Allow;
    record.permitted_by = vec![Arc::clone(scope)];
    record.client_id = Some("agent".to_owned());
    record.caller = Some(Arc::clone(caller));
    record.action = Some("read".into());
    record.operation = Some("search".into());
    record.targets = vec!["logs-1".to_owned()];
    record.engine_identity = Some(EngineIdentity {
        kind: "signed_jwt".into(),
        user: "company:agent".into(),
        roles: Arc::clone(roles),
    });
    record.status = Some(200);
    record.engine_status = Some(200);
    record.node = Some("http://127.0.0.1:9200".to_owned());
    record.outcome = Outcome::Complete;
    record.response_bytes = 1024;
    record.source = Some("192.0.2.1:40312".parse().expect("an address"));
    record.http_version = "HTTP/1.1".into();
    record
}

fn main() {
    let sink = Sink::File { path: "/dev/null".into(), max_size: 0, keep: 0 };
    let (log, writer) = AuditLog::open(sink, 10_000, WhenFull::Wait).expect("a log");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let caller = Arc::new(Caller::new(&Claimed {
        subject: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        issuer: "https://login.example.org/realms/main",
        provider: "company",
        token_id: Some("onrtac:5e3f1c9a-1f0a-4b3e-9d53-0d8b6b0f2a11"),
        scopes: &["read:logs-*", "write:app-logs-*"],
        token_issued_at: "2026-01-01T00:00:00Z".parse().ok(),
        ..Claimed::default()
    }));
    let scope = Arc::from("read:logs-*");
    let roles = Arc::from([Arc::clone(&scope)]);
    let flush = || runtime.block_on(log.flush()).expect("records are written");
    let time = best(|| log.try_write(record(&caller, &scope, &roles)), flush);
    println!("{:<44} {:>10.2} µs", "fill in and commit a record", time.as_secs_f64() * 1e6);
    drop(log);
    writer.join().expect("everything is written");
}
