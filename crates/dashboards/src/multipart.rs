//! Forms that carry files (RFC 7578), in the one form that every parser reads alike.
//!
//! Nothing stands before the first boundary and after the last; lines end with CR LF; a part has a
//! `Content-Disposition` in its plainest spelling, and at most a `Content-Type` beside it, or a transfer encoding that
//! says that there is none. Any other would make the bytes of the part mean something else, and is refused with all
//! other headers.

use memchr::memchr;
use rest::{BodyRefusal, MultipartProblem};

/// The boundary of a media type `multipart/form-data` (RFC 2046, section 5.1.1, without the space that it allows inside).
pub(crate) fn boundary(content_type: Option<&str>) -> Option<Box<str>> {
    let (essence, parameter) = content_type?.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("boundary") {
        return None;
    }
    let value = value.trim_end_matches([' ', '\t']);
    let quoted = value.strip_prefix('"').map(|rest| rest.strip_suffix('"'));
    let (value, quoted) = match quoted {
        Some(inner) => (inner?, true),
        None => (value, false),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'+_-.".contains(&byte);
    let special = |byte: u8| quoted && b"(),/:=?".contains(&byte);
    let fits = (1..=70).contains(&value.len()) && value.bytes().all(|byte| plain(byte) || special(byte));
    fits.then(|| value.into())
}

/// The headers of a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: Box<str>,
    /// Whether it is a file.
    pub(crate) is_file: bool,
}

/// What a form consists of, in order.
pub(crate) trait Parts {
    /// A part begins.
    fn begin(&mut self, part: &Part) -> Result<(), MultipartProblem>;
    /// Bytes of the part that are at `at` in the form.
    fn content(&mut self, bytes: &[u8], at: u64) -> Result<(), BodyRefusal>;
    /// The part ends at `at`.
    fn end(&mut self, at: u64) -> Result<(), BodyRefusal>;
}

/// Splits a form into its parts as it comes.
#[derive(Debug)]
pub(crate) struct Splitter {
    /// CR LF, two hyphens and the boundary.
    delimiter: Box<[u8]>,
    state: State,
    /// Of the next byte.
    offset: u64,
    line_limit: usize,
}

#[derive(Debug)]
enum State {
    /// The first boundary is due; so many bytes of the delimiter are there (its CR LF is not in the form).
    First {
        matched: usize,
    },
    /// In a part; so many bytes of a delimiter are there.
    Content {
        matched: usize,
    },
    /// After a delimiter, with the byte after it.
    Delimited {
        first: Option<u8>,
    },
    Headers {
        text: Vec<u8>,
    },
    /// After the last boundary; so many bytes of a last CR LF are there.
    End {
        matched: usize,
    },
}

const LINE_END: &[u8] = b"\r\n";

