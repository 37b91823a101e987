use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{
    Semaphore,
    mpsc::{self, OwnedPermit, error::TrySendError},
    oneshot,
};

use crate::{
    AuditError, Record, Stats,
    output::Output,
    record::Queued,
    stats::Counters,
    writer::{Control, Loop},
};

/// How long [`AuditLog::close`] waits for a sink that takes no records and for slots not yet committed.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sink {
    /// JSON lines appended to a file, made with mode 0600.
    File {
        /// The file. Its folder must exist.
        path: PathBuf,
        /// The file is rotated before it grows beyond this many bytes; 0 leaves rotation to another program.
        /// A single record larger than this is written all the same.
        max_size: u64,
        /// Rotated files kept as `path.1` (the newest) to `path.<keep>`.
        keep: u32,
    },
    /// JSON lines on standard output. Nothing else should be written there.
    Stdout,
}

/// What happens when the queue is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenFull {
    /// Requests wait for room before they are forwarded. No record is lost.
    Wait,
    /// The record is dropped and counted; the next line written says how many are missing.
    Count,
}

/// The handle of the audit log; clones are cheap and equal.
///
/// When the last handle and the last [`Slot`] are gone the writer writes what it has, and ends.
#[derive(Clone, Debug)]
pub struct AuditLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<Queued>,
    /// Records that had to be taken although the queue was full. Bounded by the requests in flight.
    overflow: mpsc::UnboundedSender<Queued>,
    control: mpsc::UnboundedSender<Control>,
    counters: Arc<Counters>,
    when_full: WhenFull,
}

impl AuditLog {
    /// Opens `sink` and starts the writer thread.
    ///
    /// `capacity` is the number of places in the queue. A request holds a place from before it is forwarded until its
    /// record is written, so under [`WhenFull::Wait`] it also bounds the requests in flight.
    pub fn open(sink: Sink, capacity: usize, when_full: WhenFull) -> Result<(Self, Writer), AuditError> {
        if !(1..=Semaphore::MAX_PERMITS).contains(&capacity) {
            return Err(AuditError::Capacity { capacity, max: Semaphore::MAX_PERMITS });
        }
        let output = Output::open(sink)?;
        let (queue, records) = mpsc::channel(capacity);
        let (overflow, overflowing) = mpsc::unbounded_channel();
        let (control, orders) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let work = Loop::new(output, records, overflowing, orders, Arc::clone(&counters));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(AuditError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || runtime.block_on(work.run()))
            .map_err(AuditError::Thread)?;
        let writer =
            Writer { thread: Some(thread), control: control.clone(), counters: Arc::clone(&counters) };
        let inner = Arc::new(Inner { queue, overflow, control, counters, when_full });
        Ok((Self { inner }, writer))
    }

    /// Takes a place in the queue, to be done before a request is forwarded.
    ///
    /// Under [`WhenFull::Wait`] this waits for room; dropping the future gives up the wait. Under [`WhenFull::Count`]
    /// it never waits. After [`AuditLog::close`] the slot's record is counted as dropped and an error is logged.
    pub async fn reserve(&self) -> Slot {
        let queue = self.inner.queue.clone();
        let place = match self.inner.when_full {
            WhenFull::Wait => queue.reserve_owned().await.ok(),
            WhenFull::Count => queue.try_reserve_owned().ok(),
        };
        Slot { place, draft: None, committed: false, log: Arc::clone(&self.inner) }
    }

    /// Writes a record, waiting for room as [`AuditLog::reserve`] does.
    pub async fn write(&self, record: Record) {
        self.reserve().await.commit(record);
    }

    /// Writes a record where waiting is impossible and no slot was taken.
    ///
    /// With a full queue the record is kept beside the queue under [`WhenFull::Wait`], and counted as dropped under
    /// [`WhenFull::Count`].
    pub fn try_write(&self, mut record: Record) {
        self.inner.commit(None, &mut record);
    }

    /// Opens the file anew by its path, after another program has moved it away. Does nothing on standard output.
    ///
    /// Returns at once. If the file cannot be opened the old one stays in use and the failure shows in
    /// [`AuditLog::stats`].
    pub fn reopen(&self) {
        // The writer is gone only after close, when there is nothing to reopen.
        let _ = self.inner.control.send(Control::Reopen);
    }

    /// Waits until every record committed before this call is written and, in a file, on the disk.
    pub async fn flush(&self) -> Result<(), AuditError> {
        let (done, flushed) = oneshot::channel();
        self.inner.control.send(Control::Flush(done)).map_err(|_| AuditError::Closed)?;
        flushed.await.map_err(|_| AuditError::Closed)?
    }

