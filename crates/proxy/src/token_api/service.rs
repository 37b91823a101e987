//! What the token service works with: the tokens, which the process has once, and the rules of the configuration in force.

use std::{sync::Arc, time::Duration};

use crate::snapshot::Task;
use access::{Condition, Scope};
use claims::ClaimPath;
use config::model;
use jiff::Timestamp;
use tokens::{Approval, EmbeddedStore, Field, Policies, Policy, Settings, Store, StoreError, Tokens};

/// How often last uses are written down and what ended long ago is forgotten.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// The token service under one configuration.
#[derive(Debug)]
pub struct TokenService {
    tokens: Tokens,
    policies: Policies,
    /// Ends with the last configuration that uses the tokens.
    maintenance: Arc<Task>,
}

/// A policy that cannot be used. A configuration that was loaded has none.
#[derive(Debug, thiserror::Error)]
#[error("tokens.policies[{name}]: {problem}")]
pub struct PolicyFault {
    name: String,
    problem: String,
}

impl TokenService {
    /// Puts tokens and rules together, and keeps the tokens' store in order from now on.
    pub fn new(tokens: Tokens, policies: Policies) -> Self {
        let maintenance = Task::spawn(maintain(tokens.clone()));
        Self { tokens, policies, maintenance }
    }

    /// The same tokens under other rules.
    #[must_use]
    pub fn under(&self, policies: Policies) -> Self {
        Self { tokens: self.tokens.clone(), policies, maintenance: Arc::clone(&self.maintenance) }
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Who may have which tokens issued.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }
}

/// Opens the store and reads what it has.
pub async fn open(settings: &model::TokenStore) -> Result<Tokens, StoreError> {
    let model::TokenStore::Embedded(model::EmbeddedStore { path }) = settings;
    let path = path.clone();
    let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path))
        .await
        .map_err(|error| StoreError::Storage(error.into()))??;
    let store: Arc<dyn Store> = Arc::new(store);
    Tokens::open(store, Settings::default()).await
}

async fn maintain(tokens: Tokens) {
    loop {
        tokio::time::sleep(MAINTENANCE).await;
        settle(&tokens).await;
    }
}

/// Writes down what is only in memory.
pub async fn settle(tokens: &Tokens) {
    match tokens.maintain(Timestamp::now()).await {
        Ok(done) if done.tokens > 0 => tracing::debug!(forgotten = done.tokens, "tokens that ended long ago"),
        Ok(_) => {}
        Err(error) => {
            let error = crate::errors::chain(&error);
            tracing::warn!(error, "the token store could not be put in order; it is tried again");
        }
    }
}

/// The rules of a configuration.
pub fn policies(config: &model::Config, settings: &model::Tokens) -> Result<Policies, PolicyFault> {
    Ok(Policies {
        default_lifetime: settings.default_lifetime.get(),
        max_lifetime: settings.max_lifetime.get(),
        policies: settings.policies.iter().map(|policy| convert(config, policy)).collect::<Result<_, _>>()?,
    })
}

fn convert(config: &model::Config, policy: &model::TokenPolicy) -> Result<Policy, PolicyFault> {
    let model::TokenPolicy { name, when, scopes, max_lifetime, require, approval } = policy;
    let fault = |problem: String| PolicyFault { name: name.clone(), problem };
    let scopes = scopes.iter().map(|scope| scope.parse::<Scope>());
    let require = require.iter().map(|field| field.parse::<Field>());
    Ok(Policy {
        name: name.as_str().into(),
        when: when.as_ref().map(|when| condition(config, when)).transpose().map_err(fault)?,
        scopes: scopes.collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?,
        max_lifetime: max_lifetime.map(config::value::Duration::get),
        require: require.collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?,
        approval: match approval {
            model::TokenApproval::None => Approval::NotNeeded,
            model::TokenApproval::Required => Approval::Required,
        },
        for_others: false,
    })
}

/// A provider is told by its issuer, which every token has.
fn condition(config: &model::Config, when: &model::TokenCondition) -> Result<Condition, String> {
    let mut all: Vec<Condition> = when.condition().into_iter().collect();
    if let Some(name) = &when.provider {
        let provider = config.providers.iter().find(|provider| provider.name == *name);
        let provider = provider.ok_or_else(|| format!("`{name}` is not a provider"))?;
        all.push(Condition::Claim {
            path: ClaimPath::member("iss"),
            equals: provider.issuer.as_str().into(),
        });
    }
    if all.is_empty() {
        return Err("`when` has no condition".to_owned());
    }
    Ok(Condition::All(all))
}
