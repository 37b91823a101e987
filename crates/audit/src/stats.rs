use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// How the audit log is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Lines handed to the operating system.
    pub written: u64,
    /// Records that will never be written.
    pub dropped: u64,
    /// Records committed and not yet written.
    pub queue_depth: u64,
    /// Places of the queue in use: records waiting, and requests that hold a slot.
    pub slots_used: usize,
    /// Places of the queue in all.
    pub slots: usize,
    /// Failed writes, rotations and reopenings.
    pub write_errors: u64,
    /// The last of those failures.
    pub last_error: Option<String>,
    /// Whether the sink takes no records at the moment. Under [`crate::WhenFull::Wait`] requests will come to a stop.
    pub failing: bool,
}

/// Counters shared by the handles and the writer.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
    /// Drops that no line has told of yet.
    pub(crate) missed: AtomicU64,
    pub(crate) write_errors: AtomicU64,
    pub(crate) failing: AtomicBool,
    /// Nothing is read from the queue any more.
    pub(crate) finished: AtomicBool,
    last_error: Mutex<Option<String>>,
}

impl Counters {
    /// A record that will never be written.
    pub(crate) fn drop_records(&self, records: u64) {
        self.dropped.fetch_add(records, Relaxed);
        self.missed.fetch_add(records, Relaxed);
    }

    /// A failure of the sink.
    pub(crate) fn note_error(&self, error: String) {
        self.write_errors.fetch_add(1, Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records accepted and neither written nor dropped.
    pub(crate) fn outstanding(&self) -> u64 {
        let settled = self.written.load(Relaxed) + self.dropped.load(Relaxed);
        self.accepted.load(Relaxed).saturating_sub(settled)
    }
}
