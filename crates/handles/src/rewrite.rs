//! Replaces handles in JSON that passes by.
//!
//! The tokenizer is its own, not that of `rest`: that one decodes a request for judging, and refuses what is fine in an
//! answer (deep nesting, long numbers, keys given twice). Here every byte but those of a handle must come out as it went in,
//! so what counts is where texts, objects and arrays begin and end.

mod problem;
mod scan;

pub use problem::{Problem, RewriteError};

use scan::{Skipped, is_scalar, skip, text_run};

use crate::{
    Kind,
    field::{Field, Here},
    wrapped::LONGEST,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Start,
    /// A key or, right after `{`, the end of the object.
    FirstKey,
    NextKey,
    Key,
    Colon,
    Value,
    /// An element or, right after `[`, the end of the array.
    FirstElement,
    /// A text that is passed on.
    Text,
    /// A text that is a handle.
    Handle(Kind),
    Scalar,
    /// Within an object or array that holds no handle, so many levels deep.
    Skipped(u64),
    SkippedText(u64),
    AfterValue,
    End,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Level {
    Object,
    Array,
}

/// Passes a JSON object through byte for byte, but for the texts at the given fields.
///
/// It keeps no more than one such text, of at most 256 KiB. The body may be cut anywhere. What holds no handle is only
/// followed as far as its texts and brackets go, so not everything that is no JSON is noticed.
///
/// Use it for answers whose `Content-Type` is JSON and which are not compressed, and without their `Content-Length`.
#[derive(Debug)]
pub struct Rewriter {
    fields: Vec<Field>,
    strict: bool,
    state: State,
    /// The open containers that are followed; as many at most as twice the longest path has keys.
    levels: Vec<Level>,
    /// The keys on the way to the value that is read, as far as they lead to a field.
    trail: Vec<&'static str>,
    /// Whether the last of these is the key of the value that is read.
    on_trail: bool,
    /// The key or handle that is read, with its quotes.
    text: Vec<u8>,
    /// Whether the byte before this one was a backslash that escapes it.
    escaped: bool,
    /// Bytes read in earlier pieces.
    read: u64,
    /// The ways to known keys that a request has had, so that each has one meaning.
    seen: Vec<Vec<&'static str>>,
}

impl Rewriter {
    /// Replaces what stands at these fields.
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Self {
        Self {
            fields: fields.into_iter().collect(),
            strict: false,
            state: State::Start,
            levels: Vec::new(),
            trail: Vec::new(),
            on_trail: false,
            text: Vec::new(),
            escaped: false,
            read: 0,
            seen: Vec::new(),
        }
    }

    /// Reads the next bytes and appends to `out` what may be passed on. `replace` gets each handle, decoded, and says what
    /// to write instead; `None` leaves it as it is.
    pub fn feed<E>(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        replace: &mut impl FnMut(Kind, &str) -> Result<Option<String>, E>,
    ) -> Result<(), RewriteError<E>> {
        let read = self.read;
        let wrong = |at: usize, problem| RewriteError::Json { at: read + at as u64, problem };
        let mut at = 0;
        // What stands before this is in `out`, or kept as a part of a handle.
        let mut passed = 0;
        while at < bytes.len() {
            match self.state {
                State::Handle(kind) => {
                    let (length, ended) = text_run(&mut self.escaped, &bytes[at..]);
                    if self.text.len() + length > LONGEST {
                        return Err(wrong(at, Problem::LongText));
                    }
                    self.text.extend_from_slice(&bytes[at..at + length]);
                    at += length;
                    passed = at;
                    if ended {
                        let text: String =
                            serde_json::from_slice(&self.text).map_err(|_| wrong(at - 1, Problem::Text))?;
                        match replace(kind, &text).map_err(RewriteError::Handle)? {
                            Some(new) => {
                                out.extend_from_slice(serde_json::Value::String(new).to_string().as_bytes());
                            }
                            None => out.extend_from_slice(&self.text),
                        }
                        self.value_ended();
                    }
                }
                State::Key | State::Text | State::SkippedText(_) => {
                    let (length, ended) = text_run(&mut self.escaped, &bytes[at..]);
                    if self.state == State::Key {
                        // A longer one cannot be one that leads to a field, and is not kept.
                        let room = self.longest_key().saturating_sub(self.text.len());
                        self.text.extend_from_slice(&bytes[at..at + length.min(room)]);
                    }
                    at += length;
                    if ended {
                        self.text_ended().map_err(|problem| wrong(at - 1, problem))?;
                    }
                }
                State::Skipped(depth) => {
                    let (length, until) = skip(&bytes[at..], depth)
                        .map_err(|length| wrong(at + length, Problem::Unexpected))?;
                    at += length;
                    match until {
                        Skipped::Bytes(depth) => self.state = State::Skipped(depth),
                        Skipped::UntilText(depth) => self.state = State::SkippedText(depth),
                        Skipped::Whole => self.value_ended(),
                    }
                }
                _ => {
                    let taken = self.step(bytes[at]).map_err(|problem| wrong(at, problem))?;
                    if matches!(self.state, State::Handle(_)) {
                        out.extend_from_slice(&bytes[passed..at]);
                        passed = at + 1;
                    }
                    at += usize::from(taken);
                }
            }
        }
        out.extend_from_slice(&bytes[passed..]);
        self.read += bytes.len() as u64;
        Ok(())
    }

    /// The body has ended; to be called before its end is passed on.
    pub fn finish<E>(&self) -> Result<(), RewriteError<E>> {
        match self.state {
            State::End => Ok(()),
            State::Start => Err(RewriteError::Json { at: self.read, problem: Problem::NotAnObject }),
            _ => Err(RewriteError::Json { at: self.read, problem: Problem::Incomplete }),
        }
    }

    /// One byte outside of texts; `false` when it is to be read again.
    fn step(&mut self, byte: u8) -> Result<bool, Problem> {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match (self.state, byte) {
            (State::Scalar, _) if is_scalar(byte) => {}
            (State::Scalar, _) => {
                self.value_ended();
                return Ok(false);
            }
            _ if blank => {}
            (State::Start, b'{') => self.open(Level::Object),
            (State::Start, _) => return Err(Problem::NotAnObject),
            (State::FirstKey | State::NextKey, b'"') => {
                self.state = State::Key;
                self.begin_text();
            }
            (State::FirstKey, b'}') | (State::FirstElement, b']') => self.close(),
            (State::Colon, b':') => self.state = State::Value,
            (State::Value | State::FirstElement, _) => self.value(byte)?,
            (State::AfterValue, _) => match (self.levels.last(), byte) {
                (Some(Level::Object), b',') => self.state = State::NextKey,
                (Some(Level::Array), b',') => self.state = State::Value,
                (Some(Level::Object), b'}') | (Some(Level::Array), b']') => self.close(),
                _ => return Err(Problem::Unexpected),
            },
            (State::End, _) => return Err(Problem::Trailing),
            _ => return Err(Problem::Unexpected),
        }
        Ok(true)
    }

    fn value(&mut self, byte: u8) -> Result<(), Problem> {
        let in_array = self.levels.last() == Some(&Level::Array);
        let here =
            if in_array || self.on_trail { Here::at(&self.fields, &self.trail) } else { Here::default() };
        let other = matches!(byte, b'{' | b'[') || is_scalar(byte);
        let followed = (byte == b'{' && here.deeper) || (byte == b'[' && !in_array);
        if self.strict && here.handle.is_some() && other && !followed {
            return Err(Problem::NotText);
        }
        match byte {
            b'"' => {
                self.state = here.handle.map_or(State::Text, State::Handle);
                self.begin_text();
            }
            b'{' if here.deeper => self.open(Level::Object),
            b'[' if !in_array && here != Here::default() => self.open(Level::Array),
            b'[' if self.strict && here != Here::default() => return Err(Problem::NotText),
            b'{' | b'[' => self.state = State::Skipped(1),
            _ if is_scalar(byte) => self.state = State::Scalar,
            _ => return Err(Problem::Unexpected),
        }
        Ok(())
    }

    fn open(&mut self, level: Level) {
        self.levels.push(level);
        self.on_trail = false;
        self.state = if level == Level::Object { State::FirstKey } else { State::FirstElement };
    }

    fn close(&mut self) {
        self.levels.pop();
        // An array, and an object other than the first, was opened as the value of a key on the trail, or within an array.
        self.on_trail = self.levels.last() == Some(&Level::Object);
        self.value_ended();
    }

    fn value_ended(&mut self) {
        if std::mem::take(&mut self.on_trail) {
            self.trail.pop();
        }
        self.state = if self.levels.is_empty() { State::End } else { State::AfterValue };
    }

    fn begin_text(&mut self) {
        self.escaped = false;
        self.text.clear();
        self.text.push(b'"');
    }

    fn text_ended(&mut self) -> Result<(), Problem> {
        match self.state {
            State::Key => {
                if let Some(key) = self.known_key() {
                    self.trail.push(key);
                    self.on_trail = true;
                    if self.strict {
                        if self.seen.contains(&self.trail) {
                            return Err(Problem::DuplicateKey);
                        }
                        self.seen.push(self.trail.clone());
                    }
                }
                self.state = State::Colon;
            }
            State::SkippedText(depth) => self.state = State::Skipped(depth),
            _ => self.value_ended(),
        }
        Ok(())
    }

    /// The key that was read, if it leads on to a field. Equal is what a parser reads as equal, so escapes count.
    fn known_key(&self) -> Option<&'static str> {
        let decoded: String;
        let key = if self.text.contains(&b'\\') {
            decoded = serde_json::from_slice(&self.text).ok()?;
            decoded.as_bytes()
        } else {
            self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")?
        };
        let next = |field: &Field| {
            let (before, rest) = field.path.split_at_checked(self.trail.len())?;
            rest.first().copied().filter(|next| before == self.trail && next.as_bytes() == key)
        };
        self.fields.iter().find_map(next)
    }

    /// The longest text, with quotes, that is one of the keys: every byte of it can be written as an escape of six.
    fn longest_key(&self) -> usize {
        let keys = self.fields.iter().flat_map(|field| field.path);
        keys.map(|key| 6 * key.len()).max().unwrap_or(0) + 2
    }
}

/// The same for a whole request body. Everything at the fields must be a text or an array of texts, so that no handle
/// reaches the engine unseen; a body that cannot be followed with certainty is refused.
pub fn rewrite<E>(
    fields: impl IntoIterator<Item = Field>,
    body: &[u8],
    replace: &mut impl FnMut(Kind, &str) -> Result<Option<String>, E>,
) -> Result<Vec<u8>, RewriteError<E>> {
    // A lenient decoder could read bytes that are no UTF-8 as the letters of a key.
    if let Err(error) = std::str::from_utf8(body) {
        return Err(RewriteError::Json { at: error.valid_up_to() as u64, problem: Problem::NotUtf8 });
    }
    let mut rewriter = Rewriter { strict: true, ..Rewriter::new(fields) };
    let mut out = Vec::with_capacity(body.len());
    rewriter.feed(body, &mut out, replace)?;
    rewriter.finish()?;
    Ok(out)
}
