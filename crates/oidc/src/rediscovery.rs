//! Keeping a provider's discovery document fresh, apart from its keys: neither waits for the other.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::discovery::{self, Metadata};
use crate::provider::Provider;
use crate::refresh::{retry_pause, shortened};
use crate::{FetchError, KeySource};

/// How long a discovery document is used before it is fetched again.
const METADATA_AGE: Duration = Duration::from_hours(1);

impl Provider {
    /// Keeps the discovery document fresh, for ever, and fetches the keys when they moved. The first document is left to
    /// whoever needs it first.
    pub(crate) async fn keep_metadata_fresh(&self) {
        if self.config.keys != KeySource::Discovery && !self.introspection_needs_metadata() {
            return;
        }
        let mut failures = 0;
        let mut due = self.next_discovery();
        loop {
            let wait = due.saturating_sub(self.clock.monotonic());
            if !wait.is_zero() {
                self.clock.sleep(wait).await;
            }
            let known = self.metadata.load_full();
            let Some(known) = known else {
                due = self.next_discovery();
                continue;
            };
            match self.discover().await {
                Ok(fresh) => {
                    failures = 0;
                    due = self.next_discovery();
                    if self.config.keys == KeySource::Discovery && fresh.jwks_uri != known.jwks_uri {
                        tracing::info!(provider = %self.name, "the keys of the identity provider moved");
                        self.fetch_moved_keys().await;
                    }
                }
                Err(error) => {
                    self.discovery_failed(&error);
                    due = self.clock.monotonic().saturating_add(shortened(retry_pause(failures)));
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// The discovery document last fetched, however old; fetched now if there is none.
    pub(crate) async fn known_metadata(&self) -> Result<Arc<Metadata>, FetchError> {
        match self.metadata.load_full() {
            Some(metadata) => Ok(metadata),
            None => self.discover().await,
        }
    }

    /// Whether the endpoint to introspect at has to be discovered.
    pub(crate) fn introspection_needs_metadata(&self) -> bool {
        self.config.introspection.as_ref().is_some_and(|introspection| introspection.endpoint.is_none())
    }

    /// Notes that a document could not be had that nothing waits for.
    pub(crate) fn discovery_failed(&self, error: &FetchError) {
        tracing::warn!(provider = %self.name, %error, "discovery failed; what is known stays in use");
        let mut health = self.health();
        health.failures += 1;
        health.last_error = Some(error.to_string());
    }

    /// Fetches the document. One that lacks what is needed does not replace one that has it.
    async fn discover(&self) -> Result<Arc<Metadata>, FetchError> {
        let now = self.clock.monotonic();
        let metadata =
            discovery::fetch(&self.http, &self.issuer, &self.base, self.config.allow_http, now).await?;
        match self.config.keys {
            KeySource::Discovery => {
                metadata.jwks_uri(&self.base)?;
            }
            KeySource::IntrospectionOnly => {
                metadata.introspection_endpoint(&self.base)?;
            }
            KeySource::JwksUri(_) => {}
        }
        let metadata = Arc::new(metadata);
        self.metadata.store(Some(Arc::clone(&metadata)));
        Ok(metadata)
    }

    fn next_discovery(&self) -> Duration {
        let known = self.metadata.load().as_ref().map(|metadata| metadata.fetched_at);
        known.unwrap_or_else(|| self.clock.monotonic()).saturating_add(shortened(METADATA_AGE))
    }
}

impl Metadata {
    /// Where the keys are; `issuer` is named in the error.
    pub(crate) fn jwks_uri(&self, issuer: &Url) -> Result<&Url, FetchError> {
        needed(self.jwks_uri.as_ref(), issuer, "names no `jwks_uri` in its discovery document; configure it")
    }

    /// Where tokens are introspected; `issuer` is named in the error.
    fn introspection_endpoint(&self, issuer: &Url) -> Result<&Url, FetchError> {
        needed(
            self.introspection_endpoint.as_ref(),
            issuer,
            "names no `introspection_endpoint` in its discovery document; configure the endpoint",
        )
    }
}

fn needed<'a>(url: Option<&'a Url>, issuer: &Url, problem: &'static str) -> Result<&'a Url, FetchError> {
    url.ok_or_else(|| FetchError::Document { url: transport::redact_url(issuer), problem })
}
