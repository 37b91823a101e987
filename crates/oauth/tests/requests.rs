//! Forms and requests as they arrive, good and bad.

use data_encoding::BASE64;
use oauth::{
    ClientAuthentication, ErrorCode, Form, Grant, MAX_FORM, OAuthError, Owner, ScopeSet, Target, TokenRequest,
};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

fn read(authorization: Option<&str>, body: &str) -> Result<TokenRequest, OAuthError> {
    TokenRequest::read(authorization.map(str::as_bytes), &Form::parse(body.as_bytes())?)
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64.encode(credentials.as_bytes()))
}

const CC: &str = "grant_type=client_credentials";
const EXCHANGE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
    &subject_token=abc&subject_token_type=urn:ietf:params:oauth:token-type:access_token";
const ASSERTION: &str = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer\
    &client_assertion=a.b.c";

#[test]
fn every_way_to_authenticate() {
    for (authorization, body, method, client) in [
        (Some(basic("agent:s")), CC.to_owned(), "client_secret_basic", Some("agent")),
        (Some(basic("a%3Ab:s")), CC.to_owned(), "client_secret_basic", Some("a:b")),
        (Some(basic("agent:")), format!("{CC}&client_id=agent"), "client_secret_basic", Some("agent")),
        (None, format!("{CC}&client_id=agent&client_secret=s"), "client_secret_post", Some("agent")),
        (None, format!("{CC}&{ASSERTION}"), "private_key_jwt", None),
        (None, format!("{CC}&{ASSERTION}&client_id=agent"), "private_key_jwt", Some("agent")),
    ] {
        let request = read(authorization.as_deref(), &body).unwrap();
        let Grant::ClientCredentials(found) = request.grant else { unreachable!("{body}") };
        assert_eq!((found.method(), found.client_id()), (method, client), "{body}");
        assert!(!format!("{found:?}").contains("a.b.c"));
        if let (ClientAuthentication::Basic { authorization, .. }, Some(sent)) =
            (&found, authorization_of(&body, client))
        {
            assert_eq!(authorization.expose_secret(), sent);
        }
    }
}

/// What the header was, where it is passed on as it came.
fn authorization_of(body: &str, client: Option<&str>) -> Option<String> {
    (body == CC && client == Some("agent")).then(|| basic("agent:s"))
}

#[test]
fn a_space_as_it_is_in_a_form_is_refused_with_its_cure() {
    let body = format!("{CC}&name=nightly report");
    let error = read(Some(&basic("agent:s")), &body).unwrap_err();
    assert!(error.to_string().contains("--data-urlencode"), "{error}");
}

#[test]
fn what_is_refused_and_how() {
    use ErrorCode::{InvalidClient, InvalidRequest, InvalidScope, UnsupportedGrantType};
    let with = |rest: &str| format!("{CC}&client_id=a&client_secret=s&{rest}");
    let exchange = |rest: &str| format!("{EXCHANGE}&{rest}");
    let table: Vec<(Option<String>, String, ErrorCode)> = vec![
        (None, String::new(), InvalidRequest),
        (None, "grant_type=".to_owned(), InvalidRequest),
        (None, "grant_type=password&username=a&password=b".to_owned(), UnsupportedGrantType),
        (None, "grant_type=implicit".to_owned(), UnsupportedGrantType),
        (None, CC.to_owned(), InvalidClient),
        (None, format!("{CC}&client_id=public"), InvalidClient),
        (None, format!("{CC}&client_secret=s"), InvalidRequest),
        (Some(basic("a:s")), with(""), InvalidRequest),
        (Some(basic("a:s")), format!("{CC}&{ASSERTION}"), InvalidRequest),
        (None, with(ASSERTION), InvalidRequest),
        (Some(basic("a:s")), format!("{CC}&client_id=b"), InvalidRequest),
        (Some("Bearer abc".to_owned()), CC.to_owned(), InvalidClient),
        (Some("Basic !!".to_owned()), CC.to_owned(), InvalidClient),
        (Some(basic("nocolon")), CC.to_owned(), InvalidClient),
        (Some(basic(":s")), CC.to_owned(), InvalidClient),
        (Some(basic("%zz:s")), CC.to_owned(), InvalidClient),
        (None, format!("{CC}&client_assertion=a.b.c"), InvalidRequest),
        (None, format!("{CC}&client_assertion=a.b.c&client_assertion_type=other"), InvalidClient),
        (None, format!("{CC}&{}", ASSERTION.replace("a.b.c", "a.b")), InvalidClient),
        (None, format!("{}&grant_type=client_credentials", with("")), InvalidRequest),
        (None, with("scope=a&scope=b"), InvalidRequest),
        (None, with("scope=&scope=b"), InvalidRequest),
        (None, with("scope=%22"), InvalidScope),
        (None, with("scope=%20"), InvalidScope),
        (None, with("expires_in=0"), InvalidRequest),
        (None, with("expires_in=-1"), InvalidRequest),
        (None, with("expires_in=%2B1"), InvalidRequest),
        (None, with("expires_in=1h"), InvalidRequest),
        (None, with("expires_in=99999999999999999999"), InvalidRequest),
        (None, with("metadata=[]"), InvalidRequest),
        (None, with("metadata={%22a%22:1}"), InvalidRequest),
        (None, with("metadata={%22a%22:%221%22,%22a%22:%222%22}"), InvalidRequest),
        (None, with("owner_user=carol"), InvalidRequest),
        (None, with("name=%"), InvalidRequest),
        (None, with("name=%f"), InvalidRequest),
        (None, with("name=%ff"), InvalidRequest),
        (None, with("name=%00"), InvalidRequest),
        (None, with("name=\u{e9}"), InvalidRequest),
        (None, with("%20=x"), InvalidRequest),
        (None, with("=x"), InvalidRequest),
        (None, exchange("client_id=a&client_secret=s"), InvalidRequest),
        (Some(basic("a:s")), EXCHANGE.to_owned(), InvalidRequest),
        (None, exchange("actor_token=x"), InvalidRequest),
        (None, exchange("actor_token_type=urn:ietf:params:oauth:token-type:jwt"), InvalidRequest),
        (
            None,
            exchange("requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"),
            InvalidRequest,
        ),
        (None, EXCHANGE.replace("token-type:access_token", "token-type:id_token"), InvalidRequest),
        (None, EXCHANGE.replace("subject_token=abc&", ""), InvalidRequest),
    ];
    for (authorization, body, code) in table {
        let error = read(authorization.as_deref(), &body).unwrap_err();
        assert_eq!(error.code, code, "{body}: {error}");
    }
}

