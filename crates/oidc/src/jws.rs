//! The compact serialisation of a JWS (RFC 7515 section 7.1), read but not yet believed.

use std::sync::Arc;

use claims::Tree;
use data_encoding::BASE64URL_NOPAD;
use quick_cache::sync::Cache;

use crate::members::{Json, Members};
use crate::{Algorithm, TokenError, strict_json};

/// Longer key ids are in no honest token, and they end up in a memory of unknown ones.
const MAX_KEY_ID: usize = 512;
/// How many headers are remembered: a provider has one for each of its keys.
const KNOWN_HEADERS: usize = 64;
/// Longer ones, in Base64url, are read each time.
const MAX_KNOWN_HEADER: usize = 1024;

/// A token taken apart. Nothing in it has been verified.
pub(crate) struct Parts<'a> {
    pub(crate) header: Arc<Header>,
    payload: Vec<u8>,
    signing_input: &'a [u8],
    signature: &'a str,
}

/// A parsed token. Nothing in it has been verified.
pub(crate) struct Jws<'a> {
    pub(crate) header: &'a Header,
    pub(crate) claims: Members<'a>,
    /// What the claims were read of.
    pub(crate) payload: &'a [u8],
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// What counts of a token's header.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) typ: Option<String>,
}

/// Headers of tokens that turned out to be good, by their Base64url form: tokens of one provider mostly have the same. Nobody else
/// can crowd them out.
pub(crate) struct Headers(Cache<Box<str>, Arc<Header>>);

/// Whether the token is meant as a JWS: three parts, of which the first decodes to something like a JSON object.
/// Anything else is opaque.
pub(crate) fn is_jws(token: &str) -> bool {
    // The Base64url forms of a first byte `{`.
    let has_form = matches!(token.as_bytes(), [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..]);
    let rest = token.split_once('.').and_then(|(_, rest)| rest.split_once('.'));
    has_form && rest.is_some_and(|(_, signature)| !signature.contains('.'))
}

impl<'a> Parts<'a> {
    pub(crate) fn of(token: &'a str) -> Result<Self, TokenError> {
        Self::with(token, |header| Header::read(header).map(Arc::new))
    }

    /// The same with headers that are known.
    pub(crate) fn knowing(token: &'a str, known: &Headers) -> Result<Self, TokenError> {
        Self::with(token, |header| match known.0.get(header) {
            Some(header) => Ok(header),
            None => Header::read(header).map(Arc::new),
        })
    }

    fn with(
        token: &'a str,
        header: impl FnOnce(&str) -> Result<Arc<Header>, TokenError>,
    ) -> Result<Self, TokenError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (encoded, payload) = signing_input.split_once('.').ok_or(TokenError::Malformed)?;
        let header = header(encoded)?;
        Ok(Self { header, payload: decode(payload)?, signing_input: signing_input.as_bytes(), signature })
    }

    pub(crate) fn parse(&self) -> Result<Jws<'_>, TokenError> {
        Ok(Jws {
            header: &self.header,
            claims: strict_json::members(&self.payload)?,
            payload: &self.payload,
            signing_input: self.signing_input,
            signature: decode(self.signature)?,
        })
    }
}

impl Header {
    fn read(encoded: &str) -> Result<Self, TokenError> {
        let header = decode(encoded)?;
        let header = strict_json::members(&header)?;

        // Extensions first: what they would mean for the rest is not known.
        if header.contains("crit") || header.get("b64").is_some_and(|b64| *b64 != Json::Bool(true)) {
            return Err(TokenError::CriticalHeader);
        }
        if ["jwk", "jku", "x5u"].iter().any(|name| header.contains(name)) {
            return Err(TokenError::EmbeddedKey);
        }
        let algorithm = text(&header, "alg")?
            .ok_or(TokenError::Malformed)?
            .parse()
            .map_err(|_| TokenError::AlgorithmNotAllowed)?;
        let key_id = text(&header, "kid")?.map(str::to_owned);
        if key_id.as_ref().is_some_and(|id| id.len() > MAX_KEY_ID) {
            return Err(TokenError::Malformed);
        }
        let typ = text(&header, "typ")?.map(str::to_owned);
        Ok(Self { algorithm, key_id, typ })
    }
}

impl Headers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(KNOWN_HEADERS))
    }

    /// Remembers the header of a token that was verified.
    pub(crate) fn remember(&self, token: &str, header: Arc<Header>) {
        if let Some((encoded, _)) = token.split_once('.')
            && encoded.len() <= MAX_KNOWN_HEADER
        {
            self.0.insert(encoded.into(), header);
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Malformed)
}

