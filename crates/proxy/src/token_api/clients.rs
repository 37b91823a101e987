//! Clients of the proxy's own, for which it asks people.

use std::time::Duration;

use access::Scope;
use config::{
    model::{self, TokenClientGrant},
    value::Secret,
};
use oauth::{ClaimedClient, ErrorCode, is_registered_redirect};
use secrecy::ExposeSecret as _;
use tokens::Permission;

use super::{RulesError, answer::Fault};

/// The clients, and how the people whom they ask log in.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) login: LoginRules,
    clients: Vec<Client>,
}

/// The proxy as a client of a provider.
#[derive(Debug)]
pub(crate) struct LoginRules {
    pub(crate) provider: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    /// Joined by spaces.
    pub(crate) scope: String,
}

/// A client of the proxy's own.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    secret: Option<Secret>,
    grants: Vec<TokenClientGrant>,
    redirect_uris: Vec<String>,
    /// What the configuration lets it have.
    greatest: Permission,
    pub(crate) max_lifetime: Option<Duration>,
}

impl Clients {
    pub(crate) fn new(
        config: &model::Config,
        settings: &model::TokenAuthorization,
    ) -> Result<Self, RulesError> {
        let model::TokenLogin { provider, client_id, client_secret, scopes } = &settings.login;
        let only = config.providers.first().map(|provider| &provider.name);
        let provider = provider.as_ref().or(only).cloned().unwrap_or_default();
        let login = LoginRules {
            provider,
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            scope: scopes.join(" "),
        };
        let clients = settings.clients.iter().map(Client::new).collect::<Result<_, _>>()?;
        Ok(Self { login, clients })
    }

    /// The client with this id.
    pub(crate) fn named(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id() == client_id)
    }

    /// The client that a request is from, by its secret if it has one.
    pub(crate) fn authenticate(&self, claimed: &ClaimedClient) -> Result<&Client, Fault> {
        let client =
            self.named(&claimed.client_id).filter(|client| match (&client.secret, &claimed.secret) {
                (Some(secret), Some(given)) => *secret == Secret::new(given.expose_secret()),
                (None, None) => true,
                _ => false,
            });
        client.ok_or_else(|| {
            let why = "the client is not one of this service, or does not authenticate as it must";
            Fault::new(ErrorCode::InvalidClient, why)
        })
    }
}

impl Client {
    fn new(settings: &model::TokenClient) -> Result<Self, RulesError> {
        let model::TokenClient {
            client_id,
            name,
            client_secret,
            grants,
            redirect_uris,
            scopes,
            max_lifetime,
        } = settings;
        let scopes = scopes.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<_, _>>();
        let scopes = scopes.map_err(|error| RulesError::Client {
            client_id: client_id.clone(),
            problem: error.to_string(),
        })?;
        Ok(Self {
            name: name.clone(),
            secret: client_secret.clone(),
            grants: grants.clone(),
            redirect_uris: redirect_uris.clone(),
            greatest: Permission {
                client_id: client_id.as_str().into(),
                scopes,
                clusters: Vec::new(),
                lifetime: u64::MAX,
            },
            max_lifetime: max_lifetime.map(config::value::Duration::get),
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.greatest.client_id
    }

    /// The scopes that it can have at most.
    pub(crate) fn scopes(&self) -> &[Scope] {
        &self.greatest.scopes
    }

    /// Whether codes may be sent there.
    pub(crate) fn is_at(&self, redirect_uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| is_registered_redirect(registered, redirect_uri))
    }

    /// Refuses a way of asking that is not the client's.
    pub(crate) fn must_use(&self, grant: TokenClientGrant) -> Result<(), Fault> {
        if self.grants.contains(&grant) {
            return Ok(());
        }
        Err(Fault::new(ErrorCode::UnauthorizedClient, "the client is not registered for this grant"))
    }

    /// Refuses scopes that the client can never have.
    pub(crate) fn must_reach(&self, scopes: &[Scope]) -> Result<(), Fault> {
        if self.may_have(scopes) {
            return Ok(());
        }
        let greatest: Vec<String> = self.scopes().iter().map(ToString::to_string).collect();
        let why = format!("the client is registered for scopes inside {}", greatest.join(" "));
        Err(Fault::new(ErrorCode::InvalidScope, why))
    }

    /// Whether the configuration lets it have these scopes.
    pub(crate) fn may_have(&self, scopes: &[Scope]) -> bool {
        self.greatest.includes(&Permission { scopes: scopes.to_vec(), ..self.greatest.clone() })
    }
}
