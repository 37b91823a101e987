//! Numbers in base 62: digits, capitals, small letters.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes a big-endian number with exactly `width` characters, zeros in front, to the end of `text`. What does not fit into
/// the width is cut off at the front.
pub(crate) fn append(text: &mut String, number: &mut [u8], width: usize) {
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new((0..width).map(|_| ALPHABET[usize::from(divide(number))]).collect());
    text.extend(digits.iter().rev().map(|digit| char::from(*digit)));
}

/// Divides a big-endian number by 62 in place; the remainder.
fn divide(number: &mut [u8]) -> u8 {
    let mut remainder = 0_u16;
    for byte in number {
        let current = remainder << 8 | u16::from(*byte);
        *byte = u8::try_from(current / 62).unwrap_or(u8::MAX);
        remainder = current % 62;
    }
    u8::try_from(remainder).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u128, width: usize) -> String {
        let mut text = String::new();
        append(&mut text, &mut number.to_be_bytes(), width);
        text
    }

    #[test]
    fn numbers_are_written_with_zeros_in_front() {
        for (number, width, text) in
            [(0, 3, "000"), (61, 1, "z"), (62, 2, "10"), (62, 4, "0010"), (u128::from(u32::MAX), 6, "4gfFC3")]
        {
            assert_eq!(written(number, width), text);
        }
    }

    #[test]
    fn thirty_two_bytes_fit_into_forty_three_characters() {
        let mut text = String::new();
        let mut number = [0xff; 32];
        append(&mut text, &mut number, 43);
        assert_eq!(number, [0; 32], "nothing was cut off");
        assert_eq!(text.len(), 43);
    }

    proptest! {
        #[test]
        fn reading_gives_the_number_back(number in any::<u128>()) {
            let value = |c: u8| ALPHABET.iter().position(|known| *known == c).expect("a digit") as u128;
            let read = written(number, 22).bytes().fold(0_u128, |sum, c| sum.wrapping_mul(62).wrapping_add(value(c)));
            prop_assert_eq!(read, number);
        }
    }
}
