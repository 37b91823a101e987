//! Claims as the well-known providers issue them, and every algorithm.

use jsonwebtoken::Algorithm as Signing;
use oidc::{Algorithm, ClaimNames, ProviderConfig, TokenError};
use serde_json::{Value, json};

use crate::keys::TestKey;
use crate::stand_in::{AUDIENCE, Bench, NOW, StandIn};

#[tokio::test]
async fn every_algorithm_verifies() {
    let (rsa, p256, p384, ed) =
        (TestKey::rsa("r"), TestKey::p256("a"), TestKey::p384("b"), TestKey::ed25519("e"));
    let provider = StandIn::start(&[&rsa, &p256, &p384, &ed]).await;
    let bench =
        Bench::new(vec![ProviderConfig { algorithms: Algorithm::ALL.to_vec(), ..provider.config() }]).await;
    for (key, algorithm) in [
        (&rsa, Signing::RS256),
        (&rsa, Signing::RS384),
        (&rsa, Signing::RS512),
        (&rsa, Signing::PS256),
        (&rsa, Signing::PS384),
        (&rsa, Signing::PS512),
        (&p256, Signing::ES256),
        (&p384, Signing::ES384),
        (&ed, Signing::EdDSA),
    ] {
        let token = key.sign(algorithm, &provider.claims());
        assert!(bench.authenticate(&token).await.is_ok(), "{algorithm:?}");
        let (input, _) = token.rsplit_once('.').unwrap();
        let other = key.sign(algorithm, &json!({ "sub": "other" }));
        let swapped = format!("{input}.{}", other.rsplit_once('.').unwrap().1);
        assert!(bench.authenticate(&swapped).await.is_err(), "{algorithm:?}");
    }
}

#[test]
fn algorithm_names() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDSA));
    for name in ["none", "HS256", "HS384", "HS512", "rs256", "ES512", "ES256K", "RSA-OAEP", ""] {
        assert!(name.parse::<Algorithm>().is_err(), "{name}");
    }
}

/// One token and what it means.
struct Shape {
    what: &'static str,
    typ: Option<&'static str>,
    claims: Value,
    client: Option<&'static str>,
    user: Option<&'static str>,
    scopes: &'static [&'static str],
    groups: &'static [&'static str],
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn shapes() -> Vec<Shape> {
    vec![
        Shape {
            what: "RFC 9068, a user",
            typ: Some("at+jwt"),
            claims: json!({ "sub": "5ba552d67", "client_id": "s6BhdRkqt3", "scope": "read:logs-* write:app", "jti": "x" }),
            client: Some("s6BhdRkqt3"),
            user: Some("5ba552d67"),
            scopes: &["read:logs-*", "write:app"],
            groups: &[],
        },
        Shape {
            what: "RFC 9068, a client",
            typ: Some("at+jwt"),
            claims: json!({ "sub": "agent", "client_id": "agent", "scope": "read:logs-*", "jti": "y" }),
            client: Some("agent"),
            user: None,
            scopes: &["read:logs-*"],
            groups: &[],
        },
        Shape {
            what: "Keycloak, a user",
            typ: Some("JWT"),
            claims: json!({
                "sub": "f:1:alice", "typ": "Bearer", "azp": "dashboards", "sid": "s", "acr": "1", "nonce": "old versions",
                "preferred_username": "alice", "scope": "openid profile read:logs-*",
                "realm_access": { "roles": ["ops", "offline_access"] }, "groups": ["/ops"], "jti": "onrtac:0b1c",
            }),
            client: Some("dashboards"),
            user: Some("f:1:alice"),
            scopes: &["openid", "profile", "read:logs-*"],
            groups: &["/ops"],
        },
        Shape {
            what: "Keycloak 26, a service account",
            typ: Some("JWT"),
            claims: json!({
                "sub": "0c7a", "typ": "Bearer", "azp": "langchain-agent", "client_id": "langchain-agent",
                "scope": "role:logs_reader read:logs-*", "jti": "trrtcc:5f1e",
            }),
            client: Some("langchain-agent"),
            user: None,
            scopes: &["role:logs_reader", "read:logs-*"],
            groups: &[],
        },
        Shape {
            what: "Keycloak before 26, a service account",
            typ: Some("JWT"),
            claims: json!({
                "sub": "0c7a", "typ": "Bearer", "azp": "Agent", "preferred_username": "service-account-agent",
                "scope": "", "jti": "5f1e",
            }),
            client: Some("Agent"),
            user: None,
            scopes: &[],
            groups: &[],
        },
        Shape {
            what: "Auth0, a user",
            typ: Some("JWT"),
            claims: json!({
                "sub": "auth0|6478", "azp": "SPA", "scope": "openid read:logs-*", "permissions": ["read:logs-*"],
            }),
            client: Some("SPA"),
            user: Some("auth0|6478"),
            scopes: &["openid", "read:logs-*"],
            groups: &[],
        },
        Shape {
            what: "Auth0, a machine",
            typ: Some("JWT"),
            claims: json!({ "sub": "M2M@clients", "azp": "M2M", "gty": "client-credentials", "scope": "read:logs-*" }),
            client: Some("M2M"),
            user: None,
            scopes: &["read:logs-*"],
            groups: &[],
        },
        Shape {
            what: "Okta, a user",
            typ: None,
            claims: json!({
                "ver": 1, "sub": "alice@example.com", "cid": "0oa1", "uid": "00u1", "scp": ["openid", "read:logs-*"],
                "groups": ["Everyone", "ops", "ops"], "jti": "AT.x",
            }),
            client: Some("0oa1"),
            user: Some("alice@example.com"),
            scopes: &["openid", "read:logs-*"],
            groups: &["Everyone", "ops"],
        },
        Shape {
            what: "Okta, a machine",
            typ: None,
            claims: json!({ "ver": 1, "sub": "0oa1", "cid": "0oa1", "scp": ["read:logs-*"] }),
            client: Some("0oa1"),
            user: None,
            scopes: &["read:logs-*"],
            groups: &[],
        },
        Shape {
            what: "Entra, an application",
            typ: Some("JWT"),
            claims: json!({ "sub": "b6f2", "oid": "b6f2", "appid": "6731", "idtyp": "app", "ver": "1.0" }),
            client: Some("6731"),
            user: None,
            scopes: &[],
            groups: &[],
        },
        Shape {
            what: "Dex, a user (its access tokens have the form of ID tokens)",
            typ: None,
            claims: json!({ "sub": "CgNhbGkSBWxvY2Fs", "at_hash": "x", "email": "ali@example.com", "email_verified": true }),
            client: None,
            user: Some("CgNhbGkSBWxvY2Fs"),
            scopes: &[],
            groups: &[],
        },
    ]
}