#[test]
fn what_a_token_shall_be_like() {
    let body = format!(
        "{CC}&client_id=a&client_secret=s&scope=read%3Alogs-*+read:x++read:x&expires_in=3600&name=nightly+job\
         &metadata=%7B%22team%22%3A%22ops%22%7D&provider=main&resource=https://a.example&resource=https://b.example\
         &audience=prod&unknown=ignored&description=\
         &owner=job-1&owner_client_id=job"
    );
    let options = read(None, &body).unwrap().options;
    assert_eq!(options.scope.unwrap().to_string(), "read:logs-* read:x");
    assert_eq!((options.expires_in, options.name.as_deref()), (Some(3600), Some("nightly job")));
    assert_eq!((options.description, options.provider.as_deref()), (None, Some("main")));
    assert_eq!(options.metadata["team"], "ops");
    let owner = Owner { subject: "job-1".to_owned(), client_id: Some("job".to_owned()), user: None };
    assert_eq!(options.owner, Some(owner));
    assert_eq!(
        options.targets,
        [
            Target::Resource("https://a.example".to_owned()),
            Target::Resource("https://b.example".to_owned()),
            Target::Audience("prod".to_owned()),
        ]
    );
}

#[test]
fn an_exchange_with_an_actor() {
    let actor = "actor_token=def&actor_token_type=urn:ietf:params:oauth:token-type:jwt";
    let request = read(None, &format!("{EXCHANGE}&{actor}")).unwrap();
    let Grant::TokenExchange(exchange) = request.grant else { unreachable!() };
    assert_eq!(exchange.subject_token.expose_secret(), "abc");
    assert_eq!(exchange.actor_token.unwrap().expose_secret(), "def");
}

#[test]
fn forms_are_bounded_and_show_no_values() {
    let long = vec![b'a'; MAX_FORM + 1];
    assert_eq!(Form::parse(&long).unwrap_err().code, ErrorCode::InvalidRequest);
    let many = (0..100).map(|at| format!("f{at}=x")).collect::<Vec<_>>().join("&");
    assert_eq!(Form::parse(many.as_bytes()).unwrap_err().code, ErrorCode::InvalidRequest);
    let form = Form::parse(b"client_secret=hunter2").unwrap();
    assert_eq!(format!("{form:?}"), "{\"client_secret\"}");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..300), header in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(form) = Form::parse(&body) {
            let _ = TokenRequest::read(Some(&header), &form);
            let _ = TokenRequest::read(None, &form);
        }
    }

    #[test]
    fn what_a_client_encodes_arrives_as_it_was(name in "[a-z_]{1,20}", value in "[^\\x00-\\x1f\\x7f-\\x9f]{1,40}") {
        let encoded = value.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let form = Form::parse(format!("{name}={encoded}").as_bytes()).unwrap();
        prop_assert_eq!(form.get(&name), Some(value.as_str()));
    }

    #[test]
    fn a_list_of_scopes_is_read_as_written(scopes in proptest::collection::btree_set("[!#-\\[\\]-~]{1,12}", 1..20)) {
        let scopes: Vec<String> = scopes.into_iter().collect();
        let read: ScopeSet = scopes.join(" ").parse().unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), scopes);
    }
}
