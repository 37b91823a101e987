use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::program::Home;
use crate::provider::Provider;
use crate::proxy;
use crate::server::Server;

#[tokio::test]
async fn every_fault_is_told() {
    let provider = Provider::start().await;
    let proxy = proxy::start(&provider.issuer()).await;
    let home = Home::with_context(&proxy).await;
    let (url, issuer) = (proxy.url(), provider.issuer());
    assert_eq!(
        home.run(&["config", "check"]).await.ok(),
        format!(
            "✅ config.yaml\n✅ token\n✅ current context\n✅ main: proxy {url}/\n✅ main: provider keycloak, {issuer}\n"
        )
    );
    drop(provider);
    let run = home.run(&["config", "check"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains(&format!("❌ main: provider keycloak, {issuer}: cannot connect")), "{run:?}");
    assert!(run.err.contains("1 fault was found"), "{run:?}");
    home.run(&["config", "check", "--offline"]).await.ok();
    std::fs::write(home.file("config.yaml"), "contexts: [").unwrap();
    home.run(&["config", "check", "--offline"]).await.failed(1);
}

#[tokio::test]
async fn a_ca_of_ones_own() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain = vec![certificate.der().clone()];
    let tls =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
    let proxy = Server::with_tls(Some(TlsAcceptor::from(Arc::new(tls))), |seen| {
        proxy::answer(&format!("https://{}", seen.header("host")), "https://login.example", seen)
    })
    .await;
    let url = format!("https://localhost:{}", proxy.address.port());
    let mut home = Home::new();
    std::fs::write(home.path().join("ca.pem"), certificate.pem()).unwrap();
    std::fs::write(
        home.path().join("other.pem"),
        rcgen::generate_simple_self_signed(vec![]).unwrap().cert.pem(),
    )
    .unwrap();
    let add = ["contexts", "add", "main", "--url", &url];
    let said = home.run(&[&add[..], &["--ca", "other.pem"]].concat()).await.failed(3);
    assert!(said.contains("TLS") && said.contains("--ca FILE"), "{said}");
    home.run(&[&add[..], &["--ca", "ca.pem"]].concat()).await.ok();
    // Another folder, and curl is told of it too.
    home.variable("OPENSEARCH_AUTH_TOKEN", "osat_example");
    let echo = home.run(&["curl", "/_search", "--silent"]).await.json();
    assert_eq!(echo["authorization"], "Bearer osat_example");
    assert!(
        home.read("config.yaml")
            .contains(&format!("{}/ca.pem", home.path().canonicalize().unwrap().display()))
    );
}

#[tokio::test]
async fn http_proxies_of_the_environment_are_used() {
    let issuer = "https://login.example";
    let outward = Server::start(|seen| {
        // Spoken to as a proxy: the target has its origin.
        let own = url::Url::parse(&seen.target).unwrap();
        proxy::answer(&own.origin().ascii_serialization(), "https://login.example", seen)
    })
    .await;
    let mut home = Home::new();
    home.variable("http_proxy", &outward.url());
    let add = ["contexts", "add", "main", "--url", "http://search.localhost:1"];
    let told = home.run(&[&add[..], &["--output", "json"]].concat()).await.json();
    assert_eq!(told["context"]["providers"]["keycloak"]["issuer"], issuer);
    assert_eq!(outward.seen().len(), 1);
    home.variable("no_proxy", "search.localhost");
    home.run(&[&add[..], &["--replace"]].concat()).await.failed(3);
    assert_eq!(outward.seen().len(), 1);
    home.variable("http_proxy", "socks5://127.0.0.1:1");
    let said = home.run(&["contexts", "list"]).await.failed(2);
    assert!(said.contains("http_proxy"), "{said}");
}
