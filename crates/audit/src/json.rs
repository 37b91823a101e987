//! A JSON object, written member by member: a record has some forty, and one is written for each request.

use std::{io::Write as _, net::SocketAddr};

use jiff::{Timestamp, tz::Offset};
use uuid::Uuid;

use crate::clip;

/// An object on its way into a buffer. Names of members are written as they are.
pub(crate) struct Object<'b>(&'b mut Vec<u8>);

impl<'b> Object<'b> {
    pub(crate) fn begin(buffer: &'b mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self(buffer)
    }

    pub(crate) fn end(self) {
        self.0.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// Bounded text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        string(self.0, &clip::text(text));
    }

    /// Bounded text where there is some.
    pub(crate) fn some_text(&mut self, name: &str, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.text(name, text.as_ref());
        }
    }

    /// A path without query, bounded.
    pub(crate) fn path(&mut self, name: &str, path: &str) {
        self.name(name);
        string(self.0, &clip::path(path));
    }

    /// A bounded list of bounded texts; left out when it is empty. A last entry says how many more there were.
    pub(crate) fn list(&mut self, name: &str, list: &[impl AsRef<str>]) {
        if list.is_empty() {
            return;
        }
        self.name(name);
        let shown = list.len().min(clip::ENTRIES);
        for (at, entry) in list[..shown].iter().enumerate() {
            self.0.push(if at == 0 { b'[' } else { b',' });
            string(self.0, &clip::text(entry.as_ref()));
        }
        if shown < list.len() {
            self.0.push(b',');
            string(self.0, &clip::more(list.len() - shown));
        }
        self.0.push(b']');
    }

    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        decimal(self.0, number);
    }

    pub(crate) fn some_number(&mut self, name: &str, number: Option<impl Into<u64>>) {
        if let Some(number) = number {
            self.number(name, number.into());
        }
    }

    /// A time in RFC 3339, UTC, with microseconds.
    pub(crate) fn time(&mut self, name: &str, time: Timestamp) {
        self.name(name);
        self.0.push(b'"');
        rfc3339(self.0, time);
        self.0.push(b'"');
    }

    pub(crate) fn uuid(&mut self, name: &str, id: Uuid) {
        self.text(name, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }

    pub(crate) fn address(&mut self, name: &str, address: SocketAddr) {
        self.name(name);
        self.0.push(b'"');
        if let SocketAddr::V4(address) = address {
            for (at, octet) in address.ip().octets().into_iter().enumerate() {
                if at > 0 {
                    self.0.push(b'.');
                }
                decimal(self.0, octet.into());
            }
            self.0.push(b':');
            decimal(self.0, address.port().into());
        } else {
            // Writing into memory does not fail.
            let _ = write!(self.0, "{address}");
        }
        self.0.push(b'"');
    }

    /// An object within this one.
    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::begin(self.0)
    }

    /// Members that are encoded already.
    pub(crate) fn members(&mut self, members: &[u8]) {
        self.0.push(b',');
        self.0.extend_from_slice(members);
    }
}

/// Writes a string. Every control character is escaped, so that a line cannot hold another.
fn string(buffer: &mut Vec<u8>, text: &str) {
    // Without an early end, which lets the compiler look at many bytes at once.
    if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        buffer.push(b'"');
        buffer.extend_from_slice(text.as_bytes());
        buffer.push(b'"');
    } else {
        buffer.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// Whether it stands for itself in a string (RFC 8259 section 7).
const fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0..=0x1f | b'"' | b'\\')
}

fn rfc3339(buffer: &mut Vec<u8>, time: Timestamp) {
    let civil = Offset::UTC.to_datetime(time);
    let Ok(year) = u32::try_from(civil.year()) else {
        let _ = write!(buffer, "{time:.6}");
        return;
    };
    let micros = civil.subsec_nanosecond().unsigned_abs() / 1000;
    let two = |buffer: &mut Vec<u8>, number: i8, end: u8| {
        digits::<2>(buffer, number.unsigned_abs().into());
        buffer.push(end);
    };
    digits::<4>(buffer, year);
    buffer.push(b'-');
    two(buffer, civil.month(), b'-');
    two(buffer, civil.day(), b'T');
    two(buffer, civil.hour(), b':');
    two(buffer, civil.minute(), b':');
    two(buffer, civil.second(), b'.');
    digits::<6>(buffer, micros);
    buffer.push(b'Z');
}

/// The last `N` decimal digits.
fn digits<const N: usize>(buffer: &mut Vec<u8>, mut number: u32) {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    buffer.extend_from_slice(&text);
}

fn decimal(buffer: &mut Vec<u8>, mut number: u64) {
    let mut text = [b'0'; 20];
    let mut begin = text.len();
    for digit in text.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        begin -= 1;
        if number == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&text[begin..]);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(fill: impl FnOnce(&mut Object<'_>)) -> Value {
        let mut buffer = Vec::new();
        let mut object = Object::begin(&mut buffer);
        fill(&mut object);
        object.end();
        serde_json::from_slice(&buffer).unwrap()
    }

    #[test]
    fn every_kind_of_member() {
        let id = Uuid::from_u128(0x0193_f0e2_0000_7000_8000_0000_0000_0001);
        let found = object(|object| {
            object.some_text("none", None::<&str>);
            object.list("empty", &[""; 0]);
            object.text("a", "");
            object.some_text("b", Some("x\"\\\n\u{0}\u{7f}\u{2028}é"));
            object.path("path", "/a?b");
            object.list("one", &["x"]);
            object.list("two", &["x", "\t"]);
            object.number("zero", 0);
            object.number("most", u64::MAX);
            object.some_number("some", Some(200_u16));
            object.uuid("id", id);
            object.object("inner").end();
            object.address("v4", "192.0.2.255:0".parse().unwrap());
            object.address("v6", "[2001:db8::1]:65535".parse().unwrap());
            object.members(br#""last":1"#);
        });
        let expected = json!({
            "a": "", "b": "x\"\\\n\u{0}\u{7f}\u{2028}é", "path": "/a", "one": ["x"], "two": ["x", "\t"],
            "zero": 0, "most": u64::MAX, "some": 200, "id": id.to_string(), "inner": {},
            "v4": "192.0.2.255:0", "v6": "[2001:db8::1]:65535", "last": 1,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn times_are_written_as_the_library_writes_them() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999999Z",
            "2024-02-29T12:34:56.000001Z",
            "2031-05-04T03:02:01.987654321+02:00",
            "9999-12-30T22:00:00.999999999Z",
            "-000001-01-01T00:00:00Z",
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(object(|object| object.time("t", time))["t"], format!("{time:.6}"), "{text}");
        }
    }
}
