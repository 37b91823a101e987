//! A person's login at the provider, from the address to the tokens.

use std::collections::HashMap;

use aws_lc_rs::rsa::KeySize;
use http::StatusCode;
use jsonwebtoken::Algorithm;
use oidc::{Login, LoginAnswer, LoginError, LoginRequest, RelayError, TokenError};
use serde_json::{Value, json};

use crate::keys::{TestKey, unsigned};
use crate::stand_in::{Bench, NOW, StandIn};

const CLIENT: &str = "the proxy";
const CALLBACK: &str = "https://search.example/oauth/callback";

/// What an ID token of this login says.
fn claims(provider: &StandIn) -> Value {
    json!({
        "iss": provider.issuer, "aud": CLIENT, "sub": "alice", "nonce": "n-1", "iat": NOW, "exp": NOW + 300,
    })
}

/// The provider, which issues these tokens.
fn issues(provider: &StandIn, answer: Value) {
    let (token, authorize) = (format!("{}/token", provider.issuer), format!("{}/auth?x=1", provider.issuer));
    provider.change(|answers| {
        answers.discovery.insert("token_endpoint".to_owned(), token.into());
        answers.discovery.insert("authorization_endpoint".to_owned(), authorize.into());
        answers.token = Some((StatusCode::OK, answer));
    });
}

fn answer(id_token: &str) -> Value {
    json!({"access_token": "abc", "token_type": "Bearer", "id_token": id_token})
}

async fn log_in(bench: &Bench) -> Result<Login, LoginError> {
    let answer = LoginAnswer {
        code: "c&1",
        client_id: CLIENT,
        client_secret: "s3cret",
        redirect_uri: CALLBACK,
        code_verifier: "v-1",
        nonce: "n-1",
        max_length: 4000,
    };
    bench.providers.log_in("stand-in", answer).await
}

#[tokio::test]
async fn the_browser_is_sent_with_all_that_must_come_back() {
    let provider = StandIn::start(&[]).await;
    issues(&provider, Value::Null);
    let bench = Bench::new(vec![provider.config()]).await;
    let request = LoginRequest {
        client_id: CLIENT,
        redirect_uri: CALLBACK,
        scope: "openid read:logs-*",
        state: "s-1",
        nonce: "n-1",
        code_challenge: "c-1",
        prompt: Some("login"),
        login_hint: None,
    };
    let url = bench.providers.login_address("stand-in", &request).await.unwrap();
    assert!(url.as_str().starts_with(&format!("{}/auth?x=1&", provider.issuer)), "{url}");
    let found: HashMap<_, _> = url.query_pairs().into_owned().collect();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", CALLBACK),
        ("scope", "openid read:logs-*"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", "c-1"),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
    ] {
        assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!found.contains_key("login_hint"));

    let other = StandIn::start(&[]).await;
    other.change(|answers| {
        answers.discovery.insert("authorization_endpoint".to_owned(), "http://elsewhere.example".into());
    });
    let bench = Bench::new(vec![other.config()]).await;
    let refused = bench.providers.login_address("stand-in", &request).await.unwrap_err();
    assert!(matches!(refused, LoginError::NoAuthorizationEndpoint), "{refused}");
}

#[tokio::test]
async fn the_code_is_exchanged_by_the_proxy_as_a_client() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    issues(&provider, answer(&key.sign(Algorithm::RS256, &claims(&provider))));
    let bench = Bench::new(vec![provider.config()]).await;
    let login = log_in(&bench).await.unwrap();
    assert_eq!((login.access_token.expose(), &*login.subject), ("abc", "alice"));
    let (authorization, fields) = provider.token_request();
    assert_eq!(authorization.unwrap(), transport::client_secret_basic(CLIENT, "s3cret"));
    let fields: HashMap<_, _> = fields.into_iter().collect();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "c&1"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", "v-1"),
    ] {
        assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}");
    }
    for (issued, what) in [
        (json!({"access_token": "abc", "token_type": "Bearer"}), "no ID token"),
        (json!({"access_token": "abc", "token_type": "DPoP", "id_token": "x"}), "another type of token"),
    ] {
        issues(&provider, issued);
        let refused = log_in(&bench).await.unwrap_err();
        assert!(matches!(refused, LoginError::Relay(RelayError::Unusable(_))), "{what}: {refused}");
    }
}

#[tokio::test]
async fn an_id_token_must_be_of_this_login() {
    let key = TestKey::rsa("k1");
    let provider = StandIn::start(&[&key]).await;
    issues(&provider, Value::Null);
    let bench = Bench::new(vec![provider.config()]).await;
    let good = claims(&provider);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        key.sign(Algorithm::RS256, &claims)
    };
    let several = json!([CLIENT, "another"]);
    let mut with_party = good.clone();
    with_party["aud"] = several.clone();
    with_party["azp"] = json!(CLIENT);
    let table = [
        (key.sign(Algorithm::RS256, &with_party), None),
        (with("azp", json!("another")), Some(TokenError::WrongAudience)),
        (with("aud", several), Some(TokenError::WrongAudience)),
        (with("aud", json!("another")), Some(TokenError::WrongAudience)),
        (with("iss", json!("https://evil.example")), Some(TokenError::UnknownIssuer)),
        (with("exp", json!(NOW - 3600)), Some(TokenError::Expired)),
        (with("iat", json!(NOW + 3600)), Some(TokenError::NotYetValid)),
        (with("sub", Value::Null), Some(TokenError::Malformed)),
        (with("sub", json!("")), Some(TokenError::MissingClaim("sub".to_owned()))),
        (
            TestKey::new_rsa(KeySize::Rsa2048).named("k1").sign(Algorithm::RS256, &good),
            Some(TokenError::BadSignature),
        ),
        (
            format!("{}.", unsigned(r#"{"alg":"none"}"#, &good.to_string())),
            Some(TokenError::AlgorithmNotAllowed),
        ),
        ("opaque".to_owned(), Some(TokenError::Malformed)),
        ("e".repeat(4001), Some(TokenError::TooLong)),
    ];
    for (token, expected) in table {
        issues(&provider, answer(&token));
        match (log_in(&bench).await, expected) {
            (Ok(_), None) => {}
            (Err(LoginError::IdToken(error)), Some(expected)) => assert_eq!(error, expected, "{token}"),
            (other, expected) => unreachable!("{other:?} instead of {expected:?} for {token}"),
        }
    }
    for nonce in [json!("n-2"), json!("")] {
        issues(&provider, answer(&with("nonce", nonce)));
        assert!(matches!(log_in(&bench).await, Err(LoginError::Nonce)));
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_refused() {
    let provider = StandIn::start(&[]).await;
    let bench = Bench::new(vec![provider.config()]).await;
    let check = async |bench: &Bench, iss: Option<&str>| {
        bench.providers.check_login_issuer("stand-in", iss).await.is_ok()
    };
    let issuer = provider.issuer.as_str();
    assert!(check(&bench, None).await && check(&bench, Some(issuer)).await);
    assert!(!check(&bench, Some("https://evil.example")).await);
    let announces = "authorization_response_iss_parameter_supported";
    provider.change(|answers| drop(answers.discovery.insert(announces.to_owned(), true.into())));
    let bench = Bench::new(vec![provider.config()]).await;
    assert!(check(&bench, Some(issuer)).await);
    assert!(!check(&bench, None).await, "it says that it names itself, so whoever does not is another");
}
