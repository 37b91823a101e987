//! What every command works with: the store, the connections, and the login of the chosen context.

use jiff::Timestamp;
use url::Url;

use crate::error::{Error, Kind, Result};
use crate::net::{Http, Proxies};
use crate::output::Ui;
use crate::provider::{Metadata, refresh};
use crate::secret::Secret;
use crate::store::{Config, Context, Home, Kept, Session, Tokens};

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
        self.fresh(chosen).await
    }

    /// The login's token, one that counts for a while. One program at a time asks the provider, since many
    /// providers take a refresh token only once; the others find what it got.
    async fn fresh(&self, chosen: &Chosen) -> Result<Bearer> {
        let vault = self.home.vault()?;
        let session = self.session(chosen)?;
        if session.is_fresh(Timestamp::now()) {
            let tokens = vault.tokens(&chosen.name, &session).await?;
            return Ok(Bearer::of_login(&session, tokens));
        }
        let lock = self.home.lock().await?;
        let session = self.session(chosen)?;
        let place = session.kept.place();
        let tokens = vault.tokens(&chosen.name, &session).await?;
        let now = Timestamp::now();
        if session.is_fresh(now) {
            return Ok(Bearer::of_login(&session, tokens));
        }
        let Some(token) = tokens.refresh_token.clone() else {
            return if session.has_expired(now) {
                Err(Error::login_needed(format!("the login to `{}` has expired", chosen.name)))
            } else {
                Ok(Bearer::of_login(&session, tokens))
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
                    let left = Tokens { refresh_token: None, ..tokens.clone() };
                    let mut session = Session { kept: Kept::File(left), ..session.clone() };
                    vault.settle(&chosen.name, &mut session, place).await?;
                    lock.write_session(&chosen.name, session)?;
                }
                // What is left of the old token is better than nothing.
                return if session.has_expired(Timestamp::now()) {
                    Err(error)
                } else {
                    Ok(Bearer::of_login(&session, tokens))
                };
            }
        };
        let tokens = Tokens {
            access_token: grant.access_token,
            refresh_token: grant.refresh_token.or(tokens.refresh_token),
        };
        let mut renewed = Session {
            kept: Kept::File(tokens.clone()),
            scopes: grant.scopes.unwrap_or(session.scopes),
            issued_at: grant.issued_at,
            expires_at: grant.expires_at,
            ..session
        };
        vault.settle(&chosen.name, &mut renewed, place).await?;
        let bearer = Bearer::of_login(&renewed, tokens);
        lock.write_session(&chosen.name, renewed)?;
        Ok(bearer)
    }
}

impl Bearer {
    fn of_login(session: &Session, tokens: Tokens) -> Self {
        Self { token: tokens.access_token, expires_at: session.expires_at, of_client: false }
    }
}

/// The origin of an address with a path appended to the address's own.
pub(crate) fn join(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}
