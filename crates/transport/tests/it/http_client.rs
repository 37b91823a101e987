//! What the client bounds, and what its errors say.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::net::TcpListener;
use transport::{ConnectError, HttpClient, HttpError, TlsOptions, client_secret_basic};
use url::Url;

use crate::certificates::Authority;
use crate::server::{serve, serve_bytes};

const PATIENCE: Duration = Duration::from_secs(30);

fn client(timeout: Duration, max_body: usize) -> HttpClient {
    let authority = Authority::new();
    let tls = TlsOptions { ca: Some(authority.ca()), identity: None };
    HttpClient::new(&tls, None, timeout, max_body).unwrap()
}

fn url(address: std::net::SocketAddr, path: &str) -> Url {
    format!("http://{address}{path}").parse().unwrap()
}

#[tokio::test]
async fn requests_arrive_as_meant() {
    let address = serve(None).await;
    let client = client(PATIENCE, 10_000);
    let text = |body: &Bytes| String::from_utf8(body.to_vec()).unwrap();

    let response = client.get(&url(address, "/a?b=c#d"), "application/json").await.unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(text(&response.body), "GET /a?b=c HTTP/1.1|application/json|||");

    let authorization = client_secret_basic("id", "secret");
    let fields = [("token", "a+b&c"), ("hint", "é")];
    let response = client.post_form(&url(address, "/f"), &fields, Some(&authorization)).await.unwrap();
    assert_eq!(
        text(&response.body),
        "POST /f HTTP/1.1|application/json|application/x-www-form-urlencoded|Basic aWQ6c2VjcmV0|token=a%2Bb%26c&hint=%C3%A9"
    );

    let request = Request::put(url(address, "/p").as_str()).body(Bytes::from_static(b"body")).unwrap();
    assert_eq!(text(&client.send(request).await.unwrap().body), "PUT /p HTTP/1.1||||body");
}

#[tokio::test]
async fn redirects_are_returned_not_followed() {
    let address = serve(None).await;
    let response = client(PATIENCE, 10_000).get(&url(address, "/redirect"), "*/*").await.unwrap();
    assert_eq!((response.status, response.body.len()), (StatusCode::FOUND, 0));
}

#[tokio::test]
async fn bodies_are_bounded_announced_or_not() {
    let address = serve(None).await;
    for path in ["/long", "/chunked"] {
        let url = url(address, path);
        assert_eq!(client(PATIENCE, 1_000).get(&url, "*/*").await.unwrap().body.len(), 1_000);
        let error = client(PATIENCE, 999).get(&url, "*/*").await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { limit: 999, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up() {
    let address = serve(None).await;
    let error =
        client(Duration::from_millis(50), 1_000).get(&url(address, "/never"), "*/*").await.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { .. }), "{error}");
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn a_closed_port_is_an_error_of_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(PATIENCE, 1_000).get(&url(address, "/?secret=x"), "*/*").await.unwrap_err();
    assert!(matches!(&error, HttpError::Connect { source: ConnectError::Tcp(_), .. }), "{error}");
    assert!(!error.may_have_been_sent());
    assert!(
        error.to_string().contains(&address.to_string()) && !error.to_string().contains("secret"),
        "{error}"
    );
}

#[tokio::test]
async fn answers_that_are_not_http_are_errors_of_protocol() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ] {
        let address = serve_bytes(bytes).await;
        let error = client(PATIENCE, 1_000).get(&url(address, "/"), "*/*").await.unwrap_err();
        assert!(matches!(error, HttpError::Protocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn urls_that_cannot_be_called_are_refused_without_showing_secrets() {
    let client = client(PATIENCE, 1_000);
    for (text, reason) in [
        ("ftp://a.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://user:hunter2@127.0.0.1:1/", "credentials"),
    ] {
        let error = client.get(&text.parse().unwrap(), "*/*").await.unwrap_err();
        assert!(matches!(error, HttpError::Url { .. }), "{error}");
        assert!(error.to_string().contains(reason) && !error.to_string().contains("hunter2"), "{error}");
    }
    assert!(client.get(&"http://127.0.0.1:1/".parse().unwrap(), "a\nb").await.is_err());
}

#[tokio::test]
async fn json_errors_and_debug_show_no_content() {
    let address = serve(None).await;
    let response = client(PATIENCE, 1_000).get(&url(address, "/json"), "*/*").await.unwrap();
    let value: serde_json::Value = response.json().unwrap();
    assert_eq!(value["secret"], "hunter2");
    let error = response.json::<std::collections::HashMap<String, u32>>().unwrap_err();
    assert!(matches!(error, HttpError::Json { line: 1, category: "data", .. }), "{error}");
    assert!(!format!("{error} {error:?} {response:?}").contains("hunter2"));
}
