//! A request's body on its way to the engine, read for the targets that it names.
//!
//! The engine acts on no request before its body is whole. So a body may flow while it is read, as long as its last byte
//! is held back until everything in it has been judged: [`Inspected`] fails instead of ending, the connection to the
//! engine breaks, and the engine has done nothing. What the reader found goes into the audit record.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll},
};

use access::{Denial, Permit, Watch};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rest::{BodyReader, BodyRefusal, Need};

use crate::{
    body::{BodyError, Progress},
    buffered::{Buffered, Kept},
    catalogue::{self, Refused},
    inflate::{InflateError, Inflater},
    policies::{Judge, PolicyRefusal},
    principal::Principal,
    snapshot::Cluster,
};

/// Targets kept for the audit record; a bulk of a million lines names few.
const TARGETS: usize = 64;

/// Why a body was stopped.
#[derive(Debug)]
pub enum BodyFinding {
    /// It names what the caller may not touch.
    Denied(Box<Denial>),
    /// It cannot be read with certainty.
    Refused(BodyRefusal),
    /// Aliases are to be judged by what is behind them, which is not known at this moment.
    NamesUnknown,
    /// The policies do not allow what it names.
    Policy(Box<PolicyRefusal>),
    /// The token's provider has no standing on this cluster.
    NoRights,
    /// Its compression cannot be undone.
    Inflate(InflateError),
}

impl From<Refused> for BodyFinding {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(denial) => Self::Denied(denial),
            Refused::NamesUnknown => Self::NamesUnknown,
        }
    }
}

impl From<Box<PolicyRefusal>> for BodyFinding {
    fn from(refusal: Box<PolicyRefusal>) -> Self {
        Self::Policy(refusal)
    }
}

impl From<InflateError> for BodyFinding {
    fn from(error: InflateError) -> Self {
        Self::Inflate(error)
    }
}

/// What is known of a body so far, for those who wait for the engine's answer.
#[derive(Debug, Default)]
pub struct Findings {
    stopped: OnceLock<BodyFinding>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    targets: Vec<String>,
    needs: Vec<Need>,
    /// Whether the body was read to its end, and `needs` has all of it.
    all: bool,
    /// Whether there were more needs than are kept.
    more: bool,
}

impl Findings {
    /// Why the body was stopped, if it was.
    pub fn stopped(&self) -> Option<&BodyFinding> {
        self.stopped.get()
    }

    /// The distinct targets found.
    pub fn targets(&self) -> Vec<String> {
        self.found().targets.clone()
    }

    /// All that the body needs; `None` before it was read to its end, and if that is very much.
    pub fn needs(&self) -> Option<Vec<Need>> {
        let found = self.found();
        (found.all && !found.more).then(|| found.needs.clone())
    }

    /// What the body was found to need so far, and a scope allows.
    pub fn noted(&self) -> Vec<Need> {
        self.found().needs.clone()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_target(&self, need: &Need) {
        let targets = &mut self.found().targets;
        if targets.len() < TARGETS {
            let target = need.on.to_string();
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }

    fn note(&self, need: &Need) {
        self.note_target(need);
        let Found { needs, more, .. } = &mut *self.found();
        if needs.contains(need) {
            return;
        }
        if needs.len() < TARGETS {
            needs.push(need.clone());
        } else {
            *more = true;
        }
    }
}

/// Reads and judges one body.
pub struct Inspector {
    reader: Option<BodyReader>,
    inflater: Option<Inflater>,
    watch: Watch,
    principal: Arc<Principal>,
    cluster: Arc<Cluster>,
    judge: Option<Judge>,
    found: Vec<Need>,
    allowed: Option<Need>,
    findings: Arc<Findings>,
}

impl Inspector {
    /// Reads with `reader`, inside of a compression if there is one, on behalf of `principal`.
    pub fn new(
        reader: BodyReader,
        inflater: Option<Inflater>,
        watch: Watch,
        principal: Arc<Principal>,
        cluster: Arc<Cluster>,
        judge: Option<Judge>,
    ) -> Self {
        let findings = Arc::new(Findings::default());
        Self {
            reader: Some(reader),
            inflater,
            watch,
            principal,
            cluster,
            judge,
            found: Vec::new(),
            allowed: None,
            findings,
        }
    }

    /// What is found, as it is found.
    pub fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.findings)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), BodyFinding> {
        match self.inflater.take() {
            None => self.read(bytes),
            Some(mut inflater) => {
                let outcome = inflater.feed(bytes, |piece| self.read(piece));
                self.inflater = Some(inflater);
                outcome
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), BodyFinding> {
        if let Some(reader) = &mut self.reader {
            reader.feed(bytes, &mut self.found).map_err(BodyFinding::Refused)?;
        }
        self.judge()
    }

    /// The body has ended; to be called before its end is passed on.
    fn finish(&mut self) -> Result<(), BodyFinding> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        if let Some(reader) = self.reader.take() {
            reader.finish(&mut self.found).map_err(BodyFinding::Refused)?;
        }
        self.judge()?;
        self.findings.found().all = true;
        Ok(())
    }

    fn judge(&mut self) -> Result<(), BodyFinding> {
        let rights = self.principal.rights(self.cluster.index());
        for need in self.found.drain(..) {
            // Bodies name the same index over and over.
            if self.allowed.as_ref() == Some(&need) {
                continue;
            }
            self.findings.note_target(&need);
            let rights = rights.ok_or(BodyFinding::NoRights)?;
            let inside = catalogue::found(&mut self.watch, rights, &need, self.cluster.names())?;
            for need in inside.as_deref().unwrap_or(std::slice::from_ref(&need)) {
                if let Some(judge) = &self.judge {
                    judge.judge(need)?;
                }
                self.findings.note(need);
            }
            self.allowed = Some(need);
        }
        Ok(())
    }

    fn stop(&self, finding: BodyFinding) -> BodyError {
        // Nothing is read after the first finding.
        let _ = self.findings.stopped.set(finding);
        BodyError::Stopped
    }
}

/// A body that is read as it passes.
#[derive(Debug)]
pub struct Inspected {
    inner: Buffered,
    /// Frames that were read before they are wanted.
    kept: Kept,
    inspector: Option<Box<Inspector>>,
    /// Bytes still to come, where that is known beforehand: with the last of them the engine has the whole body,
    /// whether or not the end has been said.
    remaining: Option<u64>,
}

impl Inspected {
    /// Passes `inner` on, read by `inspector` if there is one.
    pub fn new(inner: Buffered, inspector: Option<Inspector>) -> Self {
        let remaining = inner.size_hint().exact();
        let inspector = inspector.map(Box::new);
        let mut body = Self { inner, kept: Kept::default(), inspector, remaining };
        if body.inner.is_end_stream() {
            // Nobody will ask for the frames of an empty body. What it lacks shows in the findings before it is sent.
            let _ = body.end();
        }
        body
    }

