//! A sink that takes nothing for a while, or ever.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::Duration,
};

use audit::{AuditError, AuditLog, Record, WhenFull};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{file, ids, open, record, until};

/// Many more bytes than a pipe and a queue of [`CAPACITY`] hold.
const RECORDS: usize = 400;
const CAPACITY: usize = 2;

/// A pipe into which nothing more goes once it is full, until its reader reads.
fn pipe(path: &Path) -> File {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    // Open for both, since opening for reading alone waits for the writer.
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn large(id: usize) -> Record {
    let mut record = record(id);
    record.targets = vec!["x".repeat(500); 4];
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_wait_for_a_full_queue_and_no_record_is_lost() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("pipe");
    let reader = pipe(&path);
    let (log, _writer) = AuditLog::open(file(&path), CAPACITY, WhenFull::Wait).unwrap();
    let task = tokio::spawn({
        let log = log.clone();
        async move {
            for id in 0..RECORDS {
                log.write(large(id)).await;
            }
        }
    });
    until(|| log.stats().slots_used == CAPACITY).await;
    assert!(!task.is_finished(), "what does not fit anywhere is waited for");
    // A drop path cannot wait, and still loses nothing.
    log.try_write(large(RECORDS));

    let read: Vec<Value> = tokio::task::spawn_blocking(move || {
        let lines = BufReader::new(reader).lines().take(RECORDS + 1);
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    })
    .await
    .unwrap();
    task.await.unwrap();
    let mut seen: Vec<usize> =
        read.iter().map(|line| line["request_id"].as_str().unwrap().parse().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..=RECORDS).collect::<Vec<_>>());
    log.flush().await.unwrap();
    assert_eq!((log.stats().dropped, log.stats().queue_depth), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_find_a_full_queue_are_counted_in_the_trail() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("pipe");
    let reader = pipe(&path);
    let (log, _writer) = AuditLog::open(file(&path), CAPACITY, WhenFull::Count).unwrap();
    // Nobody reads, and yet nobody waits.
    for id in 0..RECORDS {
        log.write(large(id)).await;
    }
    assert!(log.stats().dropped > 0);

    let (written, missed) = tokio::task::spawn_blocking(move || {
        let (mut written, mut missed) = (0, 0);
        let mut lines = BufReader::new(reader).lines();
        while written + missed < RECORDS as u64 {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            missed += line["missed_before"].as_u64().unwrap_or(0);
            written += u64::from(line["event"] == "request");
        }
        (written, missed)
    })
    .await
    .unwrap();
    assert_eq!(written + missed, RECORDS as u64, "each is there or counted, none twice");
    assert_eq!(log.stats().dropped, missed);
}

#[tokio::test]
async fn a_full_disk_shows_and_the_records_wait_for_room() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    symlink("/dev/full", &path).unwrap();
    let (log, writer) = open(file(&path));
    for id in 0..3 {
        log.write(record(id)).await;
    }
    until(|| log.stats().failing).await;
    let stats = log.stats();
    assert!(stats.write_errors > 0 && stats.written == 0, "{stats:?}");
    assert_eq!(stats.queue_depth, 3);
    assert!(stats.last_error.unwrap().contains("No space left"));

    fs::remove_file(&path).unwrap();
    log.reopen();
    log.flush().await.unwrap();
    assert_eq!(ids(&path), ["0", "1", "2"]);
    assert!(!log.stats().failing);
    log.close().await.unwrap();
    writer.join().unwrap();
}

#[tokio::test]
async fn closing_on_a_full_disk_ends_and_tells_what_is_lost() {
    let (log, writer) = open(file(Path::new("/dev/full")));
    log.write(record(0)).await;
    log.write(record(1)).await;
    let other = log.clone();
    let error = log.close_within(Duration::from_millis(30)).await.unwrap_err();
    assert!(
        matches!(&error, AuditError::Lost { records: 2, last_error } if last_error.contains("No space")),
        "{error}"
    );
    assert!(matches!(writer.join(), Err(AuditError::Lost { records: 2, .. })));
    assert_eq!(other.stats().dropped, 2);
}
