//! Revocation of tokens that a provider issued, which no record is kept of. No I/O.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Decision, Party, Presented, RevocationId};

/// Provider tokens that are not accepted any more, and managed tokens that were made from them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Revocation {
    /// Its name.
    pub id: RevocationId,
    /// Which tokens.
    pub of: Revoked,
    /// Of this issuer only; `None`: of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Box<str>>,
    /// Issued before this only, and those that do not say when; `None`: all, those to come too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
    /// Until when it is kept: by then the tokens that it is about have ended. `None`: until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who decided it, when and why.
    pub decision: Decision,
}

/// Which provider tokens are revoked.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(tag = "by", content = "is", rename_all = "snake_case")]
pub enum Revoked {
    /// The one with this `jti`.
    Jti(Box<str>),
    /// Those of this client.
    ClientId(Box<str>),
    /// Those of this subject.
    Subject(Box<str>),
}

/// What a provider token says that a revocation can go by.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'t> {
    /// `iss`.
    pub issuer: &'t str,
    /// `sub`.
    pub subject: &'t str,
    /// The client that it was issued to.
    pub client_id: Option<&'t str>,
    /// `jti`.
    pub jti: Option<&'t str>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
}

impl<'t> Credential<'t> {
    pub(crate) fn of(party: &'t Party, presented: &'t Presented) -> Self {
        Self {
            issuer: &party.issuer,
            subject: &party.subject,
            client_id: party.client_id.as_deref(),
            jti: presented.jti.as_deref(),
            issued_at: presented.issued_at,
        }
    }
}

impl Revocation {
    /// Whether it is still to be kept.
    pub(crate) fn is_kept(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    fn concerns(&self, credential: &Credential<'_>) -> bool {
        let issuer = self.issuer.as_ref().is_none_or(|issuer| **issuer == *credential.issuer);
        let time = match (self.issued_before, credential.issued_at) {
            (Some(before), Some(issued)) => issued < before,
            (Some(_), None) | (None, _) => true,
        };
        issuer && time
    }
}

/// All revocations, to be asked for each request. Immutable: a change makes a new one.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    ids: HashMap<RevocationId, Arc<Revocation>>,
    jtis: HashMap<Box<str>, Vec<Arc<Revocation>>>,
    clients: HashMap<Box<str>, Vec<Arc<Revocation>>>,
    subjects: HashMap<Box<str>, Vec<Arc<Revocation>>>,
}

impl Revocations {
    pub(crate) fn new(revocations: impl IntoIterator<Item = Arc<Revocation>>) -> Self {
        let mut all = Self::default();
        for revocation in revocations {
            let (map, key) = match &revocation.of {
                Revoked::Jti(jti) => (&mut all.jtis, jti),
                Revoked::ClientId(client) => (&mut all.clients, client),
                Revoked::Subject(subject) => (&mut all.subjects, subject),
            };
            map.entry(key.clone()).or_default().push(revocation.clone());
            all.ids.insert(revocation.id.clone(), revocation);
        }
        all
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Revocation>> {
        self.ids.values()
    }

    pub(crate) fn get(&self, id: &RevocationId) -> Option<&Arc<Revocation>> {
        self.ids.get(id)
    }

    pub(crate) fn of(&self, credential: &Credential<'_>) -> Option<&Arc<Revocation>> {
        if self.ids.is_empty() {
            return None;
        }
        let jti = credential.jti.and_then(|jti| self.jtis.get(jti));
        let client = credential.client_id.and_then(|client| self.clients.get(client));
        let subject = self.subjects.get(credential.subject);
        [jti, client, subject]
            .into_iter()
            .flatten()
            .flatten()
            .find(|revocation| revocation.concerns(credential))
    }
}
