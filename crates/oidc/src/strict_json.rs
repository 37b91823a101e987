//! JSON objects without duplicate members.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a parser either refuse duplicates or take the last; two readers of one
//! token could see different claims. Here they are refused, at every depth.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::TokenError;
use crate::members::{Json, Members};

/// Deeper claims than these are in no honest token.
const MAX_DEPTH: usize = 16;
/// Room for the members of most tokens.
const MEMBERS: usize = 16;

/// The object that `bytes` are, exactly.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    members(bytes)?;
    serde_json::from_slice(bytes).map_err(|_| TokenError::Malformed)
}

/// The same, borrowed from `bytes`.
pub(crate) fn members(bytes: &[u8]) -> Result<Members<'_>, TokenError> {
    let duplicate = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: MAX_DEPTH, duplicate: &duplicate }.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Json::Object(members)) => Ok(members),
        Err(_) if duplicate.get() => Err(TokenError::DuplicateMember),
        _ => Err(TokenError::Malformed),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    duplicate: &'a Cell<bool>,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Some(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(u64::try_from(value).ok()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(None))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(seed)? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut object = Members::with_capacity(if self.depth == MAX_DEPTH { MEMBERS } else { 0 });
        while let Some(name) = members.next_key_seed(Name)? {
            let value = members.next_value_seed(seed)?;
            if !object.add(name, value) {
                self.duplicate.set(true);
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Json::Object(object))
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duplicates_are_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"iss":"a","\u0069ss":"b"}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(TokenError::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn duplicates_are_found_among_many() {
        for count in [2, 31, 32, 33, 100] {
            let names = |twice: usize| {
                let members: Vec<_> =
                    (0..count).chain([twice]).map(|n| format!("\"m\\u0030{n}\":{n}")).collect();
                format!("{{{}}}", members.join(","))
            };
            assert_eq!(object(names(count).as_bytes()).map(|members| members.len()), Ok(count + 1));
            for twice in [0, count / 2, count - 1] {
                assert_eq!(
                    object(names(twice).as_bytes()),
                    Err(TokenError::DuplicateMember),
                    "{twice} of {count}"
                );
                assert!(matches!(members(names(twice).as_bytes()), Err(TokenError::DuplicateMember)));
            }
        }
    }

    #[test]
    fn only_one_complete_object_is_taken() {
        for text in
            ["", "1", "[]", "null", "{", "{}{}", "{} x", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", "\u{feff}{}"]
        {
            assert_eq!(object(text.as_bytes()), Err(TokenError::Malformed), "{text}");
        }
        assert_eq!(object(b" {\"a\" : [1, -1, 1.5, true, null, \"x\"] }\n").unwrap().len(), 1);
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(object(nested(MAX_DEPTH).as_bytes()), Err(TokenError::Malformed));
        assert_eq!(object(nested(100_000).as_bytes()), Err(TokenError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = object(&bytes);
        }

        #[test]
        fn what_is_accepted_reads_as_ordinary_json(text in r#"\{("[ab]":[0-9\[\]{}"ab,:]{0,8},?){0,4}\}"#) {
            if let Ok(members) = object(text.as_bytes()) {
                prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &Value::Object(members.clone()));
                prop_assert_eq!(super::members(text.as_bytes()).map(|read| read == Members::of(&members)), Ok(true));
            }
        }
    }
}
