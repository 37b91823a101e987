//! All providers.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::jws::{self, Headers, Parts};
use crate::provider::Provider;
use crate::validation;
use crate::{
    BearerToken, Clock, ConfigError, Identity, ProviderConfig, ProviderStatus, SystemClock, TokenError,
};

/// The configured providers and the way to check their tokens.
pub struct Providers {
    by_issuer: HashMap<Arc<str>, Arc<Provider>>,
    /// In the order of the configuration.
    all: Vec<Arc<Provider>>,
    epoch: Arc<AtomicU64>,
    headers: Headers,
}

impl Providers {
    /// Checks the configuration. Connects to nothing: see [`prefetch`](Self::prefetch) and [`run`](Self::run).
    pub fn new(configs: Vec<ProviderConfig>) -> Result<Self, ConfigError> {
        Self::with_clock(configs, &(Arc::new(SystemClock::new()) as Arc<dyn Clock>))
    }

    /// The same with a clock of the caller's.
    pub fn with_clock(configs: Vec<ProviderConfig>, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let epoch = Arc::new(AtomicU64::new(0));
        let mut names = HashSet::new();
        let mut by_issuer = HashMap::new();
        let mut all = Vec::with_capacity(configs.len());
        for config in configs {
            if !names.insert(config.name.clone()) {
                return Err(ConfigError::DuplicateName(config.name));
            }
            let provider = Arc::new(Provider::new(config, Arc::clone(clock), Arc::clone(&epoch))?);
            let issuer = Arc::clone(provider.issuer());
            if by_issuer.insert(Arc::clone(&issuer), Arc::clone(&provider)).is_some() {
                return Err(ConfigError::DuplicateIssuer(issuer.to_string()));
            }
            all.push(provider);
        }
        Ok(Self { by_issuer, all, epoch, headers: Headers::new() })
    }

    /// Fetches the documents of all providers at the same time and waits for the outcome, at most three times the
    /// configured timeout. A provider that fails is left to [`run`](Self::run). Returns whether all are ready.
    pub async fn prefetch(&self) -> bool {
        let mut fetches = JoinSet::new();
        for provider in self.all.iter().map(Arc::clone) {
            fetches.spawn(async move { provider.prefetch().await });
        }
        fetches.join_all().await;
        self.status().iter().all(|status| status.ready)
    }

    /// Keeps the documents of all providers fresh until `shutdown` ends. Failing providers are tried again with growing
    /// pauses.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut tasks = JoinSet::new();
        for provider in self.all.iter().map(Arc::clone) {
            tasks.spawn(async move {
                tokio::join!(provider.keep_keys_fresh(), provider.keep_metadata_fresh());
            });
        }
        // Dropping the set ends its tasks.
        shutdown.await;
    }

    /// Checks a token and says whom it speaks for. Does not cache the result of a signature check:
    /// see [`TokenCache`](crate::TokenCache).
    ///
    /// A JWT is checked by the provider that its `iss` names, and by no other. A token of another form is sent to the
    /// providers with introspection, in the order of the configuration, until one knows it.
    pub async fn authenticate(&self, token: &BearerToken) -> Result<Identity, TokenError> {
        if !jws::is_jws(token.expose()) {
            return self.introspect(token).await;
        }
        let parts = Parts::knowing(token.expose(), &self.headers)?;
        let jws = parts.parse()?;
        let issuer = validation::text(&jws.claims, "iss")?;
        let issuer = issuer.ok_or_else(|| TokenError::MissingClaim("iss".to_owned()))?;
        let provider = self.by_issuer.get(issuer).ok_or(TokenError::UnknownIssuer)?;
        // Of a header that was read for this token nobody else has a part.
        let is_new = Arc::strong_count(&parts.header) == 1;
        let identity = provider.check_jwt(token, &jws).await?;
        drop(jws);
        if is_new {
            self.headers.remember(token.expose(), parts.header);
        }
        Ok(identity)
    }

    /// Whom claims of an earlier token speak for, by the rules of now: the issuer must still be configured, and audience,
    /// required claims and the places of scopes, groups, user and client are those of today. Expiry is not looked at, and
    /// [`Identity::expires_at`] is no more than what the claims say.
    ///
    /// For whoever keeps the claims of a token that [`authenticate`](Self::authenticate) accepted.
    pub fn recall(&self, issuer: &str, claims: Map<String, Value>) -> Result<Identity, TokenError> {
        self.by_issuer.get(issuer).ok_or(TokenError::UnknownIssuer)?.recall(claims)
    }

    /// The provider with this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.all.iter().find(|provider| *provider.name == *name)
    }

    async fn introspect(&self, token: &BearerToken) -> Result<Identity, TokenError> {
        let mut refusal = TokenError::OpaqueNotAccepted;
        for provider in self.all.iter().filter(|provider| provider.introspects()) {
            match provider.introspect(token).await {
                Ok(identity) => return Ok((*identity).clone()),
                Err(error) if weight(&error) > weight(&refusal) => refusal = error,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// How each provider is doing, in the order of the configuration.
    pub fn status(&self) -> Vec<ProviderStatus> {
        self.all.iter().map(|provider| provider.status()).collect()
    }

    /// Changes whenever a provider withdraws or replaces a key: what was verified under an earlier value is void.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Providers").field("issuers", &self.by_issuer.keys()).finish_non_exhaustive()
    }
}

/// Of several refusals of an opaque token the heaviest is told: as long as one provider could not be asked, the token
/// may be good; and a provider that knows the token says more than one that does not.
fn weight(error: &TokenError) -> u8 {
    match error {
        TokenError::OpaqueNotAccepted => 0,
        TokenError::NotActive => 1,
        TokenError::ProviderUnavailable => 3,
        _ => 2,
    }
}
