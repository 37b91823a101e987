//! Asking the engine for its names.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use catalogue::{Catalogue, ListingError};
use config::model::Cluster;
use engine::{Credential, EngineIdentity, IdentityError};
use http::{HeaderValue, Request, StatusCode, header};
use transport::{HttpClient, HttpError, TlsError, TlsOptions};
use url::Url;

/// Everything there is, open or not, hidden or not.
const PATH: &str = "_resolve/index/*?expand_wildcards=all";
/// Limit on one node's whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit on the answer in bytes: some half a million names.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// Why the names of a cluster are not known.
#[derive(Debug, thiserror::Error)]
pub enum ListerError {
    /// The proxy has no identity to ask under.
    #[error("the proxy has no identity to list names under")]
    Identity(#[from] IdentityError),
    /// The request cannot be built.
    #[error("the request for the names cannot be built")]
    Request(#[from] http::Error),
    /// No node answered; this is of the last one tried.
    #[error("no node answered")]
    Http(#[from] HttpError),
    /// The engine does not let the proxy's identity list names.
    #[error(
        "the engine answered {status} to {url} for the user `{user}`; `engine-setup --apply` gives it the role that it needs, and \
         `engine-setup --check` tells what is missing"
    )]
    Refused {
        /// The status.
        status: StatusCode,
        /// What was called, without the query.
        url: String,
        /// The engine user.
        user: String,
    },
    /// The answer is not what it should be.
    #[error("the answer cannot be used")]
    Answer(#[from] ListingError),
    /// The task that read it broke off.
    #[error("reading the answer broke off")]
    Broke,
}

/// Lists what there is on one cluster.
#[derive(Debug)]
pub struct Lister {
    client: HttpClient,
    nodes: Box<[Url]>,
    /// The node that answered last.
    first: AtomicUsize,
    identity: Arc<EngineIdentity>,
    user: Option<String>,
}

impl Lister {
    /// For a cluster of the configuration that has a catalogue, under the proxy's own name in `identity`.
    pub fn new(
        settings: &Cluster,
        user: Option<&str>,
        identity: Arc<EngineIdentity>,
    ) -> Result<Self, TlsError> {
        let tls = TlsOptions {
            ca: settings.ca.clone(),
            identity: settings
                .client_certificate
                .as_ref()
                .map(|files| (files.certificate.clone(), files.private_key.clone())),
        };
        Ok(Self {
            client: HttpClient::new(&tls, None, TIMEOUT, MAX_SIZE)?,
            nodes: settings.nodes.clone().into(),
            first: AtomicUsize::new(0),
            identity,
            user: user.map(str::to_owned),
        })
    }

    /// What there is now, as the first node that answers says.
    pub async fn list(&self) -> Result<Catalogue, ListerError> {
        let credential = self.identity.for_catalogue(self.user.as_deref(), SystemTime::now())?;
        let first = self.first.load(Ordering::Relaxed);
        let mut last = None;
        for offset in 0..self.nodes.len() {
            let at = (first + offset) % self.nodes.len();
            match self.ask(&self.nodes[at], &credential).await {
                Ok(names) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(names);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(ListerError::Broke))
    }

    async fn ask(&self, node: &Url, credential: &Credential) -> Result<Catalogue, ListerError> {
        let base = node.as_str().trim_end_matches('/');
        let mut request = Request::get(format!("{base}/{PATH}"))
            .header(header::ACCEPT, HeaderValue::from_static("application/json"))
            // The engine's `proxy` domain wants to know whom a request came from.
            .header("x-forwarded-for", HeaderValue::from_static("127.0.0.1"))
            .body(Bytes::new())?;
        credential.apply(request.headers_mut());
        let response = self.client.send(request).await?;
        if !response.status.is_success() {
            let url = response.url().to_owned();
            let user = credential.name().to_owned();
            return Err(ListerError::Refused { status: response.status, url, user });
        }
        // A large answer takes long enough to read that other tasks would notice.
        let read = tokio::task::spawn_blocking(move || Catalogue::from_resolve_index(&response.body));
        Ok(read.await.map_err(|_| ListerError::Broke)??)
    }
}
