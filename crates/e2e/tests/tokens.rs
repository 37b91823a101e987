//! Tokens that must not pass, through the whole proxy, and what the client is told (RFC 6750).

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use e2e::{Client, StandInProvider, StandIns, TokenBuilder};
use http::{Method, StatusCode};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

async fn outcome(world: &StandIns, token: &str) -> (StatusCode, String, String) {
    let reply = world.anonymous().with_token(token).get("/logs-a/_search").await;
    let challenge = reply.header("www-authenticate").to_owned();
    let code = if reply.status.is_success() { String::new() } else { reply.code() };
    (reply.status, code, challenge)
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.", part(header), part(claims))
}

#[tokio::test]
async fn forged_and_stale_tokens_are_refused_with_the_reason() {
    let world = StandIns::start().await;
    let good = || world.provider.build_token().claim("scope", "read:logs-*");
    let now = good().claims()["iat"].as_u64().unwrap();
    let claims = Value::Object(good().claims().clone());
    let kid = world.provider.jwk()["kid"].as_str().unwrap().to_owned();

    // HS256 with what the attacker knows of the key as the secret.
    let modulus = world.provider.jwk()["n"].as_str().unwrap().to_owned();
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some(kid.clone());
    confused.typ = Some("at+jwt".to_owned());
    let confused =
        jsonwebtoken::encode(&confused, &claims, &EncodingKey::from_secret(modulus.as_bytes())).unwrap();

    // Another issuer's key under a key id that the real issuer publishes.
    let foreign = StandInProvider::start().await;
    let foreign_key =
        foreign.build_token().claim("iss", world.provider.issuer()).claim("scope", "read:*").sign();
    let foreign_issuer = foreign.build_token().claim("scope", "read:*").sign();

    let tampered = {
        let token = good().sign();
        let mut parts: Vec<String> = token.split('.').map(ToOwned::to_owned).collect();
        let mut claims: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap()).unwrap();
        claims["scope"] = json!("read:* admin:*");
        parts[1] = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
        parts.join(".")
    };

    let table: Vec<(&str, String, &str)> = vec![
        (
            "alg none",
            unsigned(&json!({"alg": "none", "typ": "at+jwt", "kid": kid}), &claims),
            "algorithm_not_allowed",
        ),
        ("alg NonE", unsigned(&json!({"alg": "NonE", "typ": "at+jwt"}), &claims), "algorithm_not_allowed"),
        ("HS256 with the public key", confused, "algorithm_not_allowed"),
        (
            "an algorithm not configured",
            good().header(|header| header.alg = Algorithm::RS512).sign(),
            "algorithm_not_allowed",
        ),
        ("a foreign key under a known kid", foreign_key, "bad_signature"),
        ("an unknown issuer", foreign_issuer, "unknown_issuer"),
        (
            "an unknown kid",
            good().header(|header| header.kid = Some("other".to_owned())).sign(),
            "unknown_key",
        ),
        ("changed claims", tampered, "bad_signature"),
        ("expired", good().claim("exp", now - 3600).sign(), "expired"),
        ("not yet valid", good().claim("nbf", now + 3600).sign(), "not_yet_valid"),
        ("without expiry", good().claim("exp", Value::Null).sign(), "missing_claim"),
        ("for somebody else", good().claim("aud", "somebody-else").sign(), "wrong_audience"),
        ("for nobody", good().claim("aud", Value::Null).sign(), "missing_claim"),
        (
            "an ID token's type",
            good().header(|header| header.typ = Some("id+jwt".to_owned())).sign(),
            "wrong_type",
        ),
        ("no type", good().header(|header| header.typ = None).sign(), "wrong_type"),
        ("not a JWT", "abc.def".to_owned(), "opaque_not_accepted"),
        ("not base64", "!!!.???.###".to_owned(), "malformed"),
        ("oversized", good().claim("padding", "x".repeat(20_000)).sign(), "too_long"),
    ];
    for (what, token, reason) in table {
        let (status, code, challenge) = outcome(&world, &token).await;
        assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, reason), "{what}: {challenge}");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{what}: {challenge}");
        assert!(
            challenge.contains(
                "resource_metadata=\"https://localhost:8443/.well-known/oauth-protected-resource\""
            ),
            "{what}: {challenge}"
        );
        let record = world.proxy.last_audit().await;
        assert_eq!(
            (record["layer"].as_str(), record["reason"].as_str()),
            (Some("token"), Some(reason)),
            "{what}"
        );
        assert!(!record.to_string().contains(&token), "{what}: no token in the audit trail");
    }
    assert!(world.engine.seen().is_empty(), "the engine saw none of them");
    let (status, ..) = outcome(&world, &good().sign()).await;
    assert_eq!(status, StatusCode::OK, "and the untouched token passes");
}

