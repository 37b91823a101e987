use super::JsonProblem;

/// Where in a number (RFC 8259, section 6) the reader is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
}

/// A number that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    part: Part,
    length: usize,
    text: [u8; LONGEST],
}

/// More digits than any double prints with, fewer than an integer beyond all doubles has.
const LONGEST: usize = 128;

impl Number {
    pub(crate) const ZERO: Self = Self { part: Part::Zero, length: 0, text: [0; LONGEST] };

    /// Begins a new number with this byte; `false` when none begins so.
    pub(crate) fn begin(&mut self, byte: u8) -> bool {
        self.part = match byte {
            b'-' => Part::Minus,
            b'0' => Part::Zero,
            b'1'..=b'9' => Part::Integer,
            _ => return false,
        };
        self.text[0] = byte;
        self.length = 1;
        true
    }

    /// Takes the next byte; `false` when it does not belong to the number.
    pub(crate) fn take(&mut self, byte: u8) -> Result<bool, JsonProblem> {
        let next = match (self.part, byte) {
            (Part::Minus, b'0') => Part::Zero,
            (Part::Minus, b'1'..=b'9') | (Part::Integer, b'0'..=b'9') => Part::Integer,
            (Part::Zero | Part::Integer, b'.') => Part::Point,
            (Part::Point | Part::Fraction, b'0'..=b'9') => Part::Fraction,
            (Part::Zero | Part::Integer | Part::Fraction, b'e' | b'E') => Part::E,
            (Part::E, b'+' | b'-') => Part::ESign,
            (Part::E | Part::ESign | Part::Exponent, b'0'..=b'9') => Part::Exponent,
            (_, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => return Err(JsonProblem::Number),
            _ => return Ok(false),
        };
        self.part = next;
        *self.text.get_mut(self.length).ok_or(JsonProblem::HugeNumber)? = byte;
        self.length += 1;
        Ok(true)
    }

    /// Whether the number is whole and a double holds it.
    pub(crate) fn end(&self) -> Result<(), JsonProblem> {
        match self.part {
            Part::Zero | Part::Integer | Part::Fraction => Ok(()),
            Part::Exponent => {
                let text = std::str::from_utf8(&self.text[..self.length]).unwrap_or_default();
                let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
                if finite { Ok(()) } else { Err(JsonProblem::HugeNumber) }
            }
            Part::Minus | Part::Point | Part::E | Part::ESign => Err(JsonProblem::Number),
        }
    }
}
