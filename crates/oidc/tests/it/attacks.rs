//! Tokens that must be refused, each for its own reason, and the good ones beside them.

use aws_lc_rs::rsa::KeySize;
use claims::ClaimPath;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm as Signing;
use oidc::{Algorithm, ProviderConfig, TokenError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::keys::{TestKey, sign_hs256, unsigned};
use crate::stand_in::{AUDIENCE, Bench, NOW, StandIn};

/// The claims with one changed; `null` removes it.
fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn missing(name: &str) -> TokenError {
    TokenError::MissingClaim(name.to_owned())
}

#[tokio::test]
async fn claims_are_checked() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    let required = vec![ClaimPath::member("tenant"), "act.sub".parse().unwrap()];
    let config = ProviderConfig { required_claims: required, ..provider.config() };
    let bench = Bench::new(vec![config]).await;
    let mut good = provider.claims();
    good["tenant"] = json!("red");
    good["act"] = json!({ "sub": "agent" });

    for (name, value, expected) in [
        ("aud", json!([AUDIENCE, "other"]), None),
        ("aud", json!("other"), Some(TokenError::WrongAudience)),
        ("aud", json!(["other"]), Some(TokenError::WrongAudience)),
        ("aud", json!(format!("{AUDIENCE}/")), Some(TokenError::WrongAudience)),
        ("aud", json!(AUDIENCE.to_uppercase()), Some(TokenError::WrongAudience)),
        ("aud", json!([[AUDIENCE]]), Some(TokenError::Malformed)),
        ("aud", json!({ "0": AUDIENCE }), Some(TokenError::Malformed)),
        ("aud", json!([]), Some(missing("aud"))),
        ("aud", Value::Null, Some(missing("aud"))),
        ("iss", Value::Null, Some(missing("iss"))),
        ("iss", json!([provider.issuer]), Some(TokenError::Malformed)),
        ("iss", json!(format!("{}/", provider.issuer)), Some(TokenError::UnknownIssuer)),
        ("iss", json!("https://elsewhere.example"), Some(TokenError::UnknownIssuer)),
        ("sub", Value::Null, Some(missing("sub"))),
        ("sub", json!(""), Some(missing("sub"))),
        ("sub", json!(7), Some(TokenError::Malformed)),
        ("tenant", Value::Null, Some(missing("tenant"))),
        ("tenant", json!([]), Some(missing("tenant"))),
        ("act", json!({}), Some(missing("act.sub"))),
        ("jti", Value::Null, Some(missing("jti"))),
        ("jti", json!(1), Some(TokenError::Malformed)),
        ("client_id", Value::Null, Some(missing("client_id"))),
        ("exp", Value::Null, Some(missing("exp"))),
        ("exp", json!(NOW + 1), None),
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(TokenError::Expired)),
        ("exp", json!(0), Some(TokenError::Expired)),
        ("exp", json!(u64::MAX), None),
        ("exp", json!(-1), Some(TokenError::Malformed)),
        ("exp", json!(4_000_000_000.5), Some(TokenError::Malformed)),
        ("exp", json!(1e300), Some(TokenError::Malformed)),
        ("exp", json!((NOW + 300).to_string()), Some(TokenError::Malformed)),
        ("exp", json!([NOW + 300]), Some(TokenError::Malformed)),
        ("nbf", json!(NOW + 30), None),
        ("nbf", json!(NOW + 31), Some(TokenError::NotYetValid)),
        ("nbf", json!("soon"), Some(TokenError::Malformed)),
        ("iat", json!(NOW + 31), Some(TokenError::NotYetValid)),
        ("iat", Value::Null, Some(missing("iat"))),
        ("cnf", json!({ "jkt": "x" }), Some(TokenError::SenderConstrained)),
        // Tokens for another purpose.
        ("typ", json!("Bearer"), None),
        ("typ", json!("at+jwt"), None),
        ("typ", json!("ID"), Some(TokenError::WrongType)),
        ("typ", json!("Refresh"), Some(TokenError::WrongType)),
        ("typ", json!("Offline"), Some(TokenError::WrongType)),
        ("typ", json!("Logout"), Some(TokenError::WrongType)),
        ("at_hash", json!("x"), Some(TokenError::WrongType)),
        ("c_hash", json!("x"), Some(TokenError::WrongType)),
        (
            "events",
            json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
            Some(TokenError::WrongType),
        ),
        ("events", json!(["launch"]), None),
    ] {
        let token = key.sign(Signing::RS256, &with(&good, name, value.clone()));
        assert_eq!(bench.authenticate(&token).await.err(), expected, "{name} = {value}");
    }
}

