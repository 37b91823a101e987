//! Tokens made wrong in the way that a case asks for.

use data_encoding::BASE64URL_NOPAD;
use e2e::StandInProvider;
use jsonwebtoken::EncodingKey;
use serde_json::{Map, Value};

use crate::case::{Case, Signature};

/// The token of a case, if it has one.
pub(crate) fn token(case: &Case, provider: &StandInProvider, foreign: &StandInProvider) -> Option<String> {
    let scopes = case.scopes.as_ref()?;
    let signer = if case.signature == Signature::Foreign { foreign } else { provider };
    let mut builder = signer.build_token().claim("iss", provider.issuer()).claim("scope", scopes.as_str());
    let now = builder.claims()["iat"].as_i64().unwrap();
    if case.signature != Signature::Kept {
        for (name, value) in &case.claims {
            builder = builder.claim(name, in_time(value, now));
        }
    }
    let jose = merged(serde_json::to_value(&builder.header).unwrap(), &case.jose);
    let claims = Value::Object(builder.claims().clone());
    Some(match case.signature {
        Signature::Provider | Signature::Foreign => {
            let header = serde_json::from_value(jose).unwrap();
            builder.header(|place| *place = header).sign()
        }
        Signature::Kept => {
            let signed = builder.sign();
            let signature = signed.rsplit('.').next().unwrap();
            format!("{}.{}.{signature}", part(&jose), part(&merged(claims, &case.claims)))
        }
        Signature::Hmac => {
            let modulus = provider.jwk()["n"].as_str().unwrap().to_owned();
            let header = serde_json::from_value(jose).unwrap();
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap()
        }
        Signature::Missing => format!("{}.{}.", part(&jose), part(&claims)),
    })
}

fn merged(mut into: Value, from: &Map<String, Value>) -> Value {
    let members = into.as_object_mut().unwrap();
    for (name, value) in from {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    into
}

/// `"now+60"` is a number of seconds since 1970.
fn in_time(value: &Value, now: i64) -> Value {
    let offset = value.as_str().and_then(|text| text.strip_prefix("now"));
    offset.map_or_else(|| value.clone(), |offset| (now + offset.parse::<i64>().unwrap()).into())
}

fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}
