//! The headers that make a request the engine user's.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::api_token::Mark;

/// What is sent to the engine in place of the caller's own credential.
///
/// Holds one `Authorization` header, or none for `proxy_headers`. All values are marked sensitive; `Debug` shows the
/// names of the headers only.
#[derive(Clone)]
pub struct Credential {
    name: Arc<str>,
    roles: Arc<[Arc<str>]>,
    headers: Headers,
    kind: &'static str,
    token: Option<Mark>,
}

/// Nearly every credential is one `Authorization` header: no allocation for that one.
#[derive(Clone)]
enum Headers {
    Authorization(HeaderValue),
    Named(Vec<(HeaderName, HeaderValue)>),
}

impl Credential {
    pub(crate) fn authorization(name: Arc<str>, roles: Arc<[Arc<str>]>, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self { name, roles, headers: Headers::Authorization(value), kind: "", token: None }
    }

    pub(crate) fn named(
        name: Arc<str>,
        roles: Arc<[Arc<str>]>,
        mut headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        for (_, value) in &mut headers {
            value.set_sensitive(true);
        }
        Self { name, roles, headers: Headers::Named(headers), kind: "", token: None }
    }

    /// Says of which identity it is.
    pub(crate) fn of(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// Says which token of the engine it is.
    pub(crate) fn with_token(self, mark: Mark) -> Self {
        Self { token: Some(mark), ..self }
    }

    /// The token of the engine that it is, if it is one.
    pub(crate) fn token(&self) -> Option<&Mark> {
        self.token.as_ref()
    }

    /// Whether it is a token of the engine's own, of the identity `api_token`.
    pub fn is_engine_token(&self) -> bool {
        self.token.is_some()
    }

    /// The configuration key of the identity that it is of, for audit records: of the fallback, where that is used.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The name under which the engine will know the caller, for the audit record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and roles, shared.
    pub fn user(&self) -> (Arc<str>, Arc<[Arc<str>]>) {
        (Arc::clone(&self.name), Arc::clone(&self.roles))
    }

    /// The backend roles sent along. Empty where the engine itself decides them (`backend_user`, `forward`).
    pub fn roles(&self) -> &[Arc<str>] {
        &self.roles
    }

    /// The headers to send, each name once.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        static AUTHORIZATION: HeaderName = header::AUTHORIZATION;
        let (one, many) = match &self.headers {
            Headers::Authorization(value) => (Some((&AUTHORIZATION, value)), &[][..]),
            Headers::Named(named) => (None, named.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|(name, value)| (name, value)))
    }

    /// Puts the credential on a request: whatever `Authorization` and namesakes were there are gone afterwards.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.remove(header::AUTHORIZATION);
        for (name, value) in self.headers() {
            headers.insert(name, value.clone());
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("roles", &self.roles)
            .field("headers", &names)
            .field("kind", &self.kind)
            .field("token", &self.token)
            .finish()
    }
}
