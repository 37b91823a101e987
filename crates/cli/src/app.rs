//! What every command works with: the store, the connections, and the login of the chosen context.

use jiff::Timestamp;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::net::{Http, Proxies};
use crate::output::Ui;
use crate::provider::{Metadata, refresh};
use crate::secret::Secret;
use crate::store::{Config, Context, Home, Session};

/// A token given from outside, for programs that have one of their own.
const TOKEN_VARIABLE: &str = "OPENSEARCH_AUTH_TOKEN";

/// The surroundings of one run.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) home: Home,
    pub(crate) proxies: Proxies,
    pub(crate) ui: Ui,
    /// The context named on the command line or in the environment.
    pub(crate) context: Option<String>,
}

/// The chosen context.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) name: String,
    pub(crate) context: Context,
}

/// A token to show to the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) token: Secret,
    /// When it ends, if that is known.
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether it is one that a client of the provider got for itself.
    pub(crate) of_client: bool,
}

impl App {
    pub(crate) fn config(&self) -> Result<Config> {
        self.home.config()
    }

    /// The context to work with.
    pub(crate) fn chosen(&self) -> Result<Chosen> {
        let config = self.config()?;
        let (name, context) = config.context(self.context.as_deref())?;
        Ok(Chosen { name: name.to_owned(), context: context.clone() })
    }

    /// Calls to the proxy of a context.
    pub(crate) fn to_proxy(&self, context: &Context) -> Http {
        Http::new(&self.proxies, context.ca.as_deref())
    }

    /// Calls to a provider of a context.
    pub(crate) fn to_provider(&self, context: &Context, provider: &str) -> Http {
        let ca = context.providers.get(provider).and_then(|provider| provider.ca.as_deref());
        Http::new(&self.proxies, ca)
    }

    /// The login of a context as it was stored. Login is needed when there is none for its address.
    pub(crate) fn session(&self, chosen: &Chosen) -> Result<Session> {
        let mut sessions = self.home.sessions()?;
        let session = sessions
            .sessions
            .remove(&chosen.name)
            .ok_or_else(|| Error::login_needed(format!("nobody is logged in to `{}`", chosen.name)))?;
        if session.url != chosen.context.url {
            return Err(Error::login_needed(format!(
                "the login of `{}` is for {}, and the context is now {}",
                chosen.name, session.url, chosen.context.url
            )));
        }
        Ok(session)
    }

    /// A token that counts: that of the environment, else that of the login, replaced if it is about to end.
    pub(crate) async fn bearer(&self, chosen: &Chosen) -> Result<Bearer> {
        if let Some(token) = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()) {
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::usage(format!("{TOKEN_VARIABLE} holds no bearer token"))
                    .cure("it must hold the token and nothing else"));
            }
            return Ok(Bearer { token: Secret::new(token), expires_at: None, of_client: false });
        }
        let session = self.fresh(chosen).await?;
        Ok(Bearer { token: session.access_token, expires_at: session.expires_at, of_client: false })
    }

    /// The login of a context with a token that counts for a while. One program at a time asks the provider, since many
    /// providers take a refresh token only once; the others find what it got.
    pub(crate) async fn fresh(&self, chosen: &Chosen) -> Result<Session> {
        let session = self.session(chosen)?;
        if session.is_fresh(Timestamp::now()) {
            return Ok(session);
        }
        let lock = self.home.lock().await?;
        let session = self.session(chosen)?;
        let now = Timestamp::now();
        if session.is_fresh(now) {
            return Ok(session);
        }
        let Some(token) = session.refresh_token.clone() else {
            return if session.has_expired(now) {
                Err(Error::login_needed(format!("the login to `{}` has expired", chosen.name)))
            } else {
                Ok(session)
            };
        };
        let http = self.to_provider(&chosen.context, &session.provider);
        let renewed = async {
            let metadata = Metadata::discover(&http, &session.issuer).await?;
            refresh(&http, &metadata, &session.client_id, &token).await
        };
        let grant = match renewed.await {
            Ok(grant) => grant,
            Err(error) => {
                if error.kind == Kind::LoginNeeded {
                    // It will not be taken a second time either.
                    let mut sessions = self.home.sessions()?;
                    if let Some(stored) = sessions.sessions.get_mut(&chosen.name) {
                        stored.refresh_token = None;
                    }
                    lock.write_sessions(&sessions)?;
                }
                // What is left of the old token is better than nothing.
                return if session.has_expired(Timestamp::now()) { Err(error) } else { Ok(session) };
            }
        };
        let renewed = Session {
            access_token: grant.access_token,
            refresh_token: grant.refresh_token.or(session.refresh_token),
            scopes: grant.scopes.unwrap_or(session.scopes),
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            ..session
        };
        let mut sessions = self.home.sessions()?;
        sessions.sessions.insert(chosen.name.clone(), renewed.clone());
        lock.write_sessions(&sessions)?;
        Ok(renewed)
    }
}

/// The origin of an address with a path appended to the address's own.
pub(crate) fn join(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}
