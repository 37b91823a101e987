//! Who a verified token speaks for.

use std::fmt;
use std::sync::Arc;

use claims::{ClaimPath, Claims, Tree};
use serde_json::Value;

use crate::ClaimNames;
use crate::members::{Json, Members};

/// What a verified token says. Only this crate makes one, after every check passed.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The configured name of the provider.
    pub provider: Arc<str>,
    /// The issuer.
    pub issuer: Arc<str>,
    /// `sub`; the client id for a token without. Unique within the issuer only.
    pub subject: Arc<str>,
    /// The client that the token was issued to.
    pub client_id: Option<Arc<str>>,
    /// The user on whose behalf the client acts; `None` if the client acts for itself.
    pub user_id: Option<Arc<str>>,
    /// `jti`.
    pub token_id: Option<Arc<str>>,
    /// The scopes, in order of appearance, each once.
    pub scopes: Vec<Box<str>>,
    /// The groups, likewise.
    pub groups: Vec<Box<str>>,
    /// All of `aud`.
    pub audiences: Vec<Box<str>>,
    /// `exp`, in seconds since 1970. For an introspected token without `exp`, [`Self::fresh_until`].
    pub expires_at: u64,
    /// `iat`, in seconds since 1970.
    pub issued_at: Option<u64>,
    /// Until when this may be believed without asking again, in seconds since 1970: `expires_at`, or earlier if the
    /// token was introspected. The time to give to a cache.
    pub fresh_until: u64,
    /// `acr`: how the user was authenticated.
    pub acr: Option<Arc<str>>,
    /// All claims.
    pub claims: Claims,
    /// Whether the claims come from introspection rather than from the token itself.
    pub opaque: bool,
}

impl Identity {
    /// All values of a claim.
    pub fn claim(&self, path: &ClaimPath) -> Vec<&Value> {
        path.select(&self.claims)
    }
}

impl fmt::Debug for Identity {
    /// Without the claims, which may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("provider", &self.provider)
            .field("subject", &self.subject)
            .field("client_id", &self.client_id)
            .field("user_id", &self.user_id)
            .field("token_id", &self.token_id)
            .field("scopes", &self.scopes)
            .field("groups", &self.groups)
            .field("expires_at", &self.expires_at)
            .field("opaque", &self.opaque)
            .finish_non_exhaustive()
    }
}

/// The values of all paths, strings only, each once. `split` at spaces for scopes.
pub(crate) fn texts(paths: &[ClaimPath], claims: &Members<'_>, split: bool) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut add = |text: &str| {
        if !text.is_empty() && !found.iter().any(|known| **known == *text) {
            found.push(text.into());
        }
    };
    for path in paths {
        let _: Option<()> = path.look_up(
            |name| claims.get(name),
            |value| {
                match value.text() {
                    Some(text) if split => text.split(' ').for_each(&mut add),
                    Some(text) => add(text),
                    None => {}
                }
                None
            },
        );
    }
    found
}

pub(crate) fn client(names: &ClaimNames, claims: &Members<'_>) -> Option<Arc<str>> {
    names.client.iter().find_map(|path| path.first_string(|name| claims.get(name))).map(Into::into)
}

/// The user, or `None` if the token is a client's own.
pub(crate) fn user(
    names: &ClaimNames,
    claims: &Members<'_>,
    subject: &str,
    client: Option<&str>,
) -> Option<Arc<str>> {
    if client.is_some_and(|client| speaks_for_itself(claims, subject, client)) {
        return None;
    }
    let unverified = claims
        .get("email_verified")
        .is_some_and(|verified| *verified != Json::Bool(true) && verified.text() != Some("true"));
    names
        .user
        .iter()
        .filter(|path| !(unverified && path.is_member("email")))
        .find_map(|path| path.first_string(|name| claims.get(name)))
        .map(Into::into)
}

/// Whether the token comes from the client credentials grant (RFC 6749 section 4.4). RFC 9068 section 2.2 lets `sub`
/// name the client then; some providers say it otherwise.
fn speaks_for_itself(claims: &Members<'_>, subject: &str, client: &str) -> bool {
    let claim = |name: &str| claims.get(name).and_then(Json::text);
    let by_subject = subject == client;
    let by_grant = ["gty", "grant_type"]
        .iter()
        .filter_map(|name| claim(name))
        .any(|grant| matches!(grant, "client-credentials" | "client_credentials"));
    let auth0 = subject.strip_suffix("@clients") == Some(client);
    let entra = claim("idtyp") == Some("app");
    let keycloak = claim("preferred_username")
        .and_then(|name| name.strip_prefix("service-account-"))
        .is_some_and(|name| name.eq_ignore_ascii_case(client))
        || claim("jti").is_some_and(keycloak_client_credentials);
    by_subject || by_grant || auth0 || entra || keycloak
}

/// Keycloak 26 and later writes session type, token type and grant before the random part of `jti`; `cc` is the grant
/// of client credentials.
fn keycloak_client_credentials(token_id: &str) -> bool {
    token_id.split_once(':').is_some_and(|(kind, _)| {
        kind.len() == 6 && kind.ends_with("cc") && kind.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}
