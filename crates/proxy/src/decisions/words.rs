//! The engine's own words about what it refused, heard as they pass to the client.

use crate::inflate::{Coding, InflateError, Inflater};

/// Bytes of an answer that are listened to. The security plugin's refusals are far shorter.
const HEARD: usize = 8 * 1024;
/// Bytes of a message that are kept.
const MESSAGE: usize = 1024;

/// What was heard so far.
#[derive(Debug)]
pub(super) struct Words {
    heard: Vec<u8>,
    inflater: Option<Inflater>,
}

impl Words {
    /// Of an answer in this coding; `None` for one that cannot be read.
    pub(super) fn new(coding: Option<&[u8]>) -> Option<Self> {
        let inflater = match coding.map(Coding::named) {
            None => None,
            Some(Some(coding)) => Some(Inflater::new(coding)),
            Some(None) => return None,
        };
        Some(Self { heard: Vec::new(), inflater })
    }

    /// A piece of the answer.
    pub(super) fn hear(&mut self, piece: &[u8]) {
        let heard = &mut self.heard;
        let mut hear = |piece: &[u8]| {
            let room = HEARD - heard.len();
            heard.extend_from_slice(piece.get(..room).unwrap_or(piece));
        };
        let Some(inflater) = &mut self.inflater else { return hear(piece) };
        let inflated = inflater.feed(piece, |piece| {
            hear(piece);
            Ok::<_, InflateError>(())
        });
        // What cannot be inflated is not heard.
        if inflated.is_err() {
            self.inflater = None;
            self.heard.clear();
        }
    }

    /// The message: the reason of an error in the form of the engine or of Dashboards, else the text as it is.
    pub(super) fn message(&self) -> Option<String> {
        let value: Option<serde_json::Value> = serde_json::from_slice(&self.heard).ok();
        let told = |pointer: &str| value.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
        let message = ["/error/reason", "/error", "/message", "/reason"].into_iter().find_map(told);
        let message = message.unwrap_or_else(|| String::from_utf8_lossy(&self.heard).trim().to_owned());
        (!message.is_empty()).then(|| super::chain::clip(&message, MESSAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(coding: Option<&[u8]>, pieces: &[&[u8]]) -> Option<String> {
        let mut words = Words::new(coding)?;
        for piece in pieces {
            words.hear(piece);
        }
        words.message()
    }

    #[test]
    fn the_reason_is_found_in_every_form() {
        let table: [(&[&[u8]], Option<&str>); 6] = [
            (
                &[br#"{"error":{"root_cause":[],"reason":"no perm"#, br#"issions"},"status":403}"#],
                Some("no permissions"),
            ),
            (&[br#"{"error":"Forbidden"}"#], Some("Forbidden")),
            (&[br#"{"statusCode":403,"message":"not this tenant"}"#], Some("not this tenant")),
            (&[b"Forbidden\n"], Some("Forbidden")),
            (&[b""], None),
            (&[], None),
        ];
        for (pieces, expected) in table {
            assert_eq!(heard(None, pieces).as_deref(), expected, "{pieces:?}");
        }
        let long = vec![b'x'; 3 * HEARD];
        assert_eq!(heard(None, &[&long, &long]).map(|message| message.len() <= MESSAGE), Some(true));
    }

    #[test]
    fn compressed_words_are_heard_and_broken_ones_are_not() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(br#"{"error":{"reason":"no permissions"}}"#).unwrap();
        let zipped = encoder.finish().unwrap();
        let (one, two) = zipped.split_at(12);
        assert_eq!(heard(Some(b"gzip"), &[one, two]).as_deref(), Some("no permissions"));
        assert_eq!(heard(Some(b"gzip"), &[b"not gzip at all, but long enough"]), None);
        assert_eq!(heard(Some(b"zstd"), &[b"x"]), None);
    }
}
