//! Trust, client certificates, protocol choice and certificate change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use transport::{
    ClientAuthentication, Connector, HttpClient, HttpError, ServerCertificate, TlsOptions, client_config,
    install_crypto_provider, server_config,
};
use url::Url;

use crate::certificates::Authority;
use crate::server::serve;

fn client(tls: &TlsOptions) -> HttpClient {
    HttpClient::new(tls, None, Duration::from_secs(30), 10_000).unwrap()
}

fn trusting(authority: &Authority) -> TlsOptions {
    TlsOptions { ca: Some(authority.ca()), identity: None }
}

async fn start(authority: &Authority, host: &str, clients: Option<&ClientAuthentication>) -> Url {
    let (certificate, key) = authority.issue("server", host, 2050);
    let certificate = ServerCertificate::load(&certificate, &key).unwrap();
    let address = serve(Some(server_config(certificate, clients).unwrap())).await;
    format!("https://localhost:{}/", address.port()).parse().unwrap()
}

#[tokio::test]
async fn only_certificates_of_the_trusted_authority_for_the_right_host_are_accepted() {
    install_crypto_provider();
    install_crypto_provider();
    let (authority, other) = (Authority::new(), Authority::new());
    let url = start(&authority, "localhost", None).await;
    assert!(client(&trusting(&authority)).get(&url, "*/*").await.is_ok());
    for tls in [trusting(&other), TlsOptions::default()] {
        let error = client(&tls).get(&url, "*/*").await.unwrap_err();
        assert!(matches!(error, HttpError::Tls { .. }), "{error}");
    }
    let (certificate, key) = authority.issue("expired", "localhost", 2020);
    let expired = ServerCertificate::load(&certificate, &key).unwrap();
    let address = serve(Some(server_config(expired, None).unwrap())).await;
    let expired: Url = format!("https://localhost:{}/", address.port()).parse().unwrap();
    let error = client(&trusting(&authority)).get(&expired, "*/*").await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error}");
    let misnamed = start(&authority, "elsewhere.example", None).await;
    let error = client(&trusting(&authority)).get(&misnamed, "*/*").await.unwrap_err();
    assert!(matches!(error, HttpError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn client_certificates_are_asked_for_as_configured() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let known = TlsOptions { identity: Some(clients.issue("c", "client", 2050)), ..trusting(&authority) };
    let stranger =
        TlsOptions { identity: Some(strangers.issue("c", "client", 2050)), ..trusting(&authority) };
    let nobody = trusting(&authority);
    for (required, tls, accepted) in [
        (true, &known, true),
        (true, &nobody, false),
        (true, &stranger, false),
        (false, &known, true),
        (false, &nobody, true),
        (false, &stranger, false),
    ] {
        let authentication = ClientAuthentication { ca: clients.ca(), required };
        let url = start(&authority, "localhost", Some(&authentication)).await;
        let result = client(tls).get(&url, "*/*").await;
        assert_eq!(result.is_ok(), accepted, "{required} {tls:?} {result:?}");
        // The alert may be lost when the server closes with the request unread.
        assert!(
            matches!(result, Ok(_) | Err(HttpError::Tls { .. } | HttpError::Protocol { .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn the_connector_speaks_the_protocol_that_was_agreed_on() {
    let authority = Authority::new();
    let url = start(&authority, "localhost", None).await;
    for (offered, version) in [
        (&[&b"h2"[..], b"http/1.1"][..], http::Version::HTTP_2),
        (&[b"http/1.1"], http::Version::HTTP_11),
        (&[], http::Version::HTTP_11),
    ] {
        let tls = client_config(&trusting(&authority), offered).unwrap();
        let connector = Connector::new(tls, None, Duration::from_secs(30));
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let response = client.get(url.as_str().parse().unwrap()).await.unwrap();
        assert_eq!(response.version(), version);
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_while_serving_and_kept_if_the_new_one_is_broken() {
    let (old, new) = (Authority::new(), Authority::new());
    let (certificate, key) = old.issue("server", "localhost", 2040);
    let served = ServerCertificate::load(&certificate, &key).unwrap();
    let address = serve(Some(server_config(Arc::clone(&served), None).unwrap())).await;
    let url: Url = format!("https://localhost:{}/", address.port()).parse().unwrap();
    let reachable = async |authority: &Authority| client(&trusting(authority)).get(&url, "*/*").await.is_ok();
    let end = |year: u64| Some(SystemTime::UNIX_EPOCH + Duration::from_hours(24 * year));
    assert!(reachable(&old).await && !reachable(&new).await);
    assert_eq!(served.not_after(), end(25_567));
    assert!(!served.reload().unwrap(), "nothing changed");

    std::fs::write(&certificate, "broken").unwrap();
    assert!(served.reload().is_err());
    assert!(reachable(&old).await);

    // One file replaced, the other not yet: no pair, so the old one stays.
    let (new_certificate, new_key) = new.issue("server", "localhost", 2060);
    std::fs::copy(new_certificate, &certificate).unwrap();
    assert!(served.reload().is_err());
    assert!(reachable(&old).await);
    std::fs::copy(new_key, &key).unwrap();
    assert!(served.reload().unwrap());
    assert!(reachable(&new).await && !reachable(&old).await);
    assert_eq!(served.not_after(), end(32_872));
}
