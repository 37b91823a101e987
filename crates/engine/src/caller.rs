//! Who asks, as far as the engine needs to know.

use std::{fmt, net::IpAddr, sync::Arc, time::SystemTime};

use access::Permit;
use claims::Claims;
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
    /// What allowed this request: its scopes, and the roles and the engine user of the mappings behind exactly those.
    pub permit: &'a Permit,
    /// All claims of the caller's token, for attributes.
    pub claims: &'a Claims,
    /// The address the request came from.
    pub source: IpAddr,
    /// The caller's own token. Only `forward` reads it.
    pub token: Option<&'a SecretString>,
    /// The present time.
    pub now: SystemTime,
}

impl Caller<'_> {
    /// The person if there is one, else the client, else the subject: a client acting for a user is the user.
    pub(crate) fn principal(&self) -> &str {
        self.user_id.or(self.client_id).unwrap_or(self.subject)
    }

    /// The backend roles of this request: scopes and mapped roles, sorted, each once.
    pub(crate) fn backend_roles(&self) -> Vec<Arc<str>> {
        let mut roles: Vec<_> = self.permit.scopes.iter().chain(&self.permit.roles).cloned().collect();
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
            .field("permit", &self.permit)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
