use super::JsonProblem;
use super::number::Number;
use super::utf8::Utf8;

/// What opens and closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Container {
    /// `{}`
    Object,
    /// `[]`
    Array,
}

/// A value that is no text and opens nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `false`
    False,
    /// A number or `true`.
    Other,
}

/// Which texts a [`Sink`] wants to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capture {
    /// It is kept and handed over.
    Text,
    /// It is passed over.
    Nothing,
}

/// Takes what the lexer reads, in order.
///
/// An error stops the lexer and is its outcome.
pub trait Sink {
    /// Whether the key that begins is wanted; when not, [`Self::key`] is not called.
    fn wants_key(&self) -> Capture;
    /// Whether the text that begins is wanted; when not, [`Self::text`] gets an empty one.
    fn wants_text(&self) -> Capture;
    /// A key of the open object; its value comes next.
    fn key(&mut self, key: &str) -> Result<(), JsonProblem>;
    /// A text as a value.
    fn text(&mut self, text: &str) -> Result<(), JsonProblem>;
    /// Another value that opens nothing.
    fn scalar(&mut self, scalar: Scalar) -> Result<(), JsonProblem>;
    /// An object or array begins.
    fn open(&mut self, container: Container) -> Result<(), JsonProblem>;
    /// The innermost object or array ends.
    fn close(&mut self) -> Result<(), JsonProblem>;
    /// A text or key holds `{{`, which a template engine would act on. Only called by a lexer that watches.
    fn template(&mut self);
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Value,
    /// A value or, right after `[`, the end of the array.
    FirstElement,
    /// A key or, right after `{`, the end of the object.
    FirstKey,
    NextKey,
    Colon,
    AfterValue,
    Text,
    Escape,
    Hex {
        digits: u8,
        value: u16,
    },
    Number,
    Word {
        rest: &'static [u8],
        scalar: Scalar,
    },
    End,
}

/// Reads one JSON object, or also one array if it is told to.
#[derive(Debug)]
pub struct Lexer {
    state: State,
    /// One bit for each open container, the innermost lowest: 1 for an object.
    nesting: u128,
    depth: u32,
    depth_limit: u32,
    text: Vec<u8>,
    text_limit: usize,
    capture: Capture,
    is_key: bool,
    high: Option<u16>,
    watches_templates: bool,
    /// What may stand at the top; `None`: either.
    top: Option<Container>,
    after_brace: bool,
    number: Number,
    utf8: Utf8,
}

impl Lexer {
    /// `depth_limit` is at most 127; `text_limit` bounds the texts that are captured, in bytes.
    pub fn new(depth_limit: u32, text_limit: usize, watches_templates: bool) -> Self {
        Self {
            state: State::Start,
            nesting: 0,
            depth: 0,
            depth_limit: depth_limit.min(127),
            text: Vec::new(),
            text_limit,
            capture: Capture::Nothing,
            is_key: false,
            high: None,
            watches_templates,
            top: Some(Container::Object),
            after_brace: false,
            number: Number::ZERO,
            utf8: Utf8::default(),
        }
    }

    /// The same, which takes an array at the top, too.
    #[must_use]
    pub fn with_arrays(self) -> Self {
        Self { top: None, ..self }
    }