#[tokio::test]
async fn only_the_profile_of_access_tokens_demands_a_client_an_id_and_a_date() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    for name in ["client_id", "jti", "iat"] {
        let claims = with(&provider.claims(), name, Value::Null).to_string();
        for (typ, expected) in [("JWT", None), ("AT+jwt", Some(missing(name)))] {
            let header = json!({ "alg": "RS256", "kid": "k1", "typ": typ }).to_string();
            let token = key.sign_text(Signing::RS256, &header, &claims);
            assert_eq!(bench.authenticate(&token).await.err(), expected, "{typ} without {name}");
        }
    }
}

#[tokio::test]
async fn the_type_of_the_header_is_checked() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    let strict = Bench::new(vec![provider.config()]).await;
    let lax = Bench::new(vec![ProviderConfig {
        allow_missing_type: true,
        token_types: vec!["application/at+jwt".into()],
        reject_id_tokens: false,
        ..provider.config()
    }])
    .await;
    let wrong = Some(TokenError::WrongType);
    for (typ, claim, by_strict, by_lax) in [
        (Some("at+jwt"), None, None, None),
        (Some("AT+JWT"), None, None, None),
        (Some("application/at+jwt"), None, None, None),
        (Some("Application/At+JWT"), None, None, None),
        (Some("JWT"), None, None, wrong.clone()),
        (Some("jwt"), None, None, wrong.clone()),
        (Some("logout+jwt"), None, wrong.clone(), wrong.clone()),
        (Some("dpop+jwt"), None, wrong.clone(), wrong.clone()),
        (Some("application/x/at+jwt"), None, wrong.clone(), wrong.clone()),
        (Some(""), None, wrong.clone(), wrong.clone()),
        (None, None, wrong.clone(), None),
        // Only a token that says it is for access may have a nonce.
        (Some("JWT"), Some(("nonce", "n")), wrong.clone(), wrong.clone()),
        (Some("at+jwt"), Some(("nonce", "n")), None, None),
        (None, Some(("typ", "ID")), wrong.clone(), None),
        (None, Some(("typ", "Refresh")), wrong.clone(), wrong.clone()),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "k1" });
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let mut claims = provider.claims();
        if let Some((name, value)) = claim {
            claims[name] = json!(value);
        }
        let token = key.sign_text(Signing::RS256, &header.to_string(), &claims.to_string());
        assert_eq!(strict.authenticate(&token).await.err(), by_strict, "{typ:?} {claim:?}");
        assert_eq!(lax.authenticate(&token).await.err(), by_lax, "{typ:?} {claim:?}");
    }
}

