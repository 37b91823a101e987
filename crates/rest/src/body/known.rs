//! Heads of NDJSON lines that say what another one said before.

use memchr::{memchr, memchr2, memrchr};

/// Heads that were read and told nothing new, each with what came of it. While only such heads are read, any of them
/// would tell nothing again. Shippers send many that are the same but for the id of the document.
#[derive(Debug)]
pub(crate) struct Known<T> {
    heads: Vec<(Vec<u8>, T)>,
    /// Where the one is that was met or kept last.
    last: usize,
    /// How many heads may go on to resemble none before only the last one is looked at.
    patience: usize,
}

/// Enough for a bulk that takes turns between a few indices.
const HEADS: usize = 8;
/// Looking at all of them costs as much as reading a head.
const PATIENCE: usize = 4 * HEADS;
/// Bytes of a head that is worth keeping.
const LONGEST: usize = 256;
/// What comes before an id. It is a text in which nothing matters, wherever in the head it stands.
const ID: &[u8] = b"\"_id\":\"";

impl<T: Copy> Known<T> {
    pub(crate) const fn new() -> Self {
        Self { heads: Vec::new(), last: 0, patience: PATIENCE }
    }

    /// To be called when a head told something.
    pub(crate) fn forget(&mut self) {
        self.heads.clear();
    }

    /// Keeps this head, which is valid JSON. One with escapes is not kept, so that each `"` in it begins or ends a text.
    pub(crate) fn keep(&mut self, head: &[u8], then: T) {
        if head.len() > LONGEST || memchr(b'\\', head).is_some() {
            return;
        }
        if self.heads.len() < HEADS {
            self.last = self.heads.len();
            self.heads.push((head.to_vec(), then));
            return;
        }
        self.last = (self.last + 1) % HEADS;
        if let Some((kept, after)) = self.heads.get_mut(self.last) {
            kept.clear();
            kept.extend_from_slice(head);
            *after = then;
        }
    }

    /// What comes of this head, if a known one says the same.
    pub(crate) fn then(&mut self, head: &[u8]) -> Option<T> {
        let count = self.heads.len();
        if count == 0 || head.is_empty() || head.len() > LONGEST {
            return None;
        }
        // The same again, or the next of those that take turns.
        let all = (self.last..count).chain(0..self.last.min(count));
        for at in all.take(if self.patience > 0 { count } else { 1 }) {
            let (known, then) = self.heads.get(at)?;
            if says_the_same(known, head) {
                self.last = at;
                self.patience = PATIENCE;
                return Some(*then);
            }
        }
        self.patience = self.patience.saturating_sub(1);
        None
    }
}

/// Whether a head is the known one, or differs from it in one plain id.
fn says_the_same(known: &[u8], head: &[u8]) -> bool {
    let Some(differs) = known.iter().zip(head).position(|(one, other)| one != other) else {
        return known.len() == head.len();
    };
    let Some(quote) = memrchr(b'"', &known[..differs]) else { return false };
    let (before, id) = known.split_at(quote + 1);
    let Some(after) = memchr(b'"', id).map(|end| &id[end..]).filter(|_| before.ends_with(ID)) else {
        return false;
    };
    let Some(other) = head.get(before.len()..).and_then(|rest| rest.strip_suffix(after)) else {
        return false;
    };
    memchr2(b'"', b'\\', other).is_none() && other.iter().all(|byte| matches!(byte, b' '..=b'~'))
}
