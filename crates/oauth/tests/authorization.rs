//! Requests that a person is asked about, and what comes back of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use oauth::{
    AuthorizationRequest, ClaimedClient, CodeChallenge, CodeVerifier, ErrorCode, Form, Grant, OAuthError,
    Prompt, ServerMetadata, TokenRequest,
};
use secrecy::ExposeSecret as _;

/// Of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn form(body: &str) -> Form {
    Form::parse(body.as_bytes()).unwrap()
}

fn asked(rest: &str) -> Result<AuthorizationRequest, OAuthError> {
    let pkce = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
    AuthorizationRequest::read(&form(&format!("response_type=code&{pkce}&{rest}")))
}

#[test]
fn the_example_of_rfc_7636() {
    let verifier = CodeVerifier::parse(VERIFIER).unwrap();
    assert_eq!(verifier.challenge().as_str(), CHALLENGE);
    let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
    assert!(challenge.is_met_by(&verifier));
    let other = CodeVerifier::generate().unwrap();
    assert!(!challenge.is_met_by(&other) && other.challenge().is_met_by(&other));
    assert!(!format!("{verifier:?}").contains(VERIFIER));
    for bad in [&VERIFIER[1..], &"a".repeat(129), &format!("{VERIFIER}="), &VERIFIER.replace('d', " ")] {
        assert!(CodeVerifier::parse(bad).is_none(), "{bad}");
    }
    for bad in ["", &CHALLENGE[1..], &format!("{CHALLENGE}="), VERIFIER, &CHALLENGE.replace('-', "+")] {
        let good = bad == VERIFIER;
        assert_eq!(CodeChallenge::parse(bad).is_some(), good, "{bad}");
    }
}

#[test]
fn a_request_for_a_code() {
    use ErrorCode::{InvalidRequest, InvalidScope, UnsupportedResponseType};

    let request = asked("scope=read%3Alogs-*&expires_in=60&resource=https%3A%2F%2Fa.example").unwrap();
    assert_eq!(request.wish.scope.unwrap().to_string(), "read:logs-*");
    assert_eq!((request.wish.expires_in, request.wish.targets.len()), (Some(60), 1));
    assert_eq!((request.prompt, request.challenge.as_str()), (Prompt::default(), CHALLENGE));
    let both = asked("prompt=login+consent&login_hint=alice").unwrap();
    assert_eq!((both.prompt.consent, both.prompt.provider.as_deref()), (true, Some("login")));
    assert_eq!(both.login_hint.as_deref(), Some("alice"));

    for (body, code) in [
        ("", InvalidRequest),
        ("response_type=token", UnsupportedResponseType),
        ("response_type=code+id_token", UnsupportedResponseType),
        ("response_type=code", InvalidRequest),
        (&format!("response_type=code&code_challenge={CHALLENGE}"), InvalidRequest),
        (
            &format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=plain"),
            InvalidRequest,
        ),
        ("response_type=code&code_challenge=abc&code_challenge_method=S256", InvalidRequest),
    ] {
        assert_eq!(AuthorizationRequest::read(&form(body)).unwrap_err().code, code, "{body}");
    }
    for (rest, code) in [
        ("scope=%22", InvalidScope),
        ("expires_in=0", InvalidRequest),
        ("response_mode=fragment", InvalidRequest),
        ("request=a.b.c", InvalidRequest),
        ("request_uri=https://a.example", InvalidRequest),
        ("prompt=none+consent", InvalidRequest),
        ("prompt=create", InvalidRequest),
    ] {
        assert_eq!(asked(rest).unwrap_err().code, code, "{rest}");
    }
}

#[test]
fn a_client_of_ones_own_is_read_from_wherever_it_stands() {
    let basic = format!("Basic {}", data_encoding::BASE64.encode(b"my%20agent:s%3At"));
    for (authorization, body, client, secret) in [
        (None, "client_id=agent", "agent", None),
        (None, "client_id=agent&client_secret=s", "agent", Some("s")),
        (Some(&basic), "", "my agent", Some("s:t")),
    ] {
        let authorization = authorization.map(String::as_bytes);
        let claimed = ClaimedClient::read(authorization, &form(body)).unwrap();
        let found = claimed.secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        assert_eq!((claimed.client_id.as_str(), found.as_deref()), (client, secret), "{body}");
    }
    assert!(ClaimedClient::read(None, &form("")).is_err());
}

#[test]
fn codes_are_presented_with_all_that_belongs_to_them() {
    let read = |body: &str| TokenRequest::read(None, &form(body));
    let code = "grant_type=authorization_code&client_id=agent";
    let redirect = "redirect_uri=https%3A%2F%2Fa.example%2Fcb";
    let whole = format!("{code}&code=c&{redirect}&code_verifier={VERIFIER}");
    let Grant::AuthorizationCode(found) = read(&whole).unwrap().grant else { unreachable!() };
    assert_eq!((found.redirect_uri.as_str(), found.verifier.expose()), ("https://a.example/cb", VERIFIER));
    for body in [
        format!("{code}&{redirect}&code_verifier={VERIFIER}"),
        format!("{code}&code=c&code_verifier={VERIFIER}"),
        format!("{code}&code=c&{redirect}"),
        format!("{code}&code=c&{redirect}&code_verifier=short"),
        format!("grant_type=authorization_code&code=c&{redirect}&code_verifier={VERIFIER}"),
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=agent".to_owned(),
    ] {
        assert_eq!(read(&body).unwrap_err().code, ErrorCode::InvalidRequest, "{body}");
    }
}

#[test]
fn a_service_that_asks_people_says_so() {
    let metadata =
        |asks| serde_json::to_value(ServerMetadata::new("https://a.example", vec![], asks)).unwrap();
    let (with, without) = (metadata(true), metadata(false));
    assert_eq!(with["authorization_endpoint"], "https://a.example/oauth/authorize");
    assert_eq!(with["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(with["authorization_response_iss_parameter_supported"], true);
    assert_eq!(with["response_types_supported"], serde_json::json!(["code"]));
    assert!(without.get("authorization_endpoint").is_none());
    assert_eq!(without["response_types_supported"], serde_json::json!([]));
}
