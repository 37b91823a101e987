//! The configuration of a provider.

use std::time::Duration;

use claims::ClaimPath;
use secrecy::SecretString;
use transport::{ForwardProxy, TlsOptions};
use url::Url;

use crate::{Algorithm, ConfigError, discovery, refresh};

/// A provider whose tokens are accepted. [`ProviderConfig::new`] gives the defaults, which are the strict ones.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the configuration file")]
pub struct ProviderConfig {
    /// A name for logs, metrics and mappings.
    pub name: String,
    /// The issuer, exactly as tokens and the discovery document spell it.
    pub issuer: String,
    /// The audiences that stand for this server; a token must name at least one (RFC 8707).
    pub audiences: Vec<String>,
    /// The signature algorithms allowed. Default: RS256, PS256, ES256, `EdDSA`.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ. Default: 30 s.
    pub leeway: Duration,
    /// The header `typ` values allowed, compared without case and without `application/`.
    /// Default: `at+jwt` (RFC 9068) and `JWT`.
    pub token_types: Vec<String>,
    /// Whether a token without header `typ` is accepted, as some providers issue. Default: false.
    pub allow_missing_type: bool,
    /// Whether a token that is recognisably an ID token is refused. Default: true.
    pub reject_id_tokens: bool,
    /// Whether a token without `sub` is accepted if it names its client. Default: false.
    pub allow_missing_subject: bool,
    /// Whether tokens with `cnf` (RFC 7800) are accepted; only for a caller that checks the binding. Default: false.
    pub allow_sender_constrained: bool,
    /// Claims that must be there besides `iss`, `aud`, `exp` and `sub`. Default: none.
    pub required_claims: Vec<ClaimPath>,
    /// Where the claims that matter are.
    pub claims: ClaimNames,
    /// Where the keys come from. Default: discovery.
    pub keys: KeySource,
    /// Whether plain HTTP is accepted for hosts other than loopback. Default: false.
    pub allow_http: bool,
    /// Trust and identity for calls to the provider.
    pub tls: TlsOptions,
    /// The proxy for calls to the provider.
    pub http_proxy: Option<ForwardProxy>,
    /// The longest time for one call to the provider. Default: 5 s.
    pub timeout: Duration,
    /// How often keys are fetched at least; `Cache-Control: max-age` of the provider can only shorten it.
    /// Default: 15 min.
    pub refresh: Duration,
    /// The shortest time between two fetches that tokens with unknown keys can cause. Default: 10 s.
    pub min_refetch_interval: Duration,
    /// How old keys may get while the provider cannot be reached. Beyond, its tokens are refused as long as that lasts,
    /// since a key withdrawn meanwhile would go unnoticed. Longer than `refresh`. Default: 24 h.
    pub max_stale: Duration,
    /// Introspection of opaque tokens (RFC 7662). Default: none, opaque tokens are refused.
    pub introspection: Option<IntrospectionConfig>,
}

impl ProviderConfig {
    /// A provider with the default settings.
    pub fn new(name: impl Into<String>, issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            audiences,
            algorithms: vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA],
            leeway: Duration::from_secs(30),
            token_types: vec!["at+jwt".into(), "JWT".into()],
            allow_missing_type: false,
            reject_id_tokens: true,
            allow_missing_subject: false,
            allow_sender_constrained: false,
            required_claims: Vec::new(),
            claims: ClaimNames::default(),
            keys: KeySource::Discovery,
            allow_http: false,
            tls: TlsOptions::default(),
            http_proxy: None,
            timeout: Duration::from_secs(5),
            refresh: Duration::from_mins(15),
            min_refetch_interval: Duration::from_secs(10),
            max_stale: Duration::from_hours(24),
            introspection: None,
        }
    }
}

/// Where a provider's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// From the `jwks_uri` of the discovery document (OIDC Discovery, RFC 8414).
    Discovery,
    /// From this JWK Set (RFC 7517), without discovery.
    JwksUri(Url),
    /// Nowhere: every token is introspected.
    IntrospectionOnly,
}

