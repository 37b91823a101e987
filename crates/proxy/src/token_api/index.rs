//! The index of tokens, read and written under the proxy's own name.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use config::model::{self, Cluster};
use engine::{EngineIdentity, IdentityError};
use http::{HeaderValue, Method, Request, Response, Uri};
use tokens::EngineClient;
use transport::{HttpClient, HttpError, TlsError, TlsOptions};
use url::Url;

/// Limit on one node's whole answer. Looks for changes come every half second, and some must succeed within `max_stale`.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit on an answer in bytes.
const MAX_SIZE: usize = 32 * 1024 * 1024;

/// The nodes of the cluster that has the index, and who asks them.
#[derive(Debug)]
pub(super) struct Nodes {
    client: HttpClient,
    urls: Box<[Url]>,
    /// The node that answered last.
    first: AtomicUsize,
    identity: EngineIdentity,
    user: Option<String>,
}

/// The nodes cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum NodesError {
    /// The cluster is not there. A configuration that was loaded names one that is.
    #[error("there is no cluster `{0}`")]
    Cluster(String),
    /// Its CA or certificate.
    #[error("its TLS settings cannot be used")]
    Tls(#[from] TlsError),
    /// The identity towards it.
    #[error("its identity cannot be used")]
    Identity(#[from] IdentityError),
}

impl Nodes {
    /// Those of the cluster that the store names.
    pub(super) fn new(config: &model::Config, store: &model::OpenSearchStore) -> Result<Self, NodesError> {
        let cluster = config.clusters.iter().find(|cluster| cluster.name == store.cluster);
        let cluster: &Cluster = cluster.ok_or_else(|| NodesError::Cluster(store.cluster.clone()))?;
        let certificate = cluster.client_certificate.as_ref();
        let tls = TlsOptions {
            ca: cluster.ca.clone(),
            identity: certificate.map(|files| (files.certificate.clone(), files.private_key.clone())),
        };
        Ok(Self {
            client: HttpClient::new(&tls, None, TIMEOUT, MAX_SIZE)?,
            urls: cluster.nodes.clone().into(),
            first: AtomicUsize::new(0),
            identity: EngineIdentity::from_config(&cluster.identity)?,
            user: store.user.clone(),
        })
    }

    async fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        // What only reads can be asked again of another node, whatever became of the first attempt.
        let reads = request.method() == Method::GET || request.uri().path().ends_with("/_search");
        let first = self.first.load(Ordering::Relaxed);
        let mut offset = 0;
        loop {
            let at = (first + offset) % self.urls.len().max(1);
            let node = self.urls.get(at).ok_or("the cluster has no nodes")?;
            offset += 1;
            match self.ask(node, request).await {
                Ok(answer) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => {
                    let elsewhere = error.downcast_ref::<HttpError>().is_some_and(|error| {
                        reads || matches!(error, HttpError::Connect { .. } | HttpError::Tls { .. })
                    });
                    if !elsewhere || offset == self.urls.len() {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn ask(
        &self,
        node: &Url,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let credential = self.identity.for_tokens(self.user.as_deref(), SystemTime::now())?;
        let mut request = request.clone();
        *request.uri_mut() =
            format!("{}{}", node.as_str().trim_end_matches('/'), request.uri()).parse::<Uri>()?;
        // The engine's `proxy` domain wants to know whom a request came from.
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("127.0.0.1"));
        credential.apply(request.headers_mut());
        let answer = self.client.send(request).await?;
        Ok(Response::builder().status(answer.status).body(answer.body)?)
    }
}

/// Asks whichever nodes the configuration in force has.
#[derive(Clone, Debug)]
pub(super) struct IndexClient(Arc<ArcSwap<Nodes>>);

impl IndexClient {
    /// Asks these, until others take their place.
    pub(super) fn new(nodes: Arc<Nodes>) -> Self {
        Self(Arc::new(ArcSwap::new(nodes)))
    }

    /// Asks these from now on.
    pub(super) fn replace(&self, nodes: Arc<Nodes>) {
        self.0.store(nodes);
    }
}

#[async_trait]
impl EngineClient for IndexClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        self.0.load_full().send(&request).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A node that answers every request with its name, or breaks off; the heads of its requests.
    async fn node(answer: Option<&'static str>) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
                if let Some(answer) = answer {
                    let length = answer.len();
                    let text = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            }
        });
        (url, heads)
    }

    /// Nobody listens there.
    async fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    fn nodes(urls: &[&str]) -> Arc<Nodes> {
        transport::install_crypto_provider();
        let config = serde_json::from_value(json!({
            "listen": { "address": "127.0.0.1:8443", "plaintext": true },
            "public_url": "http://127.0.0.1:8443",
            "providers": [{ "name": "main", "issuer": "http://127.0.0.1/x", "audiences": ["x"] }],
            "clusters": [{ "name": "main", "nodes": urls, "identity": { "proxy_headers": {} } }],
            "audit": { "sink": { "stdout": {} } },
        }));
        let store = json!({ "cluster": "main", "secret": "a secret of thirty-two bytes or more" });
        Arc::new(Nodes::new(&config.unwrap(), &serde_json::from_value(store).unwrap()).unwrap())
    }

    async fn ask(client: &IndexClient, path: &str) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let request = Request::post(path).body(Bytes::from_static(b"{}")).unwrap();
        Ok(client.send(request).await?.into_body())
    }

    #[tokio::test]
    async fn a_node_that_is_down_is_passed_over_and_the_proxy_speaks_for_itself() {
        let (url, heads) = node(Some("one")).await;
        let client = IndexClient::new(nodes(&[&nobody().await, &url]));
        for path in ["/.oauth-tokens/_search?a=b", "/.oauth-tokens/_bulk"] {
            assert_eq!(ask(&client, path).await.unwrap(), "one");
        }
        let heads = heads.lock().unwrap();
        assert!(heads[0].starts_with("post /.oauth-tokens/_search?a=b http/1.1\r\n"), "{}", heads[0]);
        for head in heads.iter() {
            assert!(head.contains("x-proxy-user: _proxy:tokens\r\n"), "{head}");
        }
    }

    #[tokio::test]
    async fn what_may_have_been_written_is_not_sent_again() {
        let (broken, seen) = node(None).await;
        let (other, heads) = node(Some("other")).await;
        let client = IndexClient::new(nodes(&[&broken, &other]));
        assert!(ask(&client, "/.oauth-tokens/_bulk").await.is_err());
        assert_eq!((seen.lock().unwrap().len(), heads.lock().unwrap().len()), (1, 0));
        assert_eq!(ask(&client, "/.oauth-tokens/_search").await.unwrap(), "other", "what only reads is");
    }

    #[tokio::test]
    async fn after_a_reload_the_new_nodes_are_asked() {
        let ((old, _), (new, _)) = (node(Some("old")).await, node(Some("new")).await);
        let client = IndexClient::new(nodes(&[&old]));
        assert_eq!(ask(&client, "/x/_search").await.unwrap(), "old");
        client.clone().replace(nodes(&[&new]));
        assert_eq!(ask(&client, "/x/_search").await.unwrap(), "new");
    }
}
