//! From a checked configuration to a snapshot: files are read, keys parsed, pools made. Nothing is put in force here, so
//! a failure leaves what is running untouched.

use std::{collections::HashMap, sync::Arc};

use config::{model, value::MasterSecret};
use engine::{EngineIdentity, IdentityError};
use handles::{Key, KeyError, Keys};
use oidc::{ClaimNames, IntrospectionConfig, KeySource, ProviderConfig, Providers, TokenCache};
use secrecy::SecretString;
use transport::{ForwardProxy, TlsError, TlsOptions};
use url::Url;

use super::{Cluster, Dashboards, Limits, Snapshot, Task, servers::Servers};
use crate::{
    catalogue::{Lister, Names},
    headers::Reserved,
    policies::{Policies, PoliciesError},
    rate_limits::RateLimits,
    tenancy::{Tenancy, TenantName},
    token_api,
    upstream::{TargetError, Upstream},
    wellknown,
};

/// What a configuration that passed its checks can still fail at.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A provider's settings or CA file.
    #[error("providers")]
    Providers(#[source] Box<oidc::ConfigError>),
    /// A cluster's CA or certificate.
    #[error("{at}")]
    Tls {
        /// Which servers, as a path in the configuration.
        at: String,
        /// What is wrong with the file.
        #[source]
        source: Box<TlsError>,
    },
    /// A node's URL.
    #[error("{at}.nodes")]
    Node {
        /// Which servers, as a path in the configuration.
        at: String,
        /// What is wrong with it.
        #[source]
        source: TargetError,
    },
    /// The path of the health check.
    #[error("{0}.health.path is not a path; it begins with `/`")]
    HealthPath(String),
    /// The engine identity: a key that cannot be read, a faulty header name.
    #[error("clusters[{cluster}].identity")]
    Identity {
        /// The cluster.
        cluster: String,
        /// What is wrong.
        #[source]
        source: IdentityError,
    },
    /// The tenant of Dashboards.
    #[error("clusters[{cluster}].dashboards.tenant")]
    Tenant {
        /// The cluster.
        cluster: String,
        /// What is wrong with it.
        #[source]
        source: TenantName,
    },
    /// The secrets that bind handles.
    #[error("clusters[{cluster}].handles")]
    Handles {
        /// The cluster.
        cluster: String,
        /// What is wrong with a secret.
        #[source]
        source: KeyError,
    },
    /// The Cedar policies.
    #[error("policies")]
    Policies(#[from] PoliciesError),
    /// The mappings.
    #[error("mappings: {0}")]
    Mappings(String),
    /// The rules for issuing tokens.
    #[error(transparent)]
    TokenRules(token_api::RulesError),
    /// The store of tokens.
    #[error("tokens.store")]
    TokenStore(#[source] token_api::OpenError),
}

/// Compiles `config`, with the policies that were [read](Policies::read) for it. What did not change since `previous` is taken over: providers with their keys, and the pools of
/// clusters. `changed_files` says that a file the configuration refers to changed, so that nothing is taken over.
pub fn build(
    config: model::Config,
    policies: Option<Arc<Policies>>,
    previous: Option<&Snapshot>,
    changed_files: bool,
) -> Result<Snapshot, BuildError> {
    let reusable = previous.filter(|_| !changed_files);
    let mut tasks = Vec::new();
    let providers = match reusable {
        Some(previous) if previous.config.providers == config.providers => {
            tasks.extend(previous.tasks.first().cloned());
            Arc::clone(&previous.providers)
        }
        _ => {
            let providers = Arc::new(providers(&config)?);
            tasks.push(Task::spawn(Arc::clone(&providers).run(std::future::pending())));
            providers
        }
    };
    let mut clusters = Vec::with_capacity(config.clusters.len());
    for (index, settings) in config.clusters.iter().enumerate() {
        let kept = reusable.and_then(|previous| {
            let at = previous.config.clusters.iter().position(|candidate| candidate == settings)?;
            Some((previous.clusters.get(at)?, previous.tasks.get(at + 1)?))
        });
        let names = kept.and_then(|(cluster, _)| cluster.names.clone());
        let kept_dashboards = kept.and_then(|(cluster, _)| cluster.dashboards.clone());
        let dashboards = match &settings.dashboards {
            Some(own) => Some(Arc::new(dashboards(&config, settings, own, kept_dashboards.as_deref())?)),
            None => None,
        };
        let upstream = if let Some((cluster, task)) = kept {
            tasks.push(Arc::clone(task));
            Arc::clone(&cluster.upstream)
        } else {
            let upstream = Arc::new(Upstream::new(Servers::engine(settings).options()?));
            tasks.push(Task::spawn(Arc::clone(&upstream).watch_health()));
            upstream
        };
        let identity = identity(settings, kept.map(|(cluster, _)| cluster.identity()))?;
        let cluster = cluster(&config, index, settings, upstream, identity, names.as_deref())?;
        clusters.push(Arc::new(Cluster { dashboards, ..cluster }));
    }
    let rules = config.tokens.as_ref().map(|settings| token_api::rules(&config, settings)).transpose();
    // The store is the process's: it was opened at start, and is not opened again.
    let token_service = match (rules.map_err(BuildError::TokenRules)?, previous) {
        (Some(rules), Some(previous)) => {
            let service = previous.token_service.as_ref().map(|service| service.under(&config, rules));
            service.transpose().map_err(|error| BuildError::TokenStore(error.into()))?
        }
        _ => None,
    };
    if let (Some(policies), Some(before)) = (&policies, previous.and_then(Snapshot::policies)) {
        policies.take_over(before);
    }
    let limits = &config.limits;
    Ok(Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        limits: Limits {
            head_size: limits.max_header_size.as_usize(),
            headers: limits.max_headers,
            token_size: limits.max_token_size.as_usize(),
            header: limits.header_timeout.get(),
            body_idle: limits.body_idle_timeout.get(),
            keep_alive: limits.keep_alive_timeout.get(),
            streams: limits.max_concurrent_streams,
        },
        providers,
        tokens: TokenCache::new(config.token_cache.capacity, config.token_cache.max_age.get()),
        clusters: clusters.into(),
        token_service,
        policies,
        rate_limits: RateLimits::new(
            config.rate_limits.as_ref(),
            previous.map(|previous| &previous.rate_limits),
        ),
        tasks,
        config,
    })
}

fn providers(config: &model::Config) -> Result<Providers, BuildError> {
    let providers = config.providers.iter().map(provider).collect();
    Providers::new(providers).map_err(|error| BuildError::Providers(Box::new(error)))
}

/// Both sides are taken apart whole, so that a setting without effect does not compile.
fn provider(settings: &model::Provider) -> ProviderConfig {
    let model::Provider {
        name,
        issuer,
        audiences,
        algorithms,
        leeway,
        token_types,
        allow_missing_type,
        reject_id_tokens,
        allow_missing_subject,
        required_claims,
        verify_by,
        jwks_uri,
        claims: model::Claims { scopes, groups, user, client },
        // For whoever maps scopes.
        native_scopes: _,
        ca,
        http_proxy,
        no_proxy,
        timeout,
        allow_http,
        refresh,
        min_refetch_interval,
        max_stale,
        introspection,
    } = settings;
    ProviderConfig {
        name: name.clone(),
        issuer: issuer.clone(),
        audiences: audiences.clone(),
        algorithms: algorithms.iter().map(|&algorithm| self::algorithm(algorithm)).collect(),
        leeway: leeway.get(),
        token_types: token_types.clone(),
        allow_missing_type: *allow_missing_type,
        reject_id_tokens: *reject_id_tokens,
        allow_missing_subject: *allow_missing_subject,
        // Nothing here checks the binding of a token to its sender, so that such a token is not accepted as if it were
        // anyone's.
        allow_sender_constrained: false,
        required_claims: required_claims.clone(),
        claims: ClaimNames {
            scopes: scopes.clone(),
            groups: groups.clone(),
            user: user.clone(),
            client: client.clone(),
        },
        keys: match (verify_by, jwks_uri) {
            (model::VerifyBy::Introspection, _) => KeySource::IntrospectionOnly,
            (model::VerifyBy::Signature, Some(url)) => KeySource::JwksUri(url.clone()),
            (model::VerifyBy::Signature, None) => KeySource::Discovery,
        },
        allow_http: *allow_http,
        tls: TlsOptions { ca: ca.clone(), ..TlsOptions::default() },
        http_proxy: http_proxy
            .as_ref()
            .map(|url| ForwardProxy { url: url.clone(), bypass: no_proxy.join(",") }),
        timeout: timeout.get(),
        refresh: refresh.get(),
        min_refetch_interval: min_refetch_interval.get(),
        max_stale: max_stale.get(),
        introspection: introspection.as_ref().map(self::introspection),
    }
}

fn introspection(settings: &model::Introspection) -> IntrospectionConfig {
    let model::Introspection {
        endpoint,
        client_id,
        client_secret,
        cache,
        negative_cache,
        introspect_jwt,
        allow_missing_audience,
    } = settings;
    IntrospectionConfig {
        endpoint: endpoint.clone(),
        client_id: client_id.clone(),
        client_secret: SecretString::from(client_secret.expose().to_owned()),
        cache: cache.get(),
        negative_cache: negative_cache.get(),
        introspect_jwt: *introspect_jwt,
        allow_missing_audience: *allow_missing_audience,
    }
}

fn algorithm(algorithm: model::Algorithm) -> oidc::Algorithm {
    use model::Algorithm as From;
    use oidc::Algorithm as To;
    match algorithm {
        From::RS256 => To::RS256,
        From::RS384 => To::RS384,
        From::RS512 => To::RS512,
        From::PS256 => To::PS256,
        From::PS384 => To::PS384,
        From::PS512 => To::PS512,
        From::ES256 => To::ES256,
        From::ES384 => To::ES384,
        From::EdDSA => To::EdDSA,
    }
}

/// Made anew, so that a new key signs at once, but going on with the engine's tokens of `kept`, whose settings are the same.
fn identity(
    settings: &model::Cluster,
    kept: Option<&EngineIdentity>,
) -> Result<Arc<EngineIdentity>, BuildError> {
    let mut identity = EngineIdentity::for_cluster(settings)
        .map_err(|source| BuildError::Identity { cluster: settings.name.clone(), source })?;
    if let Some(kept) = kept {
        identity.take_over(kept);
    }
    Ok(Arc::new(identity))
}

fn cluster(
    config: &model::Config,
    index: usize,
    settings: &model::Cluster,
    upstream: Arc<Upstream>,
    identity: Arc<EngineIdentity>,
    previous: Option<&Names>,
) -> Result<Cluster, BuildError> {
    let names = settings.catalogue.as_ref().map(|catalogue| {
        let lister = Lister::new(settings, catalogue.user.as_deref(), Arc::clone(&identity));
        Ok(Names::watch(catalogue, &settings.name, lister?, previous))
    });
    let names = names.transpose().map_err(|source| BuildError::Tls {
        at: format!("clusters[{}].catalogue", settings.name),
        source: Box::new(source),
    })?;
    let mut mappers = HashMap::new();
    for provider in &config.providers {
        let mapper =
            config.mapper_for(settings, provider).map_err(|error| BuildError::Mappings(error.to_string()))?;
        mappers.insert(provider.name.clone(), mapper);
    }
    let handles_error = |source| BuildError::Handles { cluster: settings.name.clone(), source };
    let path_prefix = settings.path_prefix.clone().unwrap_or_default();
    let base = public_base(&config.public_url, &settings.hosts);
    Ok(Cluster {
        name: Arc::from(settings.name.as_str()),
        index,
        hosts: settings.hosts.clone(),
        resource: format!("{base}{path_prefix}"),
        resource_metadata: format!("{base}{}{path_prefix}", wellknown::PATH),
        scopes_supported: scopes_supported(config, settings),
        reserved: reserved(&settings.identity),
        identity,
        names,
        upstream,
        dashboards: None,
        mappers,
        path_prefix,
        reads_bodies: settings.read_bodies,
        narrows: settings.narrow,
        handles: settings.handles.as_ref().map(handle_keys).transpose().map_err(handles_error)?,
    })
}

fn handle_keys(settings: &model::Handles) -> Result<Arc<Keys>, KeyError> {
    let model::Handles { secret, other_secrets } = settings;
    let key = |secret: &MasterSecret| Key::derive(secret.expose().as_bytes());
    let others = other_secrets.iter().map(key).collect::<Result<_, _>>()?;
    Ok(Arc::new(Keys::new(key(secret)?, others)))
}

/// `kept` are the servers of before, whose settings are the same.
fn dashboards(
    config: &model::Config,
    cluster: &model::Cluster,
    settings: &model::Dashboards,
    kept: Option<&Dashboards>,
) -> Result<Dashboards, BuildError> {
    let (upstream, health) = if let Some(kept) = kept {
        (Arc::clone(&kept.upstream), Arc::clone(&kept.health))
    } else {
        let servers = Servers::dashboards(&cluster.name, settings);
        let upstream = Arc::new(Upstream::new(servers.options()?));
        let health = Task::spawn(Arc::clone(&upstream).watch_health());
        (upstream, health)
    };
    let hosts = if settings.hosts.is_empty() { &cluster.hosts } else { &settings.hosts };
    let base = public_base(&config.public_url, hosts);
    let prefix = settings.prefix();
    Ok(Dashboards {
        hosts: hosts.clone(),
        keeps_prefix: settings.base_path.is_some(),
        shares_place: !settings.has_own_place(),
        resource: format!("{base}{prefix}"),
        resource_metadata: format!("{base}{}{prefix}", wellknown::PATH),
        prefix: prefix.to_owned(),
        tenancy: Tenancy::from_config(settings.tenant.as_ref())
            .map_err(|source| BuildError::Tenant { cluster: cluster.name.clone(), source })?,
        upstream,
        health,
    })
}

/// Scheme, host and port under which clients reach one of these hosts, without a slash at the end.
fn public_base(public_url: &Url, hosts: &[String]) -> String {
    let mut url = public_url.clone();
    if let Some(host) = hosts.first()
        && url.set_host(Some(host)).is_err()
    {
        // `check-config` has checked the host names; an odd one leaves the proxy's own.
        url = public_url.clone();
    }
    url.as_str().trim_end_matches('/').to_owned()
}

fn reserved(identity: &model::Identity) -> Reserved {
    identity.proxy_headers().map_or_else(Reserved::default, |settings| {
        Reserved::new(
            [settings.user_header.as_str(), settings.roles_header.as_str()],
            [settings.attribute_prefix.as_str()],
        )
    })
}

/// What a client may sensibly ask for: the scope strings that mappings name exactly, and those the cluster lists.
fn scopes_supported(config: &model::Config, settings: &model::Cluster) -> Vec<String> {
    let here = |mapping: &&model::Mapping| {
        mapping.clusters.as_ref().is_none_or(|clusters| clusters.contains(&settings.name))
    };
    let mut scopes: Vec<String> = settings.scopes.clone();
    let named = config.mappings.iter().filter(here).filter_map(|mapping| mapping.scope.clone());
    // A `*` is part of a scope of our own form, but a wildcard over strings of any other.
    scopes.extend(named.filter(|scope| !scope.contains('*') || scope.parse::<access::Scope>().is_ok()));
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
