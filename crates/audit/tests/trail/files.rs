//! Opening, rotating and reopening.

use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt, path::Path};

use audit::{AuditError, AuditLog, Sink, WhenFull};
use tempfile::tempdir;

use crate::support::{file, ids, lines, numbered, open, record};

async fn write(log: &AuditLog, ids: impl IntoIterator<Item = usize>) {
    for id in ids {
        log.write(record(id)).await;
        log.flush().await.unwrap();
    }
}

fn rotated(path: &Path, max_size: u64, keep: u32) -> Sink {
    Sink::File { path: path.to_owned(), max_size, keep }
}

/// The length of the line of a record with an id of one digit.
async fn line_length() -> u64 {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(file(&path));
    write(&log, [0]).await;
    fs::metadata(&path).unwrap().len()
}

#[tokio::test]
async fn a_new_file_is_for_its_owner_only() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (_log, _writer) = open(file(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn records_are_appended_to_what_is_there() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for id in 0..3 {
        let (log, writer) = open(file(&path));
        log.write(record(id)).await;
        drop(log);
        writer.join().unwrap();
    }
    assert_eq!(ids(&path), ["0", "1", "2"]);
}

#[tokio::test]
async fn a_line_torn_by_a_crash_does_not_spoil_the_next_record() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(&path, "{\"event\":\"request\"}\n{\"event\":\"requ").unwrap();
    let (log, _writer) = open(file(&path));
    write(&log, [7]).await;
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["{\"event\":\"request\"}", "{\"event\":\"requ"]);
    assert!(lines[2].contains("\"request_id\":\"7\"") && lines.len() == 3);
}

#[test]
fn what_cannot_work_is_told_when_opening() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("missing/audit.jsonl");
    let refuse = |sink, capacity| AuditLog::open(sink, capacity, WhenFull::Wait).map(drop).unwrap_err();
    assert!(matches!(refuse(file(&missing), 1), AuditError::NoFolder { path } if path == missing));
    assert!(matches!(refuse(file(folder.path()), 1), AuditError::Open { .. }), "a folder");
    let path = folder.path().join("audit.jsonl");
    assert!(matches!(refuse(rotated(&path, 1000, 0), 1), AuditError::KeepsNothing { .. }));
    assert!(matches!(refuse(file(&path), 0), AuditError::Capacity { .. }));
    assert!(matches!(refuse(file(&path), usize::MAX), AuditError::Capacity { .. }));
}

#[tokio::test]
async fn a_full_file_is_rotated_and_the_oldest_replaced() {
    let length = line_length().await;
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(rotated(&path, 2 * length, 2));
    write(&log, 0..9).await;
    assert_eq!(ids(&path), ["8"]);
    assert_eq!(ids(&numbered(&path, 1)), ["6", "7"]);
    assert_eq!(ids(&numbered(&path, 2)), ["4", "5"]);
    assert!(!numbered(&path, 3).exists());
    assert_eq!(log.stats().written, 9);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_record_larger_than_the_limit_is_written_all_the_same() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(rotated(&path, 1, 9));
    write(&log, 0..3).await;
    assert_eq!(ids(&path), ["2"]);
    assert_eq!(ids(&numbered(&path, 1)), ["1"]);
    assert_eq!(ids(&numbered(&path, 2)), ["0"]);
}

#[tokio::test]
async fn rotation_moves_no_more_files_than_it_must() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(numbered(&path, 1), "one").unwrap();
    fs::write(numbered(&path, 3), "three").unwrap();
    let (log, _writer) = open(rotated(&path, 1, 3));
    write(&log, 0..2).await;
    assert_eq!(ids(&numbered(&path, 1)), ["0"]);
    assert_eq!(fs::read_to_string(numbered(&path, 2)).unwrap(), "one");
    assert_eq!(fs::read_to_string(numbered(&path, 3)).unwrap(), "three", "a gap before it took the rest");
}

#[tokio::test]
async fn rotation_does_not_move_a_file_of_somebody_else() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(rotated(&path, 1, 3));
    write(&log, [0]).await;
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, "").unwrap();
    write(&log, [1]).await;
    assert_eq!(ids(&moved), ["0"]);
    assert_eq!(ids(&path), ["1"]);
    assert!(!numbered(&path, 1).exists());
}

#[tokio::test]
async fn records_go_on_to_the_same_file_while_it_cannot_be_rotated() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // A file cannot take the place of a folder.
    fs::create_dir(numbered(&path, 1)).unwrap();
    let (log, _writer) = open(rotated(&path, 1, 1));
    write(&log, 0..3).await;
    assert_eq!(ids(&path), ["0", "1", "2"]);
    let stats = log.stats();
    assert!(stats.write_errors > 0 && !stats.failing, "{stats:?}");
    assert!(stats.last_error.unwrap().contains("rotate"));
}

#[tokio::test]
async fn reopening_follows_the_path() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, _writer) = open(file(&path));
    write(&log, [0]).await;
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    write(&log, [1]).await;
    log.reopen();
    write(&log, [2]).await;
    assert_eq!(ids(&moved), ["0", "1"]);
    assert_eq!(ids(&path), ["2"]);
}

#[tokio::test]
async fn the_old_file_stays_in_use_when_it_cannot_be_reopened() {
    let folder = tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let (log, _writer) = open(file(&logs.join("audit.jsonl")));
    let moved = folder.path().join("moved");
    fs::rename(&logs, &moved).unwrap();
    log.reopen();
    write(&log, [0]).await;
    assert_eq!(ids(&moved.join("audit.jsonl")), ["0"]);
    assert!(log.stats().last_error.unwrap().contains("reopen"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_of_many_tasks_are_all_there_once_and_whole() {
    const TASKS: usize = 8;
    const EACH: usize = 200;
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, writer) = open(rotated(&path, 20_000, 1000));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    log.write(record(format!("{task}-{number}"))).await;
                }
            })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        if number % 3 == 0 {
            log.reopen();
        }
        task.await.unwrap();
    }
    log.close().await.unwrap();
    writer.join().unwrap();
    let mut seen = HashSet::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(fs::metadata(&path).unwrap().len() <= 20_000);
        for line in lines(&path) {
            assert!(seen.insert(line["request_id"].as_str().unwrap().to_owned()), "once: {line}");
        }
    }
    assert_eq!(seen.len(), TASKS * EACH);
}