/// Where the claims that matter are. Scopes and groups are the union over their paths; a string of scopes is split at
/// spaces. Client and user are the first path with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Default: `scope`, `scp`.
    pub scopes: Vec<ClaimPath>,
    /// Default: `groups`.
    pub groups: Vec<ClaimPath>,
    /// The name of the user. Default: `sub`, the only claim that a provider must keep unique and never reassign
    /// (OIDC Core section 5.7). `email` is used only if `email_verified` is not false.
    pub user: Vec<ClaimPath>,
    /// Default: `client_id`, `azp`, `cid`, `appid`.
    pub client: Vec<ClaimPath>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let members = |names: &[&str]| names.iter().map(|name| ClaimPath::member(name)).collect();
        Self {
            scopes: members(&["scope", "scp"]),
            groups: members(&["groups"]),
            user: members(&["sub"]),
            client: members(&["client_id", "azp", "cid", "appid"]),
        }
    }
}

/// How tokens are introspected (RFC 7662).
#[derive(Debug, Clone)]
pub struct IntrospectionConfig {
    /// The endpoint; without it, the discovery document's.
    pub endpoint: Option<Url>,
    /// This server's client at the provider, authenticated with `client_secret_basic`.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// How long a token stays accepted without asking again, and so how late a revocation is noticed.
    /// Default: 30 s.
    pub cache: Duration,
    /// How long an inactive token stays refused without asking again. Default: 10 s.
    pub negative_cache: Duration,
    /// Whether signed tokens are introspected too, after their signature was verified, so that revocation is noticed.
    /// Default: false.
    pub introspect_jwt: bool,
    /// Whether an answer without `aud` is accepted. Default: false.
    pub allow_missing_audience: bool,
}

impl IntrospectionConfig {
    /// Introspection with the default settings.
    pub fn new(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self {
            endpoint: None,
            client_id: client_id.into(),
            client_secret,
            cache: Duration::from_secs(30),
            negative_cache: Duration::from_secs(10),
            introspect_jwt: false,
            allow_missing_audience: false,
        }
    }
}

/// Checks what a file format cannot; returns the issuer as a URL.
pub(crate) fn check(config: &ProviderConfig) -> Result<Url, ConfigError> {
    let wrong = |problem| ConfigError::Provider { provider: config.name.clone(), problem };
    let base: Url = config.issuer.parse().map_err(|_| wrong("`issuer` is no URL"))?;
    if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
        return Err(wrong("`issuer` must have no query, fragment or credentials"));
    }
    if config.audiences.is_empty() || config.audiences.iter().any(String::is_empty) {
        return Err(wrong("`audiences` must name at least one audience, none empty"));
    }
    if config.algorithms.is_empty() {
        return Err(wrong("`algorithms` must name at least one algorithm"));
    }
    if config.token_types.is_empty() && !config.allow_missing_type {
        return Err(wrong("`token_types` must name at least one type"));
    }
    if config.max_stale <= refresh::longest_pause(config) {
        return Err(wrong("`max_stale` must be longer than `refresh` and `min_refetch_interval`"));
    }
    if config.keys == KeySource::IntrospectionOnly && config.introspection.is_none() {
        return Err(wrong("without keys, `introspection` must be configured"));
    }
    let endpoint = config.introspection.as_ref().and_then(|introspection| introspection.endpoint.as_ref());
    let jwks_uri = match &config.keys {
        KeySource::JwksUri(url) => Some(url),
        KeySource::Discovery | KeySource::IntrospectionOnly => None,
    };
    for url in [Some(&base), jwks_uri, endpoint].into_iter().flatten() {
        if !discovery::is_secure(url, config.allow_http) {
            let url = transport::redact_url(url);
            return Err(ConfigError::Insecure { provider: config.name.clone(), url });
        }
    }
    Ok(base)
}