impl Splitter {
    pub(crate) fn new(boundary: &str, line_limit: usize) -> Self {
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat().into();
        Self { delimiter, state: State::First { matched: LINE_END.len() }, offset: 0, line_limit }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], parts: &mut impl Parts) -> Result<(), BodyRefusal> {
        let mut at = 0;
        while at < bytes.len() {
            let taken = self.step(&bytes[at..], parts)?;
            at += taken;
            self.offset += taken as u64;
        }
        Ok(())
    }

    /// Whether the form is whole.
    pub(crate) fn finish(&self) -> Result<(), BodyRefusal> {
        match self.state {
            State::End { matched: 0 | 2 } => Ok(()),
            _ => Err(self.refuse(MultipartProblem::Incomplete)),
        }
    }

    fn refuse(&self, problem: MultipartProblem) -> BodyRefusal {
        BodyRefusal::Multipart { at: self.offset, problem }
    }

    /// Takes at least one byte, and says how many.
    fn step(&mut self, bytes: &[u8], parts: &mut impl Parts) -> Result<usize, BodyRefusal> {
        let Some(&byte) = bytes.first() else { return Ok(0) };
        match &mut self.state {
            State::First { matched } => {
                if self.delimiter[*matched] != byte {
                    return Err(self.refuse(MultipartProblem::Due));
                }
                *matched += 1;
                if *matched == self.delimiter.len() {
                    self.state = State::Delimited { first: None };
                }
            }
            State::Content { matched: 0 } => {
                let length = memchr(b'\r', bytes).unwrap_or(bytes.len());
                if length > 0 {
                    parts.content(&bytes[..length], self.offset)?;
                    return Ok(length);
                }
                self.state = State::Content { matched: 1 };
            }
            State::Content { matched } => {
                let held = *matched;
                if self.delimiter[held] != byte {
                    // Only its first byte is a CR, so nothing of what was held back can begin another.
                    let start = self.offset - held as u64;
                    parts.content(&self.delimiter[..held], start)?;
                    self.state = State::Content { matched: 0 };
                    return Ok(0);
                }
                *matched += 1;
                if held + 1 == self.delimiter.len() {
                    parts.end(self.offset - held as u64)?;
                    self.state = State::Delimited { first: None };
                }
            }
            State::Delimited { first } => match (*first, byte) {
                (None, b'\r' | b'-') => *first = Some(byte),
                (Some(b'\r'), b'\n') => self.state = State::Headers { text: Vec::new() },
                (Some(b'-'), b'-') => self.state = State::End { matched: 0 },
                _ => return Err(self.refuse(MultipartProblem::Due)),
            },
            State::Headers { text } => {
                text.push(byte);
                if text.ends_with(b"\r\n\r\n") {
                    let part = part(text).ok_or(MultipartProblem::Headers);
                    let begun = part.and_then(|part| parts.begin(&part));
                    begun.map_err(|problem| self.refuse(problem))?;
                    self.state = State::Content { matched: 0 };
                } else if text.len() >= self.line_limit {
                    return Err(self.refuse(MultipartProblem::Headers));
                }
            }
            State::End { matched } => {
                if LINE_END.get(*matched) != Some(&byte) {
                    return Err(self.refuse(MultipartProblem::Due));
                }
                *matched += 1;
            }
        }
        Ok(1)
    }
}

/// The headers of a part, if they are of the one form that is understood.
fn part(text: &[u8]) -> Option<Part> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?.strip_suffix("\r\n\r\n")?;
    let (mut part, mut media, mut encoding) = (None, false, false);
    for line in text.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_matches([' ', '\t']);
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return None;
        }
        if name.eq_ignore_ascii_case("content-disposition") && part.is_none() {
            part = Some(disposition(value)?);
        } else if name.eq_ignore_ascii_case("content-type") && !media {
            media = true;
            // A form within a form would be taken apart once more.
            if value.to_ascii_lowercase().starts_with("multipart") {
                return None;
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") && !encoding {
            encoding = true;
            // RFC 2045, section 6.2: these three leave the bytes as they are.
            if !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain)) {
                return None;
            }
        } else {
            return None;
        }
    }
    part
}

/// `form-data; name="…"`, or the same with `; filename="…"`.
fn disposition(value: &str) -> Option<Part> {
    let mut parameters = value.split(';').map(|piece| piece.trim_matches([' ', '\t']));
    if !parameters.next()?.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let name = quoted(parameters.next()?, "name")?;
    let filename = match parameters.next() {
        Some(parameter) => Some(quoted(parameter, "filename")?),
        None => None,
    };
    if parameters.next().is_some() {
        return None;
    }
    Some(Part { name: name.into(), is_file: filename.is_some() })
}

fn quoted<'v>(parameter: &'v str, name: &str) -> Option<&'v str> {
    let (found, value) = parameter.split_once('=')?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !value.is_empty() && !value.contains(['"', '\\', '%']);
    (found.eq_ignore_ascii_case(name) && plain).then_some(value)
}
