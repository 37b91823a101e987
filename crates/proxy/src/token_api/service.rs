//! What the token service works with: the tokens, which the process has once, and the rules of the configuration in force.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    clients::Clients,
    device::{Guesses, Polls},
    index::{IndexClient, Nodes, NodesError},
    notify::{Event, Notifier},
};
use crate::snapshot::Task;
use access::{Condition, Scope};
use claims::ClaimPath;
use config::model;
use jiff::Timestamp;
use tokens::{
    Approval, EmbeddedStore, FOLLOW_EVERY, Field, NoRandomness, OpenSearchSettings, OpenSearchStore,
    Policies, Policy, Settings, ShortSecret, Store, StoreError, StoreKey, StoreKeys, Token, Tokens,
};
use tokio::time::MissedTickBehavior;
use transport::TlsError;

/// How often last uses are written down and what ended long ago is forgotten.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// How often, at a start, it is tried to reach the index, and the pause before the next attempt.
const PATIENCE: usize = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// The token service under one configuration.
#[derive(Debug)]
pub struct TokenService {
    tokens: Tokens,
    clock: CautiousClock,
    rules: Rules,
    /// End with the last configuration that uses the tokens.
    tasks: Arc<[Arc<Task>]>,
    shared: Option<Shared>,
    /// What browsers keep between two requests is sealed with these.
    notes: StoreKeys,
    polls: Arc<Polls>,
    guesses: Arc<Guesses>,
}

/// The machine's clock, but never ahead of the time that has passed. What is forgotten because its time is over would be missed if
/// the clock had only been set ahead for a while: a revocation above all.
#[derive(Clone, Copy, Debug)]
struct CautiousClock {
    started_at: Timestamp,
    begun: Instant,
}

/// How a store that several proxies share is reached.
#[derive(Debug)]
struct Shared {
    client: IndexClient,
    /// As this configuration says.
    nodes: Arc<Nodes>,
}

