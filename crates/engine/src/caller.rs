//! Who asks, as far as the engine needs to know.

use std::{fmt, net::IpAddr, sync::Arc, time::SystemTime};

use secrecy::SecretString;

/// A verified caller together with what allowed this request.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The configured name of the provider that issued the token.
    pub provider: &'a str,
    /// The person, if the token names one.
    pub user_id: Option<&'a str>,
    /// The client that acts, for itself or for the person.
    pub client_id: Option<&'a str>,
    /// The token's `sub`; names the caller when neither user nor client is known.
    pub subject: &'a str,
    /// The canonical strings of the scopes that allowed this request.
    pub scopes: &'a [Arc<str>],
    /// The backend roles that the configuration maps to exactly those scopes.
    pub roles: &'a [Arc<str>],
    /// The engine user that the mappings behind those scopes name.
    pub backend_user: BackendUser<'a>,
    /// The values that the caller's token has at a claim path.
    pub claims: &'a dyn Fn(&str) -> Vec<String>,
    /// The address the request came from.
    pub source: IpAddr,
    /// The caller's own token. Only `forward` reads it.
    pub token: Option<&'a SecretString>,
    /// The present time.
    pub now: SystemTime,
}

/// The engine user named by the mappings behind the scopes of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackendUser<'a> {
    /// No mapping names one.
    Unnamed,
    /// All that name one name this.
    Named(&'a str),
    /// Two of the scopes that this request needs belong to different engine users; no single one may answer it.
    Conflicting,
}

impl Caller<'_> {
    /// The person if there is one, else the client, else the subject: a client acting for a user is the user.
    pub(crate) fn principal(&self) -> &str {
        self.user_id.or(self.client_id).unwrap_or(self.subject)
    }

    /// The backend roles of this request: scopes and mapped roles, sorted, each once.
    pub(crate) fn backend_roles(&self) -> Vec<Arc<str>> {
        let mut roles: Vec<_> = self.scopes.iter().chain(self.roles).cloned().collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("provider", &self.provider)
            .field("user_id", &self.user_id)
            .field("client_id", &self.client_id)
            .field("subject", &self.subject)
            .field("scopes", &self.scopes)
            .field("roles", &self.roles)
            .field("backend_user", &self.backend_user)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
