//! Calls through a forward proxy.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::{
    ConnectError, ForwardProxy, HttpClient, HttpError, ServerCertificate, TlsOptions, server_config,
};
use url::Url;

use crate::certificates::Authority;
use crate::server::serve;

/// A proxy on loopback that notes the head of each request it gets.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Tunnels, unless `refusal` is what it answers instead; answers plain requests itself.
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = Arc::clone(&proxy.heads);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let heads = Arc::clone(&heads);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(client.read_u8().await.unwrap());
                    }
                    let head = String::from_utf8(head).unwrap().to_lowercase();
                    let target = head.split(' ').nth(1).unwrap().to_owned();
                    let tunnel = head.starts_with("connect ");
                    heads.lock().unwrap().push(head);
                    if let Some(refusal) = refusal {
                        let _ = client.write_all(refusal.as_bytes()).await;
                    } else if tunnel {
                        let mut server = TcpStream::connect(target).await.unwrap();
                        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    } else {
                        let answer =
                            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nproxy";
                        let _ = client.write_all(answer).await;
                    }
                });
            }
        });
        proxy
    }

    fn client(&self, authority: &Authority, bypass: &str) -> HttpClient {
        let url: Url = format!("http://user:hunter2@{}", self.address).parse().unwrap();
        let proxy = ForwardProxy { bypass: bypass.to_owned(), ..ForwardProxy::from(url) };
        assert!(!format!("{proxy:?}").contains("hunter2"));
        let tls = TlsOptions { ca: Some(authority.ca()), identity: None };
        HttpClient::new(&tls, Some(&proxy), Duration::from_secs(30), 1_000).unwrap()
    }

    fn heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }
}

const CREDENTIALS: &str = "proxy-authorization: basic dxnlcjpodw50zxiy";

#[tokio::test]
async fn targets_are_tunnelled_forwarded_or_reached_directly() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("server", "localhost", 2050);
    let certificate = ServerCertificate::load(&certificate, &key).unwrap();
    let secure = serve(Some(server_config(certificate, None).unwrap())).await;
    let plain = serve(None).await;
    let secure: Url = format!("https://localhost:{}/", secure.port()).parse().unwrap();
    let plain: Url = format!("http://{plain}/x").parse().unwrap();
    let proxy = Proxy::start(None).await;

    let client = proxy.client(&authority, "");
    let body = client.get(&secure, "*/*").await.unwrap().body;
    assert!(body.starts_with(b"GET / HTTP/1.1"));
    let heads = proxy.heads();
    assert!(heads[0].starts_with("connect localhost:") && heads[0].contains(CREDENTIALS), "{heads:?}");

    assert_eq!(client.get(&plain, "*/*").await.unwrap().body, "proxy");
    let heads = proxy.heads();
    assert!(
        heads[0].starts_with(&format!("get {plain} http/1.1")) && heads[0].contains(CREDENTIALS),
        "{heads:?}"
    );

    let direct = proxy.client(&authority, "localhost, 127.0.0.0/8");
    for url in [&secure, &plain] {
        assert!(direct.get(url, "*/*").await.unwrap().body.starts_with(b"GET /"));
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_proxy_is_told() {
    let authority = Authority::new();
    for refusal in
        ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n\r\n", ""]
    {
        let proxy = Proxy::start(Some(refusal)).await;
        let error = proxy
            .client(&authority, "")
            .get(&"https://a.example/".parse().unwrap(), "*/*")
            .await
            .unwrap_err();
        assert!(matches!(&error, HttpError::Connect { source: ConnectError::Tunnel(_), .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
