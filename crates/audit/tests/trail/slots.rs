//! A slot leaves a record whatever becomes of it, and closing waits for it.

use std::time::Duration;

use audit::{AuditError, AuditLog, Decision, Outcome, WhenFull};
use tempfile::tempdir;

use crate::support::{file, ids, lines, open, record, until};

#[tokio::test]
async fn a_slot_dropped_leaves_a_record() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(file(&path));
    drop(log.reserve().await);
    let mut slot = log.reserve().await;
    slot.keep(record("kept"));
    slot.draft().unwrap().decision = Decision::Allow;
    drop(slot);
    let mut slot = log.reserve().await;
    slot.keep(record("draft"));
    slot.commit(record("committed"));
    log.flush().await.unwrap();
    let lines = lines(&path);
    assert_eq!(ids(&path), ["unknown", "kept", "committed"]);
    assert_eq!(lines[0]["reason"], "aborted_before_recorded");
    assert_eq!((&lines[0]["decision"], &lines[0]["outcome"]), (&"error".into(), &"aborted".into()));
    assert_eq!((&lines[1]["decision"], &lines[1]["outcome"]), (&"allow".into(), &"aborted".into()));
}

#[tokio::test]
async fn a_slot_is_a_place_in_the_queue() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = AuditLog::open(file(&path), 1, WhenFull::Wait).unwrap();
    let slot = log.reserve().await;
    assert_eq!((log.stats().slots_used, log.stats().slots), (1, 1));
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.reserve().await.commit(record("second")) }
    });
    // A wait given up leaves nothing behind.
    assert!(tokio::time::timeout(Duration::ZERO, log.reserve()).await.is_err());
    slot.commit(record("first"));
    waiting.await.unwrap();
    log.flush().await.unwrap();
    assert_eq!(ids(&path), ["first", "second"]);
    until(|| log.stats().slots_used == 0).await;
}

#[tokio::test]
async fn without_waiting_a_record_without_a_slot_takes_what_is_free() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = AuditLog::open(file(&path), 1, WhenFull::Count).unwrap();
    let first = log.reserve().await;
    let second = log.reserve().await;
    second.commit(record("second"));
    assert_eq!(log.stats().dropped, 1);
    first.commit(record("first"));
    log.flush().await.unwrap();
    let lines = lines(&path);
    let missed: u64 = lines.iter().filter_map(|line| line["missed_before"].as_u64()).sum();
    assert_eq!(missed, 1);
    assert_eq!(lines.iter().filter(|line| line["event"] == "request").count(), 1);
}

#[tokio::test]
async fn dropping_the_handles_writes_everything() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, writer) = open(file(&path));
    let slot = log.reserve().await;
    for id in 0..50 {
        log.try_write(record(id));
    }
    drop(log);
    slot.commit(record("last"));
    writer.join().unwrap();
    assert_eq!(ids(&path).len(), 51);
}

#[tokio::test]
async fn dropping_the_writer_closes_the_log() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, writer) = open(file(&path));
    log.write(record("before")).await;
    drop(writer);
    assert_eq!(ids(&path), ["before"]);
    log.write(record("after")).await;
    log.try_write(record("after"));
    let stats = log.stats();
    assert_eq!((stats.written, stats.dropped, stats.queue_depth), (1, 2, 0));
    assert!(matches!(log.flush().await, Err(AuditError::Closed)));
    assert!(matches!(log.close().await, Err(AuditError::Closed)));
}

#[tokio::test]
async fn closing_waits_for_the_slots_that_are_out() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(file(&path));
    let slot = log.reserve().await;
    let other = log.clone();
    let (closed, ()) = tokio::join!(log.close(), async {
        // Taken after the order to close, whether or not it has arrived: both must leave a trace.
        let late = other.reserve().await;
        slot.commit(record("in flight"));
        late.commit(record("late"));
    });
    closed.unwrap();
    let ids = ids(&path);
    assert!(ids.contains(&"in flight".to_owned()));
    assert_eq!(ids.len() as u64 + other.stats().dropped, 2, "{:?}", other.stats());
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_for_a_slot() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(file(&path));
    let slot = log.reserve().await;
    let other = log.clone();
    log.close_within(Duration::from_millis(20)).await.unwrap();
    drop(slot);
    assert_eq!(other.stats().dropped, 1, "counted, though nothing can be written any more");
}

#[tokio::test]
async fn an_aborted_exchange_is_the_least_that_a_record_says() {
    let record = record(1);
    assert_eq!((record.decision, record.outcome), (Decision::Error, Outcome::Aborted));
    assert_eq!(record.decision_id.get_version_num(), 7);
}