#[tokio::test]
async fn algorithms_come_from_configuration_and_must_fit_the_key() {
    let rsa = TestKey::rsa("rsa");
    let ec = TestKey::p256("ec");
    let pinned = TestKey::new_rsa(KeySize::Rsa2048).named("pinned").with("alg", json!("PS256"));
    let provider = StandIn::start(&[&rsa, &ec, &pinned]).await;
    let bench = Bench::new(vec![ProviderConfig {
        algorithms: vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256],
        ..provider.config()
    }])
    .await;
    let claims = provider.claims().to_string();
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid, "typ": "at+jwt" }).to_string();
    let refused = Some(TokenError::AlgorithmNotAllowed);

    // What an attacker knows of the key: its published form.
    let public = rsa.jwk.to_string();
    let modulus = BASE64URL_NOPAD.decode(rsa.jwk["n"].as_str().unwrap().as_bytes()).unwrap();
    for (what, token, expected) in [
        ("RS256", rsa.sign_text(Signing::RS256, &header("RS256", "rsa"), &claims), None),
        ("PS256", rsa.sign_text(Signing::PS256, &header("PS256", "rsa"), &claims), None),
        ("ES256", ec.sign_text(Signing::ES256, &header("ES256", "ec"), &claims), None),
        ("PS256 pinned", pinned.sign_text(Signing::PS256, &header("PS256", "pinned"), &claims), None),
        ("not configured", rsa.sign_text(Signing::RS512, &header("RS512", "rsa"), &claims), refused.clone()),
        (
            "key pinned to another",
            pinned.sign_text(Signing::RS256, &header("RS256", "pinned"), &claims),
            refused.clone(),
        ),
        (
            "RSA algorithm, EC key",
            rsa.sign_text(Signing::RS256, &header("RS256", "ec"), &claims),
            refused.clone(),
        ),
        (
            "EC algorithm, RSA key",
            ec.sign_text(Signing::ES256, &header("ES256", "rsa"), &claims),
            refused.clone(),
        ),
        (
            "header says another than signed",
            rsa.sign_text(Signing::PS256, &header("RS256", "rsa"), &claims),
            Some(TokenError::BadSignature),
        ),
        ("none", format!("{}.", unsigned(&header("none", "rsa"), &claims)), refused.clone()),
        ("nOnE", format!("{}.", unsigned(&header("nOnE", "rsa"), &claims)), refused.clone()),
        (
            "HS256 with the JWK",
            sign_hs256(public.as_bytes(), &header("HS256", "rsa"), &claims),
            refused.clone(),
        ),
        ("HS256 with the modulus", sign_hs256(&modulus, &header("HS256", "rsa"), &claims), refused.clone()),
        (
            "RS256 said, HS256 done",
            sign_hs256(&modulus, &header("RS256", "rsa"), &claims),
            Some(TokenError::BadSignature),
        ),
        (
            "no signature",
            format!("{}.", unsigned(&header("RS256", "rsa"), &claims)),
            Some(TokenError::BadSignature),
        ),
        (
            "zeros as an ECDSA signature",
            format!("{}.{}", unsigned(&header("ES256", "ec"), &claims), BASE64URL_NOPAD.encode(&[0; 64])),
            Some(TokenError::BadSignature),
        ),
    ] {
        assert_eq!(bench.authenticate(&token).await.err(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_key_of_one_issuer_is_nothing_to_another() {
    let (own, foreign) = (TestKey::rsa("same"), TestKey::new_rsa(KeySize::Rsa2048).named("same"));
    let only_foreign = TestKey::p256("foreign");
    let provider = StandIn::start(&[&own]).await;
    let other = StandIn::start(&[&foreign, &only_foreign]).await;
    let second = ProviderConfig { name: "other".into(), ..other.config() };
    let bench = Bench::new(vec![provider.config(), second]).await;

    let good = own.sign(Signing::RS256, &provider.claims());
    let identity = bench.authenticate(&good).await.unwrap();
    assert_eq!((&*identity.provider, &*identity.issuer), ("stand-in", provider.issuer.as_str()));
    for (token, expected) in [
        (foreign.sign(Signing::RS256, &provider.claims()), TokenError::BadSignature),
        (own.sign(Signing::RS256, &other.claims()), TokenError::BadSignature),
        (only_foreign.sign(Signing::ES256, &provider.claims()), TokenError::UnknownKey),
    ] {
        assert_eq!(bench.authenticate(&token).await, Err(expected));
    }
}

#[tokio::test]
async fn headers_cannot_bring_or_name_keys() {
    let (key, evil) = (TestKey::rsa("k1"), TestKey::new_rsa(KeySize::Rsa2048).named("evil"));
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let token = |member: &str, value: Value| {
        let mut header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "k1" });
        header[member] = value;
        evil.sign_text(Signing::RS256, &header.to_string(), &provider.claims().to_string())
    };
    let evil_url = format!("{}/evil", provider.issuer);
    for (member, value, expected) in [
        ("jwk", evil.jwk.clone(), TokenError::EmbeddedKey),
        ("jku", json!(evil_url), TokenError::EmbeddedKey),
        ("x5u", json!(evil_url), TokenError::EmbeddedKey),
        ("x5c", json!(["MIIB"]), TokenError::BadSignature),
        ("crit", json!(["exp"]), TokenError::CriticalHeader),
        ("b64", json!(false), TokenError::CriticalHeader),
        ("kid", json!("../../../../dev/null"), TokenError::UnknownKey),
        ("kid", json!("' OR 1=1 --"), TokenError::UnknownKey),
        ("kid", json!("K1"), TokenError::UnknownKey),
        ("kid", json!(""), TokenError::UnknownKey),
        ("kid", json!(["k1"]), TokenError::Malformed),
        ("kid", json!("k".repeat(513)), TokenError::Malformed),
    ] {
        assert_eq!(
            bench.authenticate(&token(member, value.clone())).await,
            Err(expected),
            "{member} = {value}"
        );
    }
    assert_eq!(provider.requests("/realms/test/evil"), 0);
}

#[tokio::test]
async fn claims_named_twice_and_broken_forms_are_refused() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let header = r#"{"alg":"RS256","typ":"at+jwt","kid":"k1"}"#;
    let good = provider.claims().to_string();
    let twice = good.replacen('{', r#"{"sub":"admin","#, 1);
    let escaped = good.replacen('{', r#"{"\u0073ub":"admin","#, 1);
    let deep = good.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(50), "]".repeat(50)), 1);
    let sign = |claims: &str| key.sign_text(Signing::RS256, header, claims);
    let token = sign(&good);
    let (input, signature) = token.rsplit_once('.').unwrap();
    for (what, token, expected) in [
        ("good", token.clone(), None),
        ("twice", sign(&twice), Some(TokenError::DuplicateMember)),
        ("twice, escaped", sign(&escaped), Some(TokenError::DuplicateMember)),
        (
            "header twice",
            key.sign_text(Signing::RS256, r#"{"alg":"RS256","typ":"JWT","kid":"x","kid":"k1"}"#, &good),
            Some(TokenError::DuplicateMember),
        ),
        ("deep", sign(&deep), Some(TokenError::Malformed)),
        ("array", sign("[]"), Some(TokenError::Malformed)),
        ("text behind", sign(&format!("{good}x")), Some(TokenError::Malformed)),
        ("padding", format!("{token}="), Some(TokenError::Malformed)),
        ("standard alphabet", format!("{input}.++++"), Some(TokenError::Malformed)),
        (
            "cut signature",
            format!("{input}.{}", &signature[..signature.len() - 2]),
            Some(TokenError::BadSignature),
        ),
        ("four parts", format!("{token}.x"), Some(TokenError::OpaqueNotAccepted)),
        ("two parts", input.to_owned(), Some(TokenError::OpaqueNotAccepted)),
    ] {
        assert_eq!(bench.authenticate(&token).await.err(), expected, "{what}");
    }
}

#[tokio::test]
async fn unusable_keys_are_left_out() {
    let weak = {
        // A modulus of 1024 bits, which no generator here makes any more.
        let mut modulus = vec![0xff; 128];
        modulus[0] = 0x80;
        BASE64URL_NOPAD.encode(&modulus)
    };
    let good = TestKey::rsa("good");
    let provider = StandIn::start(&[
        &good,
        &TestKey::p256("encryption").with("use", json!("enc")),
        &TestKey::p256("signing only").with("key_ops", json!(["sign"])),
        &TestKey::p256("unknown alg").with("alg", json!("RSA-OAEP")),
        &TestKey::p256("wrong curve").with("crv", json!("P-384")),
        &TestKey::p256("off the curve").with("x", json!(BASE64URL_NOPAD.encode(&[1; 32]))),
        &TestKey::p256("unknown kind").with("kty", json!("XYZ")),
        &TestKey::p256("kind no text").with("kty", json!(1)),
        &TestKey::rsa("weak").with("n", json!(weak)),
        &TestKey::rsa("exponent 1").with("e", json!("AQ")),
        &TestKey::ed25519("short").with("x", json!("AAAA")),
    ])
    .await;
    provider.change(|answers| {
        answers.keys.push(json!({ "kty": "oct", "kid": "symmetric", "k": "c2VjcmV0" }));
        answers.keys.push(json!("no object"));
    });
    let bench = Bench::new(vec![provider.config()]).await;
    assert_eq!(bench.status().keys, 1);
    assert!(bench.authenticate(&good.sign(Signing::RS256, &provider.claims())).await.is_ok());
}

#[tokio::test]
async fn a_token_without_key_id_is_tried_with_few_keys_only() {
    let key = TestKey::p256("k");
    let others: Vec<_> = (0..4).map(|number| TestKey::p256(&format!("k{number}"))).collect();
    let header = r#"{"alg":"ES256","typ":"at+jwt"}"#;
    // Keys for other algorithms do not count.
    let provider = StandIn::start(&[&others[0], &others[1], &others[2], &key, &TestKey::rsa("r")]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let token = key.sign_text(Signing::ES256, header, &provider.claims().to_string());
    assert!(bench.authenticate(&token).await.is_ok());

    let crowded = StandIn::start(&others.iter().chain([&key]).collect::<Vec<_>>()).await;
    let bench = Bench::new(vec![crowded.config()]).await;
    let token = key.sign_text(Signing::ES256, header, &crowded.claims().to_string());
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::UnknownKey));
}

