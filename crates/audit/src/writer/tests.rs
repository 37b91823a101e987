//! A sink that takes a part of a line, and then nothing for a while.

use std::{
    fs::{self, File},
    io::Read,
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
};

use tempfile::tempdir;
use tokio::sync::mpsc;

use super::{Control, Loop};
use crate::{Record, output::Output, record::Queued, stats::Counters};

/// Much more than a socket holds.
const RECORDS: usize = 1500;

/// A writer whose sink is a socket that never waits, and the reader's end.
struct Setup {
    records: mpsc::Sender<Queued>,
    orders: mpsc::UnboundedSender<Control>,
    counters: Arc<Counters>,
    thread: thread::JoinHandle<()>,
    reader: UnixStream,
}

impl Setup {
    fn new(reopens_as: Option<PathBuf>) -> Self {
        let (reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let output = Output::with(File::from(OwnedFd::from(writer)), reopens_as);
        let (records, queue) = mpsc::channel(RECORDS);
        let (_, overflow) = mpsc::unbounded_channel();
        let (orders, ordered) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let work = Loop::new(output, queue, overflow, ordered, Arc::clone(&counters));
        for id in 0..RECORDS {
            let mut record = Record::begin(id.to_string(), "GET", "/");
            record.detail = Some("x".repeat(700));
            counters.accepted.fetch_add(1, Relaxed);
            records.try_send(Queued::new(&record)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let thread = thread::spawn(move || runtime.block_on(work.run()));
        Self { records, orders, counters, thread, reader }
    }

    fn wait_until_full(&self) {
        while !self.counters.failing.load(Relaxed) {
            thread::yield_now();
        }
    }
}

fn ids(lines: &str) -> Vec<usize> {
    lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["request_id"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_line_written_in_parts_is_whole_though_a_stream_is_reopened_meanwhile() {
    let mut setup = Setup::new(None);
    setup.wait_until_full();
    setup.orders.send(Control::Reopen).unwrap();
    drop(setup.records);
    let mut text = String::new();
    setup.reader.read_to_string(&mut text).unwrap();
    setup.thread.join().unwrap();
    assert_eq!(ids(&text), (0..RECORDS).collect::<Vec<_>>());
    assert_eq!(setup.counters.written.load(Relaxed), RECORDS as u64);
}

#[test]
fn a_file_opened_in_place_of_a_stuck_one_starts_with_a_whole_line() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut setup = Setup::new(Some(path.clone()));
    setup.wait_until_full();
    setup.orders.send(Control::Reopen).unwrap();
    drop(setup.records);
    setup.thread.join().unwrap();
    setup.reader.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    setup.reader.read_to_string(&mut text).unwrap();
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut seen = ids(&text[..whole]);
    assert!(seen.len() < RECORDS, "the socket holds less than all");
    seen.extend(ids(&fs::read_to_string(&path).unwrap()));
    assert_eq!(seen, (0..RECORDS).collect::<Vec<_>>());
    assert_eq!(setup.counters.written.load(Relaxed), RECORDS as u64);
}