    /// How the log is doing.
    pub fn stats(&self) -> Stats {
        let counters = &self.inner.counters;
        let outstanding = counters.outstanding();
        let (lost, waiting) =
            if counters.finished.load(Acquire) { (outstanding, 0) } else { (0, outstanding) };
        let slots = self.inner.queue.max_capacity();
        Stats {
            written: counters.written.load(Relaxed),
            dropped: counters.dropped.load(Relaxed) + lost,
            queue_depth: waiting,
            slots_used: slots.saturating_sub(self.inner.queue.capacity()),
            slots,
            write_errors: counters.write_errors.load(Relaxed),
            last_error: counters.last_error(),
            failing: counters.failing.load(Relaxed),
        }
    }

    /// Takes no more records, waits for slots still out, writes everything, and syncs it to the disk.
    ///
    /// Waits up to [`CLOSE_PATIENCE`].
    pub async fn close(self) -> Result<(), AuditError> {
        self.close_within(CLOSE_PATIENCE).await
    }

    /// As [`AuditLog::close`], with a patience of the caller's choice.
    pub async fn close_within(self, patience: Duration) -> Result<(), AuditError> {
        let (done, closed) = oneshot::channel();
        let order = Control::Close { patience, done: Some(done) };
        self.inner.control.send(order).map_err(|_| AuditError::Closed)?;
        closed.await.map_err(|_| AuditError::Closed)?
    }
}

impl Inner {
    /// Hands a record to the writer; whatever happens it is written or counted.
    fn commit(&self, place: Option<OwnedPermit<Queued>>, record: &mut Record) {
        self.counters.accepted.fetch_add(1, Relaxed);
        if self.counters.finished.load(Acquire) {
            self.counters.drop_records(1);
            tracing::error!(request_id = record.request_id, "audit record dropped: the audit log is closed");
            return;
        }
        record.missed_before = self.counters.missed.swap(0, Relaxed);
        let queued = Queued::new(record);
        if let Some(place) = place {
            place.send(queued);
            return;
        }
        let refused = match (self.queue.try_send(queued), self.when_full) {
            (Ok(()), _) => return,
            (Err(TrySendError::Full(record)), WhenFull::Wait) => match self.overflow.send(record) {
                Ok(()) => return,
                Err(mpsc::error::SendError(record)) => record,
            },
            (Err(TrySendError::Full(record) | TrySendError::Closed(record)), _) => record,
        };
        let told = refused.missed_before;
        let untold = self.counters.missed.fetch_add(told + 1, Relaxed);
        let dropped = self.counters.dropped.fetch_add(1, Relaxed) + 1;
        // Once for each gap: a message for each record would be a flood of its own.
        if told == 0 && untold == 0 {
            tracing::error!(dropped, "audit records are being dropped: the audit queue is full or closed");
        }
    }
}

/// A place in the queue for the record of one request.
///
/// A slot dropped without [`Slot::commit`] writes its draft, or without a draft a record that says only that a request
/// was aborted: a request that took a slot always leaves a trace.
#[derive(Debug)]
#[must_use = "a slot dropped at once writes a record of an aborted request"]
pub struct Slot {
    place: Option<OwnedPermit<Queued>>,
    draft: Option<Box<Record>>,
    committed: bool,
    log: Arc<Inner>,
}

impl Slot {
    /// Keeps what is known so far, to be written as it is should the slot be dropped.
    pub fn keep(&mut self, draft: Record) {
        self.draft = Some(Box::new(draft));
    }

    /// The draft, to be filled in.
    pub fn draft(&mut self) -> Option<&mut Record> {
        self.draft.as_deref_mut()
    }

    /// Writes `record`. Neither waits nor fails.
    pub fn commit(mut self, record: impl Into<Box<Record>>) {
        self.finish(&mut record.into());
    }

    fn finish(&mut self, record: &mut Record) {
        self.committed = true;
        self.log.commit(self.place.take(), record);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        let mut record = self.draft.take().unwrap_or_else(|| {
            let mut record = Record::begin("unknown", "unknown", "unknown");
            record.reason = Some("aborted_before_recorded".into());
            Box::new(record)
        });
        self.finish(&mut record);
    }
}

/// The writer thread.
///
/// Keep it until the end of the program: dropping it closes the log, as [`AuditLog::close`] does, and waits.
#[derive(Debug)]
pub struct Writer {
    thread: Option<JoinHandle<()>>,
    control: mpsc::UnboundedSender<Control>,
    counters: Arc<Counters>,
}

impl Writer {
    /// Waits, blocking the thread, until the log is closed or every handle and slot is gone, and all is written.
    pub fn join(mut self) -> Result<(), AuditError> {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit writer thread failed");
        }
        match self.counters.outstanding() {
            0 => Ok(()),
            records => Err(AuditError::Lost {
                records,
                last_error: self.counters.last_error().unwrap_or_else(|| "none".into()),
            }),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // A closed channel means that the writer has ended already.
        let _ = self.control.send(Control::Close { patience: CLOSE_PATIENCE, done: None });
        if thread.join().is_err() {
            tracing::error!("the audit writer thread failed");
        }
    }
}
