//! Inputs changed at random, the same ones for the same seed.

/// Bytes that mean something to one of the readers.
const NASTY: &[u8] = b"\r\n\t\0 :;#,+-%?&=/\\.*_{}[]\"'`<>|()x0159aGH\x7f\xc3\xa9\xff";

/// `SplitMix64` (Steele, Lea and Flood 2014): small, and good enough to choose by.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; zero for zero.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap().max(1);
        usize::try_from(self.next() % bound).unwrap()
    }

    /// One of the corpus with up to four changes.
    pub(crate) fn change(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = bytes.len().min(at + 1 + self.below(24));
            match self.below(6) {
                0 => bytes.insert(at, NASTY[self.below(NASTY.len())]),
                1 if at < bytes.len() => bytes[at] = NASTY[self.below(NASTY.len())],
                2 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                3 => drop(bytes.drain(at..end)),
                4 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes.truncate(4096);
        bytes
    }
}
