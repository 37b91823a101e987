//! The compact serialisation of a JWS (RFC 7515 section 7.1), read but not yet believed.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::{Algorithm, TokenError, strict_json};

/// Longer key ids are in no honest token, and they end up in a memory of unknown ones.
const MAX_KEY_ID: usize = 512;

/// A parsed token. Nothing in it has been verified.
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) typ: Option<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// Whether the token is meant as a JWS: three parts, of which the first decodes to something like a JSON object.
/// Anything else is opaque.
pub(crate) fn is_jws(token: &str) -> bool {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // The Base64url forms of a first byte `{`.
    matches!(header.as_bytes(), [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..])
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(TokenError::Malformed)?;
        let header = strict_json::object(&decode(header)?)?;

        // Extensions first: what they would mean for the rest is not known.
        if header.contains_key("crit") || header.get("b64").is_some_and(|b64| b64 != &Value::Bool(true)) {
            return Err(TokenError::CriticalHeader);
        }
        if ["jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)) {
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

        Ok(Self {
            algorithm,
            key_id,
            typ,
            claims: strict_json::object(&decode(payload)?)?,
            signing_input: signing_input.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Malformed)
}

fn text<'a>(header: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            assert_eq!(Jws::parse(&token(header)).err(), expected, "{header}");
        }
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(MAX_KEY_ID + 1));
        assert_eq!(Jws::parse(&token(&long)).err(), Some(TokenError::Malformed));
    }

    #[test]
    fn base64url_must_be_canonical() {
        let good = token(r#"{"alg":"RS256"}"#);
        assert!(Jws::parse(&good).is_ok());
        for broken in
            [good.replace("AAAA", "AAAB="), good.replace("AAAA", "AB"), good.replace(".AAAA", ".A+/A")]
        {
            assert_eq!(Jws::parse(&broken).err(), Some(TokenError::Malformed), "{broken}");
        }
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
            let _ = Jws::parse(&text);
        }

        #[test]
        fn any_parts_are_survived(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 3)) {
            let text = parts.iter().map(|part| BASE64URL_NOPAD.encode(part)).collect::<Vec<_>>().join(".");
            let _ = Jws::parse(&text);
        }
    }
}
