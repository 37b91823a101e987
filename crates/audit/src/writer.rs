//! The loop of the writer thread.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, Release},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use crate::{
    AuditError,
    output::{Output, Reopened},
    record::{Queued, append_gap},
    stats::Counters,
};

#[cfg(test)]
mod tests;

/// Most records put into one write.
const BATCH: usize = 512;
/// How long records are let gather after some were written, so that a busy log is woken, and writes, once for many.
const GATHER: Duration = Duration::from_millis(2);
/// A queue of fewer places is emptied as fast as it fills: requests would wait for its places.
const GATHERING_QUEUE: usize = 1024;
/// Records are on the disk at the latest this long after they were written.
const SYNC_WITHIN: Duration = Duration::from_secs(1);
/// The pauses between attempts to write to a sink that fails.
const BACKOFF: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(2);

/// Where the end of an order is told.
type Answer = oneshot::Sender<Result<(), AuditError>>;

/// Orders to the writer.
#[derive(Debug)]
pub(crate) enum Control {
    Reopen,
    Flush(Answer),
    Close { patience: Duration, done: Option<Answer> },
}

/// What the writer thread holds.
#[derive(Debug)]
pub(crate) struct Loop {
    output: Output,
    records: mpsc::Receiver<Queued>,
    overflow: mpsc::UnboundedReceiver<Queued>,
    orders: mpsc::UnboundedReceiver<Control>,
    counters: Arc<Counters>,
    /// Encoded lines; those before `offset` are written.
    buffer: Vec<u8>,
    offset: usize,
    flushes: Vec<Answer>,
    closers: Vec<Answer>,
    /// When to give up, once closing.
    give_up: Option<Instant>,
    /// Until when records are let gather.
    gathering: Option<Instant>,
    /// When the disk must have what is written; `None` when it has.
    sync_at: Option<Instant>,
    /// A rotation failed; it is tried again then, and the file grows meanwhile.
    rotate_after: Option<Instant>,
}

