use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Inner, Tokens, TokensError, Write, after};
use crate::{
    Approval, Claims, Party, Presented, Record, Secret, State, Status, Terms, Through, Token, TokenId,
};

/// What a token is made from.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// Whose token was presented.
    pub presenter: Party,
    /// That token.
    pub presented: Presented,
    /// What it said.
    pub claims: Claims,
    /// Who acts for the presenter: the `act` claim (RFC 8693 section 4.1).
    pub act: Option<Value>,
    /// The clusters that it is to be for; empty: all that the claims reach.
    pub clusters: Vec<Box<str>>,
    /// The client of the proxy's own that gets it, if it is one.
    pub through: Option<Through>,
}

/// A new token. The secret is not kept: this is the only time that it can be given out.
#[derive(Debug)]
pub struct Issued {
    /// Its record. Pending if it must be approved first.
    pub token: Token,
    /// The secret.
    pub secret: Secret,
}

impl Tokens {
    /// Makes a token on these terms.
    pub async fn issue(&self, terms: Terms, grounds: Grounds, now: Timestamp) -> Result<Issued, TokensError> {
        self.write(move |inner| issue(inner, terms.clone(), grounds.clone(), now)).await
    }
}

async fn issue(
    inner: Arc<Inner>,
    terms: Terms,
    grounds: Grounds,
    now: Timestamp,
) -> Result<Issued, TokensError> {
    let (record, secret) = inner.new_record(terms, grounds, now)?;
    let [token] = inner.put([Write::new(record)]).await?;
    Ok(Issued { token, secret })
}

impl Inner {
    /// The record of a token that is yet to be stored.
    pub(super) fn new_record(
        &self,
        terms: Terms,
        grounds: Grounds,
        now: Timestamp,
    ) -> Result<(Record, Secret), TokensError> {
        let mut owner = terms.owner.unwrap_or_else(|| grounds.presenter.clone());
        if let Some(through) = &grounds.through {
            owner.client_id = Some(through.client_id.clone());
        }
        self.check_room(&owner, now)?;
        let secret = Secret::generate()?;
        let state = match terms.approval {
            Approval::NotNeeded => State::Active { approval: None },
            Approval::Required => State::Pending {
                decide_by: after(now, self.settings.approval_within)?,
                lifetime: terms.lifetime.as_secs(),
            },
        };
        let record = Record {
            id: TokenId::generate()?,
            digest: secret.digest(),
            name: terms.details.name().map(Into::into),
            description: terms.details.description().map(Into::into),
            metadata: terms.details.metadata().clone(),
            owner,
            act: grounds.act,
            claims: grounds.claims,
            presented: grounds.presented,
            scopes: terms.scopes,
            clusters: grounds.clusters,
            policy: terms.policy,
            created_at: now,
            created_by: grounds.presenter,
            through: grounds.through,
            expires_at: after(now, terms.lifetime)?,
            state,
            line_since: now,
            rotated_from: None,
            rotated_to: None,
        };
        Ok((record, secret))
    }

    /// Whether one more token can be kept.
    fn check_room(&self, owner: &Party, now: Timestamp) -> Result<(), TokensError> {
        let kept = self.index.len();
        if kept >= self.settings.max_tokens {
            return Err(TokensError::Full(kept));
        }
        // Looking at all is only worth it once there are as many as one owner can have.
        if kept >= self.settings.max_per_owner {
            let live = |token: &Token| matches!(token.status(now), Status::Active | Status::Pending);
            let own = |token: &Token| token.owner.is_same_subject(owner) && live(token);
            let owned = self.index.all().iter().filter(|token| own(token)).count();
            if owned >= self.settings.max_per_owner {
                return Err(TokensError::OwnerFull(owned));
            }
        }
        Ok(())
    }
}