/// What a configuration says about tokens.
#[derive(Debug)]
pub struct Rules {
    policies: Policies,
    notifier: Option<Notifier>,
    clients: Option<Clients>,
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It says why.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The cluster that has the index.
    #[error("the index cannot be reached")]
    Nodes(#[from] NodesError),
    /// A secret. A configuration that was loaded has none that is too short.
    #[error("a secret cannot be used")]
    Secret(#[from] ShortSecret),
    /// A key cannot be made.
    #[error("a key cannot be made")]
    Key(#[from] NoRandomness),
}

/// What a configuration says about tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A policy. A configuration that was loaded has none of these.
    #[error("tokens.policies[{name}]: {problem}")]
    Policy {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A client of the proxy's own. A configuration that was loaded has none of these.
    #[error("tokens.authorization.clients[{client_id}]: {problem}")]
    Client {
        /// Its id.
        client_id: String,
        /// What is wrong.
        problem: String,
    },
    /// The CA file for notifications.
    #[error("tokens.notify")]
    Notify(#[source] TlsError),
}

impl TokenService {
    /// Opens the store, reads what it has, and keeps it in order from now on.
    pub async fn open(
        config: &model::Config,
        settings: &model::TokenStore,
        rules: Rules,
    ) -> Result<Self, OpenError> {
        let (store, shared, notes): (Arc<dyn Store>, _, _) = match settings {
            model::TokenStore::Embedded(model::EmbeddedStore { path }) => {
                let path = path.clone();
                let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path))
                    .await
                    .map_err(|error| StoreError::Storage(error.into()))??;
                (Arc::new(store), None, StoreKeys::of_this_process()?)
            }
            model::TokenStore::OpenSearch(store) => {
                let nodes = Arc::new(Nodes::new(config, store)?);
                let client = IndexClient::new(Arc::clone(&nodes));
                let keys = store_keys(store)?;
                let store = open_index(&client, store, keys.clone()).await?;
                (Arc::new(store), Some(Shared { client, nodes }), keys)
            }
        };
        let tokens = Tokens::open(store, Settings::default()).await?;
        let clock = CautiousClock { started_at: Timestamp::now(), begun: Instant::now() };
        let mut tasks = vec![Task::spawn(maintain(tokens.clone(), clock))];
        if shared.is_some() {
            tasks.push(Task::spawn(follow(tokens.clone())));
        }
        let (polls, guesses) = (Arc::default(), Arc::default());
        Ok(Self { tokens, clock, rules, tasks: tasks.into(), shared, notes, polls, guesses })
    }

    /// The same tokens under another configuration.
    pub fn under(&self, config: &model::Config, rules: Rules) -> Result<Self, NodesError> {
        let shared = match (&self.shared, config.tokens.as_ref().map(|tokens| &tokens.store)) {
            (Some(Shared { client, .. }), Some(model::TokenStore::OpenSearch(store))) => {
                Some(Shared { client: client.clone(), nodes: Arc::new(Nodes::new(config, store)?) })
            }
            _ => None,
        };
        Ok(Self {
            tokens: self.tokens.clone(),
            clock: self.clock,
            rules,
            tasks: Arc::clone(&self.tasks),
            shared,
            notes: self.notes.clone(),
            polls: Arc::clone(&self.polls),
            guesses: Arc::clone(&self.guesses),
        })
    }

    /// From now on the store is reached as this configuration says.
    pub fn put_in_force(&self) {
        if let Some(Shared { client, nodes }) = &self.shared {
            client.replace(Arc::clone(nodes));
        }
    }

    /// The tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Writes down what is only in memory, before the process ends.
    pub async fn settle(&self) {
        settle(&self.tokens, self.clock).await;
    }

    /// Who may have which tokens issued.
    pub fn policies(&self) -> &Policies {
        &self.rules.policies
    }

    /// The proxy's own clients, if it has any.
    pub(crate) fn clients(&self) -> Option<&Clients> {
        self.rules.clients.as_ref()
    }

    /// What browsers keep is sealed with these.
    pub(crate) fn notes(&self) -> &StoreKeys {
        &self.notes
    }

    /// When devices asked.
    pub(crate) fn polls(&self) -> &Polls {
        &self.polls
    }

    /// Who entered wrong codes.
    pub(crate) fn guesses(&self) -> &Guesses {
        &self.guesses
    }

    /// Tells whoever is to be told what happened to a token.
    pub(crate) fn tell(&self, event: Event, token: &Token) {
        if let Some(notifier) = &self.rules.notifier {
            notifier.tell(event, token);
        }
    }
}

impl CautiousClock {
    fn now(self) -> Timestamp {
        let passed = self.started_at.checked_add(self.begun.elapsed());
        passed.map_or(self.started_at, |passed| passed.min(Timestamp::now()))
    }
}

/// The keys that all proxies of an index have.
fn store_keys(settings: &model::OpenSearchStore) -> Result<StoreKeys, ShortSecret> {
    let key = |secret: &config::value::Secret| StoreKey::derive(secret.expose().as_bytes());
    let others = settings.other_secrets.iter().map(key).collect::<Result<_, _>>()?;
    Ok(StoreKeys::new(key(&settings.secret)?, others))
}

/// Opens the index, with patience for an engine that starts at the same time.
async fn open_index(
    client: &IndexClient,
    settings: &model::OpenSearchStore,
    keys: StoreKeys,
) -> Result<OpenSearchStore, OpenError> {
    let settings = OpenSearchSettings {
        index: settings.index.as_str().into(),
        keys,
        max_stale: settings.max_stale.get(),
    };
    for _ in 0..PATIENCE {
        match OpenSearchStore::open(Box::new(client.clone()), settings.clone()).await {
            Err(error @ StoreError::Storage(_)) => {
                let error = crate::errors::chain(&error);
                tracing::warn!(error, "the index of tokens is not there yet; the proxy waits for it");
                tokio::time::sleep(PAUSE).await;
            }
            opened => return Ok(opened?),
        }
    }
    Ok(OpenSearchStore::open(Box::new(client.clone()), settings).await?)
}

/// Learns what other proxies change.
async fn follow(tokens: Tokens) {
    let mut failing = false;
    let mut turns = tokio::time::interval(FOLLOW_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match tokens.follow().await {
            Ok(_) if failing => {
                failing = false;
                tracing::info!("the index of tokens can be read again");
            }
            Err(error) if !failing => {
                failing = true;
                let error = crate::errors::chain(&error);
                tracing::warn!(
                    error,
                    "what other proxies revoke cannot be learnt; soon no managed token is accepted any more"
                );
            }
            Ok(_) | Err(_) => {}
        }
    }
}

async fn maintain(tokens: Tokens, clock: CautiousClock) {
    loop {
        tokio::time::sleep(MAINTENANCE).await;
        settle(&tokens, clock).await;
    }
}

async fn settle(tokens: &Tokens, clock: CautiousClock) {
    match tokens.maintain(clock.now()).await {
        Ok(done) if done.tokens > 0 => tracing::debug!(forgotten = done.tokens, "tokens that ended long ago"),
        Ok(_) => {}
        Err(error) => {
            let error = crate::errors::chain(&error);
            tracing::warn!(error, "the token store could not be put in order; it is tried again");
        }
    }
}

/// The rules of a configuration.
pub fn rules(config: &model::Config, settings: &model::Tokens) -> Result<Rules, RulesError> {
    let policies = Policies {
        default_lifetime: settings.default_lifetime.get(),
        max_lifetime: settings.max_lifetime.get(),
        policies: settings.policies.iter().map(|policy| convert(config, policy)).collect::<Result<_, _>>()?,
    };
    let notifier = settings.notify.as_ref().map(Notifier::new).transpose().map_err(RulesError::Notify)?;
    let clients =
        settings.authorization.as_ref().map(|settings| Clients::new(config, settings)).transpose()?;
    Ok(Rules { policies, notifier, clients })
}

fn convert(config: &model::Config, policy: &model::TokenPolicy) -> Result<Policy, RulesError> {
    let model::TokenPolicy { name, when, scopes, max_lifetime, require, approval, for_others } = policy;
    let fault = |problem: String| RulesError::Policy { name: name.clone(), problem };
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
        for_others: *for_others,
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
