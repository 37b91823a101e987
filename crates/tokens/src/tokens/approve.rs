use std::sync::Arc;

use super::{Inner, Tokens, TokensError, Write, after};
use crate::{Decision, State, Status, Token, TokenId};

impl Tokens {
    /// Lets a token be used that waits for approval. Its lifetime counts from now.
    ///
    /// # Errors
    /// [`TokensError::OwnRequest`] if whoever decides could be who asked for it or is to have it; [`TokensError::Status`] if it
    /// does not wait, or has waited too long.
    pub async fn approve(&self, id: &TokenId, decision: Decision) -> Result<Token, TokensError> {
        let id = id.clone();
        self.write(move |inner| decide(inner, id.clone(), decision.clone(), true)).await
    }

    /// Refuses it for good. Errors as for [`Self::approve`].
    pub async fn deny(&self, id: &TokenId, decision: Decision) -> Result<Token, TokensError> {
        let id = id.clone();
        self.write(move |inner| decide(inner, id.clone(), decision.clone(), false)).await
    }
}

async fn decide(inner: Arc<Inner>, id: TokenId, decision: Decision, yes: bool) -> Result<Token, TokensError> {
    let token = inner.existing(&id)?;
    let status = token.status(decision.at);
    let (Status::Pending, State::Pending { lifetime, .. }) = (status, &token.state) else {
        return Err(TokensError::Status {
            id,
            status,
            needed: "only one that is pending can be approved or denied",
        });
    };
    let own = |party| decision.by.could_be_same_person(party);
    if own(&token.created_by) || own(&token.owner) {
        return Err(TokensError::OwnRequest(id));
    }
    let mut record = (**token.record()).clone();
    if yes {
        record.expires_at = after(decision.at, std::time::Duration::from_secs(*lifetime))?;
        record.state = State::Active { approval: Some(decision) };
    } else {
        record.state = State::Denied { decision };
    }
    let [token] = inner.put([Write::change_of(&token, record)]).await?;
    Ok(token)
}
