//! Heads of NDJSON lines that say what another one said before.

use std::sync::LazyLock;

use memchr::{memchr2, memmem::Finder};

/// Heads that were read and told nothing new, each with what came of it. While only such heads are read, any of them
/// would tell nothing again. Shippers send many that are the same but for the id of the document.
#[derive(Debug)]
pub(crate) struct Known<T> {
    /// Sets of heads, chosen by a hash of what they say; empty before the first is kept.
    sets: Vec<[Option<Head<T>>; WAYS]>,
    /// Heads of an earlier era are forgotten.
    era: u64,
    /// Where the one is that was met or kept last.
    last: (usize, usize),
}

/// What a head says, which is all of it but its id.
#[derive(Debug)]
struct Head<T> {
    /// What comes before the id and what comes after it.
    text: Vec<u8>,
    /// Where in `text` the id was; all of it comes before when the head has none.
    id_at: usize,
    then: T,
    era: u64,
}

/// Together enough for a bulk that takes turns between many indices.
const SETS: usize = 64;
const WAYS: usize = 4;
/// Bytes of a head that is worth keeping.
const LONGEST: usize = 256;
/// What comes before an id. It is a text in which nothing matters, wherever in the head it stands.
const ID: &[u8] = b"\"_id\":\"";
static ID_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ID));

impl<T: Copy> Known<T> {
    pub(crate) const fn new() -> Self {
        Self { sets: Vec::new(), era: 0, last: (0, 0) }
    }

    /// To be called when a head told something.
    pub(crate) fn forget(&mut self) {
        self.era += 1;
    }

    /// Keeps this head, which is valid JSON. One with escapes is not kept, so that each `"` in it begins or ends a text.
    pub(crate) fn keep(&mut self, head: &[u8], then: T) {
        if head.len() > LONGEST || head.contains(&b'\\') {
            return;
        }
        let Some((before, after)) = split(head) else { return };
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Default::default);
        }
        let at = set(before, after);
        let Some(heads) = self.sets.get_mut(at) else { return };
        let way = heads.iter().position(|head| head.as_ref().is_none_or(|head| head.era != self.era));
        // In a full set whichever follows the way that was used last, so that none is safe from being replaced.
        let way = way.unwrap_or((self.last.1 + 1) % WAYS);
        let mut text = heads[way].take().map_or_else(Vec::new, |head| head.text);
        text.clear();
        text.extend_from_slice(before);
        text.extend_from_slice(after);
        heads[way] = Some(Head { text, id_at: before.len(), then, era: self.era });
        self.last = (at, way);
    }

    /// What comes of this head, if a known one says the same.
    pub(crate) fn then(&mut self, head: &[u8]) -> Option<T> {
        if head.is_empty() || head.len() > LONGEST {
            return None;
        }
        let again = self.sets.get(self.last.0).and_then(|heads| heads[self.last.1].as_ref());
        if let Some(known) = again.filter(|known| known.era == self.era && known.is_said_by(head)) {
            return Some(known.then);
        }
        let (before, after) = split(head)?;
        let at = set(before, after);
        let heads = self.sets.get(at)?;
        let way = heads.iter().position(|known| {
            known.as_ref().is_some_and(|known| known.era == self.era && known.says(before, after))
        })?;
        self.last = (at, way);
        heads[way].as_ref().map(|known| known.then)
    }
}

/// What a head says before and after its id. `None` for an id that is not plain.
fn split(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(key) = ID_FINDER.find(head) else { return Some((head, &[])) };
    let (before, rest) = head.split_at(key + ID.len());
    let (id, after) = rest.split_at(memchr2(b'"', b'\\', rest)?);
    (after.starts_with(b"\"") && is_plain(id)).then_some((before, after))
}

/// Whether these bytes need no thought in a text that `"` and `\` are known not to be in.
fn is_plain(id: &[u8]) -> bool {
    id.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

impl<T> Head<T> {
    fn says(&self, before: &[u8], after: &[u8]) -> bool {
        self.text.split_at(self.id_at) == (before, after)
    }

    /// The same, asked without looking for the id first.
    fn is_said_by(&self, head: &[u8]) -> bool {
        let (before, after) = self.text.split_at(self.id_at);
        let id = head.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let has_id = !after.is_empty();
        id.is_some_and(|id| (has_id || id.is_empty()) && memchr2(b'"', b'\\', id).is_none() && is_plain(id))
    }
}

/// Where heads that say this are kept. Whoever finds many for one set has his own bulks read closely.
fn set(before: &[u8], after: &[u8]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(23);
    let mut hash = 0;
    for part in [before, after] {
        let (words, rest) = part.as_chunks::<8>();
        hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        hash = rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    }
    usize::from(hash.to_le_bytes()[7]) % SETS
}
