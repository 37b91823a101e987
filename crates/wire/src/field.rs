//! Field lines, the same in heads and trailers.

use crate::Violation;

/// The largest length that every program on the way can hold.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// `tchar` of RFC 9110 section 5.6.2.
pub(crate) const fn is_token_char(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// Takes the CR off a line that has lost its LF, and makes sure that it holds no other.
pub(crate) fn without_cr(line: &[u8]) -> Result<&[u8], Violation> {
    let line = line.strip_suffix(b"\r").ok_or(Violation::BareLf)?;
    if memchr::memchr(b'\r', line).is_some() { Err(Violation::BareCr) } else { Ok(line) }
}

/// Splits a line without its end into name and value.
pub(crate) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::ObsFold);
    }
    let colon = memchr::memchr(b':', line).ok_or(Violation::InvalidFieldName)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(Violation::SpaceBeforeColon);
    }
    if let Some(byte) = name.iter().find(|byte| !is_token_char(**byte)) {
        let control = byte.is_ascii_control() && *byte != b'\t';
        return Err(if control { Violation::ControlCharacter } else { Violation::InvalidFieldName });
    }
    if name.is_empty() {
        return Err(Violation::InvalidFieldName);
    }
    // Without an early end, which lets the compiler look at many bytes at once.
    if value.iter().fold(false, |any, byte| any | (byte.is_ascii_control() && *byte != b'\t')) {
        return Err(Violation::ControlCharacter);
    }
    Ok((name, trim(value)))
}

/// Whether a list has the member `token`, in any case (RFC 9110 section 5.6.1).
pub(crate) fn lists(value: &[u8], token: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|member| trim(member).eq_ignore_ascii_case(token))
}

/// Without optional white space at either end (RFC 9110 section 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The value of `Content-Length`: digits and nothing else (RFC 9110 section 8.6).
pub(crate) fn length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |sum, byte| match byte {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        .filter(|length| *length <= MAX_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::{lists, split, without_cr};
    use crate::Violation;

    #[test]
    fn splits_a_field_and_trims_its_value() {
        assert_eq!(split(b"Name: \t value \t"), Ok((&b"Name"[..], &b"value"[..])));
        assert_eq!(split(b"empty:"), Ok((&b"empty"[..], &b""[..])));
        assert_eq!(split(b"obs-text:\xff\x80"), Ok((&b"obs-text"[..], &b"\xff\x80"[..])));
    }

    #[test]
    fn finds_a_member_of_a_list() {
        assert!(
            lists(b"Close", b"close") && lists(b"x ,\tclose\t,y", b"close") && lists(b",close", b"close")
        );
        assert!(!lists(b"closed", b"close") && !lists(b"", b"close") && !lists(b"x close", b"close"));
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        for (line, violation) in [
            (&b" folded"[..], Violation::ObsFold),
            (b"\tfolded: x", Violation::ObsFold),
            (b"name : x", Violation::SpaceBeforeColon),
            (b"name\t: x", Violation::SpaceBeforeColon),
            (b"na me: x", Violation::InvalidFieldName),
            (b": x", Violation::InvalidFieldName),
            (b"no colon", Violation::InvalidFieldName),
            (b"na\x00me: x", Violation::ControlCharacter),
            (b"name: a\x00b", Violation::ControlCharacter),
            (b"name: a\x0bb", Violation::ControlCharacter),
            (b"name: a\x7f", Violation::ControlCharacter),
            (b"n\xc3\xa4me: x", Violation::InvalidFieldName),
        ] {
            assert_eq!(split(line), Err(violation), "{}", line.escape_ascii());
        }
        assert_eq!(without_cr(b"a"), Err(Violation::BareLf));
        assert_eq!(without_cr(b"a\rb\r"), Err(Violation::BareCr));
    }
}