#[test]
fn refusals_say_nothing_of_the_token_and_have_stable_labels() {
    for (error, reason, oauth, unavailable) in [
        (TokenError::OtherScheme, "other_scheme", "invalid_request", false),
        (TokenError::Expired, "expired", "invalid_token", false),
        (TokenError::BadSignature, "bad_signature", "invalid_token", false),
        (TokenError::ProviderUnavailable, "provider_unavailable", "invalid_token", true),
    ] {
        assert_eq!(
            (error.reason(), error.oauth_error(), error.is_unavailable()),
            (reason, oauth, unavailable)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No change to a good token, be it one character, is accepted.
    #[test]
    fn any_change_is_refused(place in any::<prop::sample::Index>(), character in "[A-Za-z0-9._-]") {
        use std::sync::OnceLock;
        static BENCH: OnceLock<(Bench, String)> = OnceLock::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (bench, token) = BENCH.get_or_init(|| runtime.block_on(async {
            let key = TestKey::p256("k1");
            let provider = StandIn::start(&[&key]).await;
            let bench = Bench::new(vec![provider.config()]).await;
            let token = key.sign(Signing::ES256, &provider.claims());
            (bench, token)
        }));
        let place = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(place..=place, &character);
        let accepted = runtime.block_on(bench.authenticate(&changed)).is_ok();
        prop_assert_eq!(accepted, changed == *token);
    }
}