#[tokio::test]
async fn critical_extensions_and_embedded_keys_are_refused() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-*");
    let parts: Vec<&str> = token.split('.').collect();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(parts[0].as_bytes()).unwrap()).unwrap();
    for (member, value, reason) in [
        ("crit", json!(["exp"]), "critical_header"),
        ("jwk", world.provider.jwk(), "embedded_key"),
        ("jku", json!("https://attacker.example/keys"), "embedded_key"),
    ] {
        let mut header = header.clone();
        header[member] = value;
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        let forged = format!("{header}.{}.{}", parts[1], parts[2]);
        let (status, code, _) = outcome(&world, &forged).await;
        assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, reason), "{member}");
    }
}

#[tokio::test]
async fn without_a_token_the_challenge_says_where_to_get_one_and_for_what() {
    let world = StandIns::start().await;
    let reply = world.anonymous().get("/logs-a/_search").await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "no_token"));
    let challenge = reply.header("www-authenticate");
    assert!(!challenge.contains("error="), "RFC 6750 §3.1: {challenge}");
    assert!(challenge.contains("scope=\"read:logs-a\""), "{challenge}");
    assert!(challenge.contains("resource_metadata="), "{challenge}");

    let reply = world.anonymous().get("/.well-known/oauth-protected-resource").await;
    assert_eq!(reply.status, StatusCode::OK);
    let document = reply.json();
    assert_eq!(document["resource"], "https://localhost:8443");
    assert_eq!(document["authorization_servers"], json!([world.provider.issuer()]));
    assert_eq!(document["authorization_server_names"], json!({"stand-in": world.provider.issuer()}));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
}

#[tokio::test]
async fn only_one_bearer_token_and_only_in_the_header() {
    let world = StandIns::start().await;
    let token = world.provider.token("read:logs-*");
    let (bearer, anonymous) = (format!("Bearer {token}"), world.anonymous());
    let with = |value: &'static str| {
        let anonymous = anonymous.clone();
        async move {
            anonymous.send(Method::GET, "/logs-a/_search", &[("authorization", value)], Bytes::new()).await
        }
    };
    for value in ["Basic YWRtaW46YWRtaW4=", "ApiKey abc", "Negotiate abc"] {
        let reply = with(value).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (StatusCode::UNAUTHORIZED, "other_scheme"),
            "{value}"
        );
    }
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    let reply = anonymous.send(Method::GET, "/logs-a/_search", &twice, Bytes::new()).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "several_credentials"));

    let reply = anonymous.get(&format!("/logs-a/_search?access_token={token}")).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "token_in_query"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = Bytes::from(format!("access_token={token}"));
    let reply = anonymous.send(Method::POST, "/logs-a/_search", &form, body).await;
    assert_eq!((reply.status, reply.code().as_str()), (StatusCode::BAD_REQUEST, "form_body"));
    assert!(world.engine.seen().is_empty());
    let trail = serde_json::to_string(&world.proxy.audit().await).unwrap();
    assert!(!trail.contains(&token), "no token in the audit trail");
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_a_withdrawn_one_ends_cached_tokens() {
    let world = StandIns::start().await;
    let old = world.provider.token("read:logs-*");
    let (status, ..) = outcome(&world, &old).await;
    assert_eq!(status, StatusCode::OK);
    let before = world.provider.fetches();
    world.provider.rotate("key-2");
    // The first token with the new key makes the proxy fetch; while the limit on fetches holds, it cannot know the key.
    let client = world.client("read:logs-*");
    let mut status = client.get("/logs-a/_search").await.status;
    while status != StatusCode::OK {
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        status = client.get("/logs-a/_search").await.status;
    }
    assert_eq!(world.provider.fetches(), before + 1);
    let (status, code, _) = outcome(&world, &old).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::UNAUTHORIZED, "unknown_key"),
        "the old key is withdrawn"
    );
}

#[tokio::test]
async fn a_provider_that_is_down_does_not_stop_tokens_whose_keys_are_known() {
    let world = StandIns::start().await;
    let client: Client = world.client("read:logs-*");
    assert_eq!(client.get("/logs-a/_search").await.status, StatusCode::OK);
    world.provider.set_down(true);
    let another: TokenBuilder<'_> =
        world.provider.build_token().claim("scope", "read:logs-*").claim("jti", "2");
    let (status, ..) = outcome(&world, &another.sign()).await;
    assert_eq!(status, StatusCode::OK);
}