impl Loop {
    pub(crate) fn new(
        output: Output,
        records: mpsc::Receiver<Queued>,
        overflow: mpsc::UnboundedReceiver<Queued>,
        orders: mpsc::UnboundedReceiver<Control>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            output,
            records,
            overflow,
            orders,
            counters,
            buffer: Vec::new(),
            offset: 0,
            flushes: Vec::new(),
            closers: Vec::new(),
            give_up: None,
            gathering: None,
            sync_at: None,
            rotate_after: None,
        }
    }

    /// Writes until the queue is closed and empty, or closing takes too long.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let complete = loop {
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => self.obey(order),
                Some(record) = self.overflow.recv() => batch.push(record),
                taken = self.records.recv_many(&mut batch, BATCH), if self.gathering.is_none() => {
                    if taken == 0 {
                        break self.settle(&mut batch).await;
                    }
                    self.gather();
                },
                () = at(self.gathering) => {
                    self.gathering = None;
                    if !self.records.is_empty() {
                        self.gather();
                    }
                }
                () = at(self.sync_at) => {
                    self.sync();
                }
                () = at(self.give_up) => break false,
            }
            if !self.settle(&mut batch).await {
                break false;
            }
        };
        self.finish(complete);
    }

    /// Lets records gather for a moment from now on.
    fn gather(&mut self) {
        if self.records.max_capacity() >= GATHERING_QUEUE {
            self.gathering = Some(Instant::now() + GATHER);
        }
    }

    /// Writes what is there, then answers those who wait for it. `false` when giving up.
    async fn settle(&mut self, batch: &mut Vec<Queued>) -> bool {
        loop {
            self.take_ready(batch);
            if batch.is_empty() && self.counters.missed.load(Relaxed) == 0 {
                break;
            }
            if !self.write(batch).await {
                return false;
            }
        }
        if !self.flushes.is_empty() {
            let synced = self.sync();
            for flush in std::mem::take(&mut self.flushes) {
                let end = if synced { Ok(()) } else { Err(AuditError::NotSynced(self.last_error())) };
                // Whoever asked may have stopped waiting.
                let _ = flush.send(end);
            }
        }
        true
    }

    /// Adds the records that are ready to `batch`, up to its limit.
    fn take_ready(&mut self, batch: &mut Vec<Queued>) {
        while batch.len() < BATCH {
            match self.records.try_recv().or_else(|_| self.overflow.try_recv()) {
                Ok(record) => batch.push(record),
                Err(_) => break,
            }
        }
    }

    /// Writes a batch, for as long as it takes. `false` when giving up.
    async fn write(&mut self, batch: &mut Vec<Queued>) -> bool {
        for record in batch.drain(..) {
            self.buffer.extend_from_slice(&record.line);
        }
        if self.records.is_empty() {
            let missed_before = self.counters.missed.swap(0, Relaxed);
            if missed_before > 0 {
                self.counters.accepted.fetch_add(1, Relaxed);
                append_gap(missed_before, &mut self.buffer);
            }
        }
        let mut pause = *BACKOFF.start();
        while self.offset < self.buffer.len() {
            let Err(error) = self.write_some() else {
                pause = *BACKOFF.start();
                continue;
            };
            self.failed(&format!("cannot write: {error}"));
            self.counters.failing.store(true, Relaxed);
            let again = Instant::now() + pause;
            tokio::select! {
                biased;
                () = at(self.give_up) => return false,
                Some(order) = self.orders.recv() => self.obey(order),
                () = sleep_until(again) => pause = (pause * 2).min(*BACKOFF.end()),
            }
        }
        self.counters.failing.store(false, Relaxed);
        self.buffer.clear();
        self.offset = 0;
        true
    }

    /// One write of as many whole lines as the file has room for.
    fn write_some(&mut self) -> io::Result<()> {
        let mut length = self.fitting();
        if length == 0 {
            if !self.output.is_empty() {
                self.rotate();
            }
            // A line longer than the limit, or a file that cannot be rotated, must not stop the trail.
            length = self.fitting().max(line_length(&self.buffer[self.offset..]));
        }
        match self.output.write(&self.buffer[self.offset..self.offset + length]) {
            Ok(taken) => {
                let lines = count_lines(&self.buffer[self.offset..self.offset + taken]);
                self.offset += taken;
                self.counters.written.fetch_add(lines, Relaxed);
                self.sync_at.get_or_insert_with(|| Instant::now() + SYNC_WITHIN);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How much of the buffer the file has room for: whole lines, or the rest of a line that was begun.
    fn fitting(&self) -> usize {
        let rest = &self.buffer[self.offset..];
        if self.offset > 0 && self.buffer[self.offset - 1] != b'\n' {
            return line_length(rest);
        }
        self.output.room().map_or(rest.len(), |room| whole_lines(rest, room))
    }

    /// Rotates. Records go on to the same file while that fails: they matter more than its size.
    fn rotate(&mut self) {
        let now = Instant::now();
        if self.rotate_after.is_some_and(|after| now < after) {
            return;
        }
        match self.output.rotate() {
            Ok(()) => self.rotate_after = None,
            Err(error) => {
                self.rotate_after = Some(now + *BACKOFF.end());
                self.failed(&format!("cannot rotate the file: {error}"));
            }
        }
    }

    fn obey(&mut self, order: Control) {
        match order {
            Control::Reopen => self.reopen(),
            Control::Flush(done) => self.flushes.push(done),
            Control::Close { patience, done } => {
                self.records.close();
                self.overflow.close();
                self.give_up.get_or_insert(Instant::now() + patience);
                self.closers.extend(done);
            }
        }
    }

    fn reopen(&mut self) {
        self.sync();
        match self.output.reopen() {
            Ok(Reopened::Fresh) => {
                // The old file may have ended inside a line: the new one gets the whole of it.
                let written = &self.buffer[..self.offset];
                self.offset = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            }
            Ok(Reopened::Same) => {}
            Err(error) => self.failed(&format!("cannot reopen the file: {error}")),
        }
    }

    /// Puts what is written onto the disk. `false` when that failed: nobody can say what the disk has.
    fn sync(&mut self) -> bool {
        if self.sync_at.take().is_none() {
            return true;
        }
        let synced = self.output.sync();
        if let Err(error) = &synced {
            self.failed(&format!("cannot sync the file: {error}"));
        }
        synced.is_ok()
    }

    fn last_error(&self) -> String {
        self.counters.last_error().unwrap_or_else(|| "none".into())
    }

    fn failed(&self, error: &str) {
        tracing::error!(error, "audit log");
        self.counters.note_error(error.to_owned());
    }

    /// Tells everyone waiting how it ended.
    fn finish(mut self, complete: bool) {
        let synced = self.sync();
        self.counters.finished.store(true, Release);
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Control::Reopen => {}
                Control::Flush(done) => self.flushes.push(done),
                Control::Close { done, .. } => self.closers.extend(done),
            }
        }
        let lost = self.counters.outstanding();
        if lost > 0 {
            tracing::error!(records = lost, "audit records could not be written before the log closed");
        }
        let (closers, flushes) = (std::mem::take(&mut self.closers), std::mem::take(&mut self.flushes));
        let end = || match lost {
            0 if complete && !synced => Err(AuditError::NotSynced(self.last_error())),
            0 => Ok(()),
            records => Err(AuditError::Lost { records, last_error: self.last_error() }),
        };
        for waiting in closers.into_iter().chain(flushes) {
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(end());
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The length of the first line with its end.
fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// The length of the lines that fit whole into `room`.
fn whole_lines(bytes: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if bytes.len() <= room {
        return bytes.len();
    }
    bytes[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