#[tokio::test]
async fn tokens_of_the_known_providers() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    for shape in shapes() {
        let bench = Bench::new(vec![ProviderConfig {
            allow_missing_type: shape.typ.is_none(),
            reject_id_tokens: !shape.what.starts_with("Dex"),
            ..provider.config()
        }])
        .await;
        let mut header = json!({ "alg": "ES256", "kid": "k1" });
        if let Some(typ) = shape.typ {
            header["typ"] = json!(typ);
        }
        let mut claims = shape.claims.clone();
        claims["iss"] = json!(provider.issuer);
        claims["aud"] = json!([AUDIENCE, "account"]);
        claims["exp"] = json!(NOW + 60);
        claims["iat"] = json!(NOW);
        let token = key.sign_text(Signing::ES256, &header.to_string(), &claims.to_string());
        let identity =
            bench.authenticate(&token).await.unwrap_or_else(|error| panic!("{}: {error}", shape.what));
        let plain = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(identity.client_id.as_deref(), shape.client, "{}", shape.what);
        assert_eq!(identity.user_id.as_deref(), shape.user, "{}", shape.what);
        assert_eq!(plain(&identity.scopes), shape.scopes, "{}", shape.what);
        assert_eq!(plain(&identity.groups), shape.groups, "{}", shape.what);
        assert_eq!(plain(&identity.audiences), [AUDIENCE, "account"], "{}", shape.what);
        assert_eq!((identity.expires_at, identity.issued_at), (NOW + 60, Some(NOW)), "{}", shape.what);
        assert_eq!((identity.fresh_until, identity.opaque), (NOW + 60, false), "{}", shape.what);
        assert_eq!(json!(*identity.claims), claims, "{}", shape.what);
        assert!(!format!("{identity:?}").contains("example.com\", \"email"), "{}", shape.what);
    }
}

#[tokio::test]
async fn claims_are_found_where_configuration_says() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let path = |text: &str| text.parse().unwrap();
    let names = ClaimNames {
        scopes: vec![path("permissions"), path("scope")],
        groups: vec![path("groups"), path("realm_access.roles"), path("\"https://example.com/teams\".name")],
        user: vec![path("preferred_username"), path("email")],
        client: vec![path("azp")],
    };
    let bench = Bench::new(vec![ProviderConfig { claims: names, ..provider.config() }]).await;
    let mut base = provider.claims();
    base["azp"] = json!("app");
    base["permissions"] = json!(["read:a-*", "read:b-*"]);
    base["scope"] = json!("read:b-*  openid");
    base["realm_access"] = json!({ "roles": ["ops", 7, ""] });
    base["https://example.com/teams"] = json!([{ "name": "red" }, { "name": "blue" }]);
    for (extra, user) in [
        (json!({ "preferred_username": "alice", "email": "a@example.com" }), Some("alice")),
        (json!({ "email": "a@example.com" }), Some("a@example.com")),
        (json!({ "email": "a@example.com", "email_verified": true }), Some("a@example.com")),
        (json!({ "email": "a@example.com", "email_verified": false }), None),
        (json!({ "email": "a@example.com", "email_verified": "false" }), None),
        (json!({ "preferred_username": "" }), None),
        (json!({}), None),
    ] {
        let mut claims = base.clone();
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let identity = bench.authenticate(&key.sign(Signing::ES256, &claims)).await.unwrap();
        assert_eq!(identity.user_id.as_deref(), user, "{extra}");
        assert_eq!(identity.client_id.as_deref(), Some("app"));
        assert_eq!(identity.scopes.join(" "), "read:a-* read:b-* openid");
        assert_eq!(identity.groups.join(" "), "ops red blue");
        assert_eq!(identity.claim(&path("realm_access.roles")), [&json!("ops"), &json!(7), &json!("")]);
    }
}

#[tokio::test]
async fn a_token_without_subject_needs_permission_and_a_client() {
    let key = TestKey::p256("k1");
    let provider = StandIn::start(&[&key]).await;
    let bench = Bench::new(vec![ProviderConfig { allow_missing_subject: true, ..provider.config() }]).await;
    let header = r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#;
    let mut claims = provider.claims();
    claims.as_object_mut().unwrap().remove("sub");
    let token = key.sign_text(Signing::ES256, header, &claims.to_string());
    let identity = bench.authenticate(&token).await.unwrap();
    assert_eq!((&*identity.subject, identity.user_id), ("agent", None));
    claims.as_object_mut().unwrap().remove("client_id");
    let token = key.sign_text(Signing::ES256, header, &claims.to_string());
    assert_eq!(bench.authenticate(&token).await, Err(TokenError::MissingClaim("sub".into())));
}
