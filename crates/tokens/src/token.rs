use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::{LastUsed, Record, State, Version};

/// A record as it was when it was looked up, and the last use of its token as it is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Token {
    record: Arc<Record>,
    version: Version,
    usage: Arc<Usage>,
}

impl Token {
    pub(crate) fn new(record: Record, version: Version, last_used: Option<LastUsed>) -> Self {
        Self { record: Arc::new(record), version, usage: Arc::new(Usage::new(last_used)) }
    }

    /// The same token after a change to its record.
    pub(crate) fn changed(&self, record: Record, version: Version) -> Self {
        Self { record: Arc::new(record), version, usage: self.usage.clone() }
    }

    /// What a store tells of this token. One that was ended stays so, whatever it tells: whoever can write to the store's place could
    /// bring back what was there before.
    pub(crate) fn replaced_by(&self, mut newer: Self) -> Self {
        if matches!(self.record.state, State::Revoked { .. } | State::Denied { .. })
            && !matches!(newer.record.state, State::Revoked { .. } | State::Denied { .. })
        {
            Arc::make_mut(&mut newer.record).state = self.record.state.clone();
        }
        newer.usage = self.usage.clone();
        newer
    }

    /// Takes a use at another process over, if it is later than those here.
    pub(crate) fn learn_use(&self, used: LastUsed) {
        let mut last = self.usage.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.at < used.at) {
            *last = Some(used);
            self.usage.second.fetch_max(used.at.as_second(), Ordering::Relaxed);
        }
    }

    /// The record.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Which of the record's successive contents this is: what was worked out from it holds as long as this is the same.
    pub fn version(&self) -> Version {
        self.version
    }

    /// When it was used last, and from where; `None`: never.
    pub fn last_used(&self) -> Option<LastUsed> {
        *self.usage.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use. Costs a comparison for all but the first use in each second, and waits for nothing.
    pub fn touch(&self, now: Timestamp, address: Option<IpAddr>) {
        self.usage.touch(now, address);
    }

    /// The last use, if it is not yet with the store.
    pub(crate) fn take_unsaved_use(&self) -> Option<LastUsed> {
        self.usage.unsaved.swap(false, Ordering::Relaxed).then(|| self.last_used()).flatten()
    }

    pub(crate) fn mark_use_unsaved(&self) {
        self.usage.unsaved.store(true, Ordering::Relaxed);
    }
}

impl Deref for Token {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

#[derive(Debug)]
struct Usage {
    second: AtomicI64,
    last: Mutex<Option<LastUsed>>,
    unsaved: AtomicBool,
}

impl Usage {
    fn new(last: Option<LastUsed>) -> Self {
        let second = last.map_or(i64::MIN, |last| last.at.as_second());
        Self { second: AtomicI64::new(second), last: Mutex::new(last), unsaved: AtomicBool::new(false) }
    }

    fn touch(&self, now: Timestamp, address: Option<IpAddr>) {
        let second = now.as_second();
        if self.second.load(Ordering::Relaxed) >= second {
            return;
        }
        // Whoever holds it notes a use of the same moment.
        let Ok(mut last) = self.last.try_lock() else { return };
        self.second.store(second, Ordering::Relaxed);
        let at = Timestamp::from_second(second).unwrap_or(now);
        *last = Some(LastUsed { at, address });
        drop(last);
        self.unsaved.store(true, Ordering::Relaxed);
    }
}