fn text<'a>(header: &'a Members<'_>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(value) => value.text().map(Some).ok_or(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(token: &str) -> Result<(), TokenError> {
        Parts::of(token)?.parse().map(drop)
    }

    fn token(header: &str) -> String {
        format!("{}.{}.AAAA", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(b"{}"))
    }

    #[test]
    fn headers_are_judged_before_anything_else() {
        for (header, expected) in [
            (r#"{"alg":"RS256"}"#, None),
            (r#"{"alg":"RS256","b64":true,"x5t":"a","x5c":["never used"]}"#, None),
            (r#"{"alg":"none"}"#, Some(TokenError::AlgorithmNotAllowed)),
            (r#"{"alg":"None"}"#, Some(TokenError::AlgorithmNotAllowed)),
            (r#"{"alg":"HS256"}"#, Some(TokenError::AlgorithmNotAllowed)),
            (r#"{"alg":"rs256"}"#, Some(TokenError::AlgorithmNotAllowed)),
            (r#"{"alg":["RS256"]}"#, Some(TokenError::Malformed)),
            (r"{}", Some(TokenError::Malformed)),
            (r#"{"alg":"RS256","kid":1}"#, Some(TokenError::Malformed)),
            (r#"{"alg":"RS256","typ":null}"#, Some(TokenError::Malformed)),
            (r#"{"alg":"RS256","crit":["exp"]}"#, Some(TokenError::CriticalHeader)),
            (r#"{"alg":"RS256","crit":[]}"#, Some(TokenError::CriticalHeader)),
            (r#"{"alg":"RS256","b64":false}"#, Some(TokenError::CriticalHeader)),
            (r#"{"alg":"RS256","jwk":{}}"#, Some(TokenError::EmbeddedKey)),
            (r#"{"alg":"RS256","jku":"https://evil.example"}"#, Some(TokenError::EmbeddedKey)),
            (r#"{"alg":"RS256","x5u":"https://evil.example"}"#, Some(TokenError::EmbeddedKey)),
            (r#"{"alg":"RS256","alg":"none"}"#, Some(TokenError::DuplicateMember)),
        ] {
            assert_eq!(parse(&token(header)).err(), expected, "{header}");
        }
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(MAX_KEY_ID + 1));
        assert_eq!(parse(&token(&long)).err(), Some(TokenError::Malformed));
    }

    #[test]
    fn base64url_must_be_canonical() {
        let good = token(r#"{"alg":"RS256"}"#);
        assert!(parse(&good).is_ok());
        for broken in
            [good.replace("AAAA", "AAAB="), good.replace("AAAA", "AB"), good.replace(".AAAA", ".A+/A")]
        {
            assert_eq!(parse(&broken).err(), Some(TokenError::Malformed), "{broken}");
        }
    }

    #[test]
    fn a_header_that_is_known_is_read_as_before() {
        let known = Headers::new();
        let good = token(r#"{"alg":"RS256","kid":"a","typ":"at+jwt"}"#);
        let first = Parts::knowing(&good, &known).map_err(drop).unwrap();
        assert!(known.0.is_empty(), "not before the token was verified");
        known.remember(&good, first.header);
        let again = Parts::knowing(&good, &known).map_err(drop).unwrap();
        let fields = |header: &Header| (header.algorithm, header.key_id.clone(), header.typ.clone());
        let alone = Parts::of(&good).map_err(drop).unwrap();
        assert_eq!(fields(&again.header), fields(&alone.header));
        assert_eq!(again.signing_input, alone.signing_input);
        let other = token(r#"{"alg":"RS256","kid":"b"}"#);
        let other = Parts::knowing(&other, &known).map_err(drop).unwrap();
        assert_eq!(fields(&other.header), (Algorithm::RS256, Some("b".to_owned()), None));

        let long = token(&format!(r#"{{"alg":"RS256","x5c":"{}"}}"#, "x".repeat(MAX_KNOWN_HEADER)));
        let header = Parts::of(&long).map_err(drop).unwrap().header;
        known.remember(&long, header);
        assert_eq!(known.0.len(), 1);
    }

    #[test]
    fn shapes() {
        for (text, expected) in [
            (token("{}").as_str(), true),
            (token("{ \"alg\": 1 }").as_str(), true),
            ("eyJh.e30.", true),
            ("eyJh.e30", false),
            ("eyJh.a.b.c.d", false),
            ("opaque", false),
            ("a.b.c", false),
            ("abcd.efgh.ijkl", false),
        ] {
            assert_eq!(is_jws(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[A-Za-z0-9._=-]{0,80}|\\PC{0,40}") {
            let _ = is_jws(&text);
            let _ = parse(&text);
        }

        #[test]
        fn any_parts_are_survived(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 3)) {
            let text = parts.iter().map(|part| BASE64URL_NOPAD.encode(part)).collect::<Vec<_>>().join(".");
            let _ = parse(&text);
        }
    }
}
