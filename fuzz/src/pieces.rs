//! What a body needs must not hang on the pieces in which it comes.

use rest::{BodyLimits, BodyRefusal, Inquiry, Need};

/// Reads a body whole, cut in two and byte by byte, and panics when that makes a difference. `cut` counts from the start and
/// begins anew behind the end.
pub(crate) fn read(inquiry: &Inquiry, body: &[u8], cut: usize) -> Result<Vec<Need>, BodyRefusal> {
    let whole = read_pieces(inquiry, &[body]);
    let (first, second) = body.split_at(cut % (body.len() + 1));
    let single: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(whole, read_pieces(inquiry, &[first, second]), "the pieces of a body matter");
    assert_eq!(whole, read_pieces(inquiry, &single), "the pieces of a body matter");
    whole
}

fn read_pieces(inquiry: &Inquiry, pieces: &[&[u8]]) -> Result<Vec<Need>, BodyRefusal> {
    let mut needs = Vec::new();
    if let Some(plan) = &inquiry.body {
        let mut reader = plan.reader(BodyLimits { text: 256, line: 256, keys: 16, depth: 20 });
        for piece in pieces {
            reader.feed(piece, &mut needs)?;
        }
        reader.finish(&mut needs)?;
    }
    Ok(needs)
}
