//! Standard output as the sink. A program of its own, run again by itself, since a test harness writes there too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use audit::{AuditLog, Record, Sink, WhenFull};

const CHILD: &str = "AUDIT_STDOUT_CHILD";
const RECORDS: usize = 300;

fn main() {
    if std::env::var_os(CHILD).is_some() {
        let (log, writer) = AuditLog::open(Sink::Stdout, 8, WhenFull::Wait).unwrap();
        for id in 0..RECORDS {
            log.try_write(Record::begin(id.to_string(), "GET", "/"));
        }
        drop(log);
        writer.join().unwrap();
        return;
    }
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap()).env(CHILD, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut ids: Vec<usize> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["request_id"].as_str().unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..RECORDS).collect::<Vec<_>>());
}
