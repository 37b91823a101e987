use std::{
    fs,
    path::{Path, PathBuf},
};

use audit::{AuditLog, Record, Sink, WhenFull, Writer};
use serde_json::Value;

/// A file that is not rotated.
pub(crate) fn file(path: &Path) -> Sink {
    Sink::File { path: path.to_owned(), max_size: 0, keep: 0 }
}

pub(crate) fn open(sink: Sink) -> (AuditLog, Writer) {
    AuditLog::open(sink, 64, WhenFull::Wait).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "shorter where it is called")]
pub(crate) fn record(id: impl ToString) -> Record {
    Record::begin(id.to_string(), "GET", "/logs/_search")
}

/// The lines of a file, each of which must be JSON.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The request ids in a file, in order.
pub(crate) fn ids(path: &Path) -> Vec<String> {
    lines(path).iter().filter_map(|line| line["request_id"].as_str()).map(str::to_owned).collect()
}

pub(crate) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Waits for what another thread is about to do.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