    /// Reads on and keeps what comes, until the body has ended or more than `limit` bytes of it are kept. A body that
    /// nobody reads, or that is known to be larger, is left as it is.
    ///
    /// # Errors
    ///
    /// As of polling the body.
    pub async fn keep(&mut self, limit: usize) -> Result<(), BodyError> {
        let limit = limit as u64;
        if self.inspector.is_none() || self.remaining.is_some_and(|length| length > limit) {
            return Ok(());
        }
        while self.kept.bytes() <= limit {
            match poll_fn(|cx| self.poll_inspected(cx)).await {
                Some(frame) => self.kept.push(frame?),
                None => break,
            }
        }
        Ok(())
    }

    /// What allows the request, once the body has been read to its end.
    pub fn permit(&self) -> Option<Permit> {
        let inspector = self.inspector.as_ref().filter(|inspector| inspector.reader.is_none())?;
        Some(inspector.watch.permit().clone())
    }

    /// What is found, where the body is read.
    pub fn findings(&self) -> Option<Arc<Findings>> {
        self.inspector.as_ref().map(|inspector| inspector.findings())
    }

    /// The progress of the body.
    pub fn progress(&self) -> Arc<Progress> {
        self.inner.progress()
    }

    fn inspect(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        let Some(inspector) = &mut self.inspector else { return Ok(()) };
        let mut last = self.inner.is_end_stream() || frame.is_trailers();
        let mut outcome = Ok(());
        if let Some(data) = frame.data_ref() {
            outcome = inspector.feed(data);
            if let Some(remaining) = &mut self.remaining {
                *remaining = remaining.saturating_sub(data.len() as u64);
                last |= *remaining == 0;
            }
        }
        if last && outcome.is_ok() {
            outcome = inspector.finish();
        }
        outcome.map_err(|finding| inspector.stop(finding))
    }

    fn poll_inspected(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Once stopped, no more of it may pass, whoever asks.
        if self.inspector.as_ref().is_some_and(|inspector| inspector.findings.stopped().is_some()) {
            return Poll::Ready(Some(Err(BodyError::Stopped)));
        }
        let polled = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(match polled {
            Some(Ok(frame)) => Some(self.inspect(&frame).map(|()| frame)),
            Some(Err(error)) => Some(Err(error)),
            None => self.end().err().map(Err),
        })
    }

    fn end(&mut self) -> Result<(), BodyError> {
        let Some(inspector) = &mut self.inspector else { return Ok(()) };
        inspector.finish().map_err(|finding| inspector.stop(finding))
    }
}

impl Body for Inspected {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.kept.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.poll_inspected(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        // While there is something to finish, the end is said by `poll_frame` alone.
        self.kept.is_empty()
            && self.inner.has_ended()
            && self.inspector.as_ref().is_none_or(|inspector| inspector.reader.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        self.kept.size_hint((!self.inner.has_ended()).then(|| self.inner.size_hint()))
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("findings", &self.findings).finish_non_exhaustive()
    }
}