    /// Prepares for the next object.
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.nesting = 0;
        self.depth = 0;
        self.high = None;
        self.utf8 = Utf8::default();
    }

    /// Whether nothing but white space was read.
    pub fn is_empty(&self) -> bool {
        matches!(self.state, State::Start)
    }

    /// Whether the object is whole.
    pub fn finish(&self) -> Result<(), JsonProblem> {
        match self.state {
            State::End => Ok(()),
            _ => Err(JsonProblem::Incomplete),
        }
    }

    /// Reads the next bytes. An error carries where in `bytes` it is, and is the same however the text is cut.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<(), (usize, JsonProblem)> {
        match self.utf8.feed(bytes) {
            Ok(()) => self.read(bytes, sink),
            // What is wrong before that comes first.
            Err((wrong, problem)) => self.read(&bytes[..wrong], sink).and(Err((wrong, problem))),
        }
    }

    fn read(&mut self, bytes: &[u8], sink: &mut impl Sink) -> Result<(), (usize, JsonProblem)> {
        let mut at = 0;
        while at < bytes.len() {
            if matches!(self.state, State::Text) && self.high.is_none() {
                at += self.plain_text(&bytes[at..]).map_err(|(taken, problem)| (at + taken, problem))?;
                if at == bytes.len() {
                    break;
                }
            }
            let again = self.byte(bytes[at], sink).map_err(|problem| (at, problem))?;
            at += usize::from(!again);
        }
        Ok(())
    }

    /// Takes the run of bytes of a text that need no thought; returns how many, also with an error.
    fn plain_text(&mut self, bytes: &[u8]) -> Result<usize, (usize, JsonProblem)> {
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        let length = if self.watches_templates {
            let watched = |byte: u8| plain(byte) && byte != b'{';
            bytes.iter().position(|byte| !watched(*byte))
        } else {
            bytes.iter().position(|byte| !plain(*byte))
        };
        let length = length.unwrap_or(bytes.len());
        if length > 0 {
            self.after_brace = false;
            let room = self.text_limit.saturating_sub(self.text.len());
            self.push(&bytes[..length]).map_err(|problem| (room, problem))?;
        }
        Ok(length)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), JsonProblem> {
        if self.capture == Capture::Nothing {
            return Ok(());
        }
        if self.text.len() + bytes.len() > self.text_limit {
            return Err(JsonProblem::LongText);
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes one byte; `true` when it must be read again in the new state.
    fn byte(&mut self, byte: u8, sink: &mut impl Sink) -> Result<bool, JsonProblem> {
        let white = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Start => match byte {
                _ if white => {}
                b'{' => self.open(Container::Object, sink)?,
                b'[' if self.top.is_none() => self.open(Container::Array, sink)?,
                0xEF => return Err(JsonProblem::ByteOrderMark),
                _ => return Err(JsonProblem::NotAnObject),
            },
            State::End if white => {}
            State::End => return Err(JsonProblem::Trailing),
            State::Text => self.text_byte(byte, sink)?,
            State::Escape => self.escape(byte, sink)?,
            State::Hex { digits, value } => self.hex(byte, digits, value, sink)?,
            State::Number => {
                if !self.number.take(byte)? {
                    self.number.end()?;
                    sink.scalar(Scalar::Other)?;
                    self.state = State::AfterValue;
                    return Ok(true);
                }
            }
            State::Word { rest, scalar } => match rest.split_first() {
                Some((expected, rest)) if *expected == byte => {
                    self.state = State::Word { rest, scalar };
                    if rest.is_empty() {
                        sink.scalar(scalar)?;
                        self.state = State::AfterValue;
                    }
                }
                _ => return Err(JsonProblem::Unexpected),
            },
            _ if white => {}
            State::FirstElement if byte == b']' => self.close(sink)?,
            State::Value | State::FirstElement => self.value(byte, sink)?,
            State::FirstKey if byte == b'}' => self.close(sink)?,
            State::FirstKey | State::NextKey => match byte {
                b'"' => self.begin_text(true, sink.wants_key()),
                _ => return Err(JsonProblem::Unexpected),
            },
            State::Colon => match byte {
                b':' => self.state = State::Value,
                _ => return Err(JsonProblem::Unexpected),
            },
            State::AfterValue => match (byte, self.in_object()) {
                (b',', true) => self.state = State::NextKey,
                (b',', false) => self.state = State::Value,
                (b'}', true) | (b']', false) => self.close(sink)?,
                _ => return Err(JsonProblem::Unexpected),
            },
        }
        Ok(false)
    }

    fn in_object(&self) -> bool {
        self.nesting & 1 == 1
    }

    fn value(&mut self, byte: u8, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        let word = |rest, scalar| State::Word { rest, scalar };
        match byte {
            b'"' => self.begin_text(false, sink.wants_text()),
            b'{' => self.open(Container::Object, sink)?,
            b'[' => self.open(Container::Array, sink)?,
            b't' => self.state = word(b"rue", Scalar::Other),
            b'f' => self.state = word(b"alse", Scalar::False),
            b'n' => self.state = word(b"ull", Scalar::Null),
            _ => {
                if !self.number.begin(byte) {
                    return Err(JsonProblem::Unexpected);
                }
                self.state = State::Number;
            }
        }
        Ok(())
    }

    fn open(&mut self, container: Container, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        if self.depth >= self.depth_limit {
            return Err(JsonProblem::Depth);
        }
        let object = container == Container::Object;
        self.depth += 1;
        self.nesting = self.nesting << 1 | u128::from(object);
        self.state = if object { State::FirstKey } else { State::FirstElement };
        sink.open(container)
    }

    fn close(&mut self, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        self.depth -= 1;
        self.nesting >>= 1;
        self.state = if self.depth == 0 { State::End } else { State::AfterValue };
        sink.close()
    }

    fn begin_text(&mut self, is_key: bool, capture: Capture) {
        self.state = State::Text;
        self.is_key = is_key;
        self.capture = capture;
        self.after_brace = false;
        self.text.clear();
    }

    fn text_byte(&mut self, byte: u8, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        match byte {
            b'\\' => self.state = State::Escape,
            _ if self.high.is_some() => return Err(JsonProblem::Surrogate),
            b'"' => return self.end_text(sink),
            0..=0x1F => return Err(JsonProblem::Control),
            _ => self.character(char::from(byte), sink)?,
        }
        Ok(())
    }

    fn end_text(&mut self, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        let text = std::str::from_utf8(&self.text).map_err(|_| JsonProblem::NotUtf8)?;
        if !self.is_key {
            self.state = State::AfterValue;
            return sink.text(text);
        }
        self.state = State::Colon;
        if self.capture == Capture::Text { sink.key(text) } else { Ok(()) }
    }

    /// Takes a decoded character; those that are not ASCII only come from escapes.
    fn character(&mut self, character: char, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        if character == '{' && self.after_brace && self.watches_templates {
            sink.template();
        }
        self.after_brace = character == '{';
        self.push(character.encode_utf8(&mut [0; 4]).as_bytes())
    }

    fn escape(&mut self, byte: u8, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        if byte == b'u' {
            self.state = State::Hex { digits: 0, value: 0 };
            return Ok(());
        }
        if self.high.is_some() {
            return Err(JsonProblem::Surrogate);
        }
        let character = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => return Err(JsonProblem::Escape),
        };
        self.state = State::Text;
        self.character(character, sink)
    }

    fn hex(&mut self, byte: u8, digits: u8, value: u16, sink: &mut impl Sink) -> Result<(), JsonProblem> {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        let value = value << 4 | digit.ok_or(JsonProblem::Escape)?;
        if digits < 3 {
            self.state = State::Hex { digits: digits + 1, value };
            return Ok(());
        }
        self.state = State::Text;
        let units = match (self.high.take(), value) {
            (None, 0xD800..=0xDBFF) => {
                self.high = Some(value);
                return Ok(());
            }
            (None, _) => [value, 0],
            (Some(high), _) => [high, value],
        };
        let length = if matches!(units[0], 0xD800..=0xDBFF) { 2 } else { 1 };
        match char::decode_utf16(units.into_iter().take(length)).next() {
            Some(Ok(character)) => self.character(character, sink),
            _ => Err(JsonProblem::Surrogate),
        }
    }
}
