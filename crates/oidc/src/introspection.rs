//! Token introspection (RFC 7662): asking the provider what a token means.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use quick_cache::sync::Cache;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use transport::{HttpClient, client_secret_basic};
use url::Url;

use crate::validation::Source;
use crate::validity::Validity;
use crate::{BearerToken, FetchError, Identity, IntrospectionConfig, TokenError, TokenHash, strict_json};

/// Tokens whose meaning is remembered, active and inactive ones apart so that made-up tokens cannot crowd out real ones.
const ACTIVE_CAPACITY: usize = 10_000;
const INACTIVE_CAPACITY: usize = 10_000;
/// Calls to one provider at the same time; more wait.
const MAX_CALLS: usize = 64;

type Outcome = Result<Arc<Identity>, TokenError>;
type Flights = Mutex<HashMap<TokenHash, Arc<OnceCell<Outcome>>>>;

/// Asks one provider, once for all who ask for the same token at the same time.
pub(crate) struct Introspector {
    active: Cache<TokenHash, (Arc<Identity>, Validity)>,
    /// Refused tokens, and why.
    inactive: Cache<TokenHash, (TokenError, Validity)>,
    flights: Flights,
    calls: Semaphore,
}

/// One introspection and who waits for it; the last who leaves takes it off the list.
struct Flight<'a> {
    flights: &'a Flights,
    token: TokenHash,
    cell: Arc<OnceCell<Outcome>>,
}

impl<'a> Flight<'a> {
    fn join(flights: &'a Flights, token: TokenHash) -> Self {
        let mut list = flights.lock().unwrap_or_else(PoisonError::into_inner);
        Self { flights, token, cell: Arc::clone(list.entry(token).or_default()) }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut list = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // A finished flight leaves at once: a later question must look into the caches, which know about time.
        let alone = Arc::strong_count(&self.cell) <= 2;
        let current = list.get(&self.token).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        if current && (alone || self.cell.initialized()) {
            list.remove(&self.token);
        }
    }
}

/// The provider as far as introspection needs it.
pub(crate) struct Endpoint<'a> {
    pub(crate) http: &'a HttpClient,
    pub(crate) url: &'a Url,
    pub(crate) config: &'a IntrospectionConfig,
}

impl Introspector {
    pub(crate) fn new() -> Self {
        Self {
            active: Cache::new(ACTIVE_CAPACITY),
            inactive: Cache::new(INACTIVE_CAPACITY),
            flights: Mutex::default(),
            calls: Semaphore::new(MAX_CALLS),
        }
    }

    /// What is remembered about the token at `now`.
    fn remembered(&self, token: &TokenHash, now: u64) -> Option<Outcome> {
        if let Some((identity, validity)) = self.active.get(token) {
            if validity.holds(now) {
                return Some(Ok(identity));
            }
            self.active.remove(token);
        }
        let (error, validity) = self.inactive.get(token)?;
        if validity.holds(now) {
            return Some(Err(error));
        }
        self.inactive.remove(token);
        None
    }

    /// The identity of the token by the provider's word. `check` judges the claims of an active token.
    /// `report` is told how the call went.
    pub(crate) async fn introspect(
        &self,
        endpoint: Endpoint<'_>,
        token: &BearerToken,
        now: u64,
        check: impl FnOnce(serde_json::Map<String, Value>, Source) -> Result<Identity, TokenError> + Send,
        report: impl FnOnce(Result<(), &FetchError>) + Send,
    ) -> Outcome {
        let hash = token.hash();
        if let Some(outcome) = self.remembered(&hash, now) {
            return outcome;
        }
        let flight = Flight::join(&self.flights, hash);
        flight
            .cell
            .get_or_init(|| async {
                // Who joined after the last flight had ended finds its result here.
                if let Some(outcome) = self.remembered(&hash, now) {
                    return outcome;
                }
                let answer = self.ask(&endpoint, token).await;
                report(answer.as_ref().map(|_| ()));
                let Ok(answer) = answer else {
                    return Err(TokenError::ProviderUnavailable);
                };
                let source = Source::Introspection {
                    seconds: endpoint.config.cache.as_secs(),
                    audience_optional: endpoint.config.allow_missing_audience,
                };
                let outcome = judge(answer, |claims| check(claims, source)).map(Arc::new);
                match &outcome {
                    Ok(identity) => {
                        if let Some(validity) = Validity::new(now, identity.fresh_until) {
                            self.active.insert(hash, (Arc::clone(identity), validity));
                        }
                    }
                    Err(error) => {
                        let until = now.saturating_add(endpoint.config.negative_cache.as_secs());
                        if let Some(validity) = Validity::new(now, until) {
                            self.inactive.insert(hash, (error.clone(), validity));
                        }
                    }
                }
                outcome
            })
            .await
            .clone()
    }

    async fn ask(
        &self,
        endpoint: &Endpoint<'_>,
        token: &BearerToken,
    ) -> Result<serde_json::Map<String, Value>, FetchError> {
        let unusable = |problem| FetchError::Document { url: transport::redact_url(endpoint.url), problem };
        let _permit = self.calls.acquire().await.map_err(|_| unusable("is no longer asked"))?;
        let config = endpoint.config;
        let credentials = client_secret_basic(&config.client_id, config.client_secret.expose_secret());
        let fields = [("token", token.expose()), ("token_type_hint", "access_token")];
        let response = endpoint.http.post_form(endpoint.url, &fields, Some(&credentials)).await?;
        if response.status != StatusCode::OK {
            return Err(FetchError::Status { url: response.url().to_owned(), status: response.status });
        }
        read(&response.body).map_err(unusable)
    }
}

/// The members of an answer, or what is wrong with it.
pub(crate) fn read(body: &[u8]) -> Result<serde_json::Map<String, Value>, &'static str> {
    let answer = strict_json::object(body).map_err(|_| "answered with something other than a JSON object")?;
    if !answer.get("active").is_some_and(Value::is_boolean) {
        return Err("answered without `active`");
    }
    Ok(answer)
}

pub(crate) fn judge(
    mut answer: serde_json::Map<String, Value>,
    check: impl FnOnce(serde_json::Map<String, Value>) -> Result<Identity, TokenError>,
) -> Result<Identity, TokenError> {
    if answer.remove("active") == Some(Value::Bool(true)) {
        check(answer)
    } else {
        Err(TokenError::NotActive)
    }
}
