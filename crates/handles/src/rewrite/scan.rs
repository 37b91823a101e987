//! Where texts and brackets end, without regard to what they mean.

use memchr::memchr2;

/// How far the skipping came; the numbers are the levels that are open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Skipped {
    /// The bytes ended first.
    Bytes(u64),
    /// A text begins.
    UntilText(u64),
    /// What was to be skipped has ended.
    Whole,
}

/// How far a text goes, its closing quote included, and whether that is there.
pub(super) fn text_run(escaped: &mut bool, bytes: &[u8]) -> (usize, bool) {
    let mut at = usize::from(std::mem::take(escaped));
    loop {
        match memchr2(b'"', b'\\', &bytes[at..]) {
            None => return (bytes.len(), false),
            Some(found) if bytes[at + found] == b'"' => return (at + found + 1, true),
            Some(found) => at += found + 2,
        }
        if at > bytes.len() {
            *escaped = true;
            return (bytes.len(), false);
        }
    }
}

/// Goes on to the next text, to the end of what is skipped, or to the end of the bytes. An error is where a byte
/// stands that JSON does not have outside of texts.
pub(super) fn skip(bytes: &[u8], mut depth: u64) -> Result<(usize, Skipped), usize> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => return Ok((at + 1, Skipped::UntilText(depth))),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok((at + 1, Skipped::Whole));
                }
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            byte if is_scalar(*byte) => {}
            _ => return Err(at),
        }
    }
    Ok((bytes.len(), Skipped::Bytes(depth)))
}

/// The characters of numbers, `true`, `false` and `null`.
pub(super) fn is_scalar(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9'
            | b'+'
            | b'-'
            | b'.'
            | b'E'
            | b'a'
            | b'e'
            | b'f'
            | b'l'
            | b'n'
            | b'r'
            | b's'
            | b't'
            | b'u'
    )
}
