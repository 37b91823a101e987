//! What reads inside of compressed bodies, over any bytes. Panics when a promise is broken.

use opensearch_oauth_proxy::inflate::{Coding, InflateError, Inflater};

/// Bytes that any body may inflate to, and how many times its size it may inflate to beyond that. The last piece may be too much.
const ALWAYS: usize = 1024 * 1024;
const RATIO: usize = 100;
const PIECE: usize = 16 * 1024;
/// How many pieces a body is cut into.
const FEW: usize = 256;

/// The first byte chooses the coding and where the body is cut.
pub fn run(bytes: &[u8]) {
    let [cut, body @ ..] = bytes else { return };
    let coding = if cut % 2 == 0 { Coding::Gzip } else { Coding::Deflate };
    let whole = inflate(coding, &[body]);
    let (first, second) = body.split_at(usize::from(*cut) % (body.len() + 1));
    let many: Vec<&[u8]> = body.chunks(1 + body.len() / FEW).collect();
    for pieces in [&[first, second][..], &many] {
        let other = inflate(coding, pieces);
        assert_eq!(other.1.is_ok(), whole.1.is_ok(), "the pieces of a body matter");
        assert!(whole.1.is_err() || other == whole, "the pieces of a body matter");
    }
    let most = ALWAYS.max(RATIO * body.len()) + PIECE;
    assert!(whole.0.len() <= most, "{} bytes became {}", body.len(), whole.0.len());
}

fn inflate(coding: Coding, pieces: &[&[u8]]) -> (Vec<u8>, Result<(), InflateError>) {
    let (mut inflater, mut out) = (Inflater::new(coding), Vec::new());
    let mut read = || {
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            inflater.feed(piece, |inflated| {
                out.extend_from_slice(inflated);
                Ok::<_, InflateError>(())
            })?;
        }
        inflater.finish()
    };
    let outcome = read();
    (out, outcome)
}
