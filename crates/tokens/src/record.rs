use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use access::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{ConsentId, Details, DetailsError, Digest, Party, TokenId, details};

/// Everything that is kept of a managed token: the secret is not.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Record {
    /// Its public name.
    pub id: TokenId,
    /// What the secret is known by.
    pub digest: Digest,
    /// A short name, chosen by whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Why it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Box<str>>,
    /// Whatever else was noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<Box<str>, Box<str>>,
    /// Whom it is for.
    pub owner: Party,
    /// The `act` claim (RFC 8693 section 4.1): who acts for the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// What the token that was presented said. Mappings run over this at each use, so that one that was withdrawn
    /// is felt.
    pub claims: Claims,
    /// The token that was presented.
    pub presented: Presented,
    /// The scopes: what is held at the time of use counts only within these.
    pub scopes: Vec<Scope>,
    /// The clusters that it is for; empty: all that the claims reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Box<str>>,
    /// The issuance policy that allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<str>>,
    /// When.
    pub created_at: Timestamp,
    /// Whose token was presented for it.
    pub created_by: Party,
    /// The client of the proxy's own that it was given to, for the person whose token was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// The end.
    pub expires_at: Timestamp,
    /// What was decided about it.
    pub state: State,
    /// When the first of the tokens was made that took over from one another down to this one.
    pub line_since: Timestamp,
    /// The token that this one takes over from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_from: Option<TokenId>,
    /// The token that takes over from this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_to: Option<TokenId>,
}

/// What was decided about a token. That its time is over is not a state; see [`Record::status`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Somebody else than the asker must approve it first.
    Pending {
        /// After that it is too late.
        decide_by: Timestamp,
        /// In seconds, from the approval on.
        lifetime: u64,
    },
    /// It may be used.
    Active {
        /// Who approved it, where that was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Decision>,
    },
    /// It was not approved, and never will be.
    Denied {
        /// By whom.
        decision: Decision,
    },
    /// It was ended.
    Revoked {
        /// By whom.
        decision: Decision,
        /// Who had approved it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Decision>,
    },
}

/// Who decided something, when and why.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Party,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
}

impl Decision {
    /// A decision that is made now. The reason is kept and shown, so it is bounded as a description is.
    pub fn new(by: Party, reason: Option<&str>, now: Timestamp) -> Result<Self, DetailsError> {
        let reason = reason.filter(|reason| !reason.is_empty());
        details::check("reason", reason.unwrap_or_default(), Details::MAX_TEXT)?;
        Ok(Self { at: now, by, reason: reason.map(Into::into) })
    }
}

/// How a token stands at some time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for approval.
    Pending,
    /// Can be used.
    Active,
    /// Was ended.
    Revoked,
    /// Was not approved.
    Denied,
    /// Its time is over, or that in which it could have been approved.
    Expired,
}

impl Status {
    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Record {
    /// How it stands.
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.state {
            State::Pending { decide_by, .. } if *decide_by <= now => Status::Expired,
            State::Pending { .. } => Status::Pending,
            State::Active { .. } if self.expires_at <= now => Status::Expired,
            State::Active { .. } => Status::Active,
            State::Denied { .. } => Status::Denied,
            State::Revoked { .. } => Status::Revoked,
        }
    }

    /// How long it can be used in all, from its making or from its approval on.
    pub fn lifetime(&self) -> Duration {
        let begin = match &self.state {
            State::Active { approval: Some(approval) } | State::Revoked { approval: Some(approval), .. } => {
                self.created_at.max(approval.at)
            }
            _ => self.created_at,
        };
        Duration::try_from(self.expires_at.duration_since(begin)).unwrap_or_default()
    }

    /// Whether it is for this cluster, as far as the clusters that were asked for say.
    pub fn is_for_cluster(&self, cluster: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|known| **known == *cluster)
    }

    /// Whether it belongs to this party: its owner, or whoever had it made.
    pub fn is_of(&self, party: &Party) -> bool {
        self.owner.is_same_subject(party) || self.created_by.is_same_subject(party)
    }

    /// Since when nothing can come of it any more; `None` while something can.
    pub(crate) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            State::Pending { decide_by, .. } => Some(*decide_by),
            State::Active { .. } => Some(self.expires_at),
            State::Denied { decision } | State::Revoked { decision, .. } => Some(decision.at),
        }
        .filter(|ended| *ended <= now)
    }
}

/// How a client of the proxy's own came to a token of a person.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Through {
    /// The client.
    pub client_id: Box<str>,
    /// What the person agreed to. The token ends with it.
    pub consent: ConsentId,
}

/// The token of a provider that a managed token was made from. A revocation of that one ends this one too.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Presented {
    /// `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Box<str>>,
    /// `iat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
}

/// The claims of a token, kept as JSON text: a parsed tree of each of very many tokens would take much memory. Not shown by
/// `Debug`, since they may hold personal data.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Claims(Box<str>);

/// The claims are not kept.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "the claims of the presented token take {size} bytes as JSON; at most {} are kept: let the provider issue fewer",
    Claims::MAX
)]
pub struct ClaimsTooLarge {
    /// Their size.
    pub size: usize,
}

impl Claims {
    /// How many bytes of JSON are kept.
    pub const MAX: usize = 16 * 1024;

    /// Keeps them.
    pub fn new(claims: &Map<String, Value>) -> Result<Self, ClaimsTooLarge> {
        // A map of strings to JSON values has no way to fail; nothing is kept if it did.
        let text = serde_json::to_string(claims).map_err(|_| ClaimsTooLarge { size: usize::MAX })?;
        if text.len() > Self::MAX {
            return Err(ClaimsTooLarge { size: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The claims again; none if a store gives back something else than was kept.
    pub fn to_map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims(…)")
    }
}

/// When a token was used last, and from where.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct LastUsed {
    /// When; to the second.
    pub at: Timestamp,
    /// The address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}
