//! What people allow clients.

use access::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::is_inside;
use crate::{ConsentId, Decision, Party};

/// What a client may have tokens for, on behalf of a person.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Permission {
    /// The client, one of the proxy's own.
    pub client_id: Box<str>,
    /// Within these scopes.
    pub scopes: Vec<Scope>,
    /// On these clusters; empty: on all that the person reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Box<str>>,
    /// How long a token may live, in seconds.
    pub lifetime: u64,
}

impl Permission {
    /// Whether all that the other allows is allowed by this one.
    pub fn includes(&self, other: &Self) -> bool {
        let clusters = self.clusters.is_empty()
            || (!other.clusters.is_empty()
                && other.clusters.iter().all(|cluster| self.clusters.contains(cluster)));
        self.client_id == other.client_id
            && self.lifetime >= other.lifetime
            && clusters
            && other.scopes.iter().all(|scope| is_inside(scope, &self.scopes))
    }
}

/// A permission that a person gave. It is remembered until it is withdrawn, and the tokens issued under it end with it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Consent {
    /// Its public name.
    pub id: ConsentId,
    /// Who gave it.
    pub person: Party,
    /// What for.
    pub permission: Permission,
    /// When.
    pub given_at: Timestamp,
    /// Who withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Decision>,
}
