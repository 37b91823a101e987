use std::sync::Arc;

use super::{Inner, Tokens, TokensError, Write};
use crate::{Decision, Filter, Record, State, Status, Token, TokenId};

/// What came of revoking a token.
#[derive(Clone, Debug)]
pub struct RevokedToken {
    /// It, as it stands now.
    pub token: Token,
    /// Whether this ended it. Otherwise it had ended before.
    pub changed: bool,
}

/// What came of revoking many.
#[derive(Clone, Debug)]
pub struct BulkRevoked {
    /// Those that had not ended and were meant, as they stand now.
    pub matched: Vec<Token>,
    /// How many of them this ended: all, or none if it was only tried.
    pub revoked: usize,
}

impl Tokens {
    /// Ends a token. From then on it is not admitted. One that has ended already stays as it is, which is no error.
    pub async fn revoke(&self, id: &TokenId, decision: Decision) -> Result<RevokedToken, TokensError> {
        let id = id.clone();
        self.write(move |inner| revoke(inner, id.clone(), decision.clone())).await
    }

    /// Ends all that the filter means, at once; with `dry_run` only says which.
    pub async fn revoke_matching(
        &self,
        filter: Filter,
        decision: Decision,
        dry_run: bool,
    ) -> Result<BulkRevoked, TokensError> {
        self.write(move |inner| revoke_matching(inner, filter.clone(), decision.clone(), dry_run)).await
    }
}

async fn revoke(inner: Arc<Inner>, id: TokenId, decision: Decision) -> Result<RevokedToken, TokensError> {
    let token = inner.existing(&id)?;
    if !is_live(&token, &decision) {
        return Ok(RevokedToken { token, changed: false });
    }
    let record = revoked(&token, &decision);
    let [token] = inner.put([Write::change_of(&token, record)]).await?;
    Ok(RevokedToken { token, changed: true })
}

async fn revoke_matching(
    inner: Arc<Inner>,
    filter: Filter,
    decision: Decision,
    dry_run: bool,
) -> Result<BulkRevoked, TokensError> {
    let mut matched = inner.matching(&filter, decision.at);
    matched.retain(|token| is_live(token, &decision));
    matched.sort_unstable_by(|one, two| (one.created_at, &one.id).cmp(&(two.created_at, &two.id)));
    if dry_run || matched.is_empty() {
        return Ok(BulkRevoked { matched, revoked: 0 });
    }
    let writes = matched.iter().map(|token| Write::change_of(token, revoked(token, &decision)));
    let matched = inner.put_all(writes.collect()).await?;
    Ok(BulkRevoked { revoked: matched.len(), matched })
}

pub(super) fn is_live(token: &Token, decision: &Decision) -> bool {
    matches!(token.status(decision.at), Status::Active | Status::Pending)
}

pub(super) fn revoked(record: &Record, decision: &Decision) -> Record {
    let approval = match &record.state {
        State::Active { approval } | State::Revoked { approval, .. } => approval.clone(),
        State::Pending { .. } | State::Denied { .. } => None,
    };
    Record { state: State::Revoked { decision: decision.clone(), approval }, ..record.clone() }
}
