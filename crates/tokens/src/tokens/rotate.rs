use std::sync::Arc;
use std::time::Duration;

use super::revoke::revoked;
use super::{Inner, Issued, Tokens, TokensError, Write, after};
use crate::{Decision, Record, Secret, Status, Token, TokenId};

/// How a token is rotated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// How long the old one can still be used, so that its users can change over; never longer than it could have been anyway.
    pub overlap: Duration,
    /// The longest lifetime of the new one, as policy says now. Otherwise it is that of the old one.
    pub max_lifetime: Duration,
}

/// A token took over from another.
#[derive(Debug)]
pub struct Rotated {
    /// The new one. Its rights are those of the old one: the same claims and scopes.
    pub issued: Issued,
    /// The old one, as it stands now.
    pub old: Token,
}

impl Tokens {
    /// Replaces the secret of a token: makes a new token that is like it, and ends the old one after the overlap.
    ///
    /// Rotation looks at no token of the provider, so whoever can rotate can go on for ever; [`crate::Reason::NeverExpiring`] finds
    /// such lines. A caller that wants the provider asked again must do so before.
    ///
    /// # Errors
    /// [`TokensError::Status`] if it is not active, [`TokensError::AlreadyRotated`] if it was rotated before.
    pub async fn rotate(
        &self,
        id: &TokenId,
        rotation: Rotation,
        decision: Decision,
    ) -> Result<Rotated, TokensError> {
        let id = id.clone();
        self.write(move |inner| rotate(inner, id.clone(), rotation, decision.clone())).await
    }
}

async fn rotate(
    inner: Arc<Inner>,
    id: TokenId,
    rotation: Rotation,
    decision: Decision,
) -> Result<Rotated, TokensError> {
    let now = decision.at;
    let token = inner.existing(&id)?;
    let status = token.status(now);
    if let Some(successor) = token.rotated_to.clone() {
        return Err(TokensError::AlreadyRotated { id, successor });
    }
    if status != Status::Active || inner.is_cut_off(&token) {
        let status = if status == Status::Active { Status::Revoked } else { status };
        return Err(TokensError::Status { id, status, needed: "only an active one can be rotated" });
    }
    let secret = Secret::generate()?;
    let lifetime = token.lifetime().min(rotation.max_lifetime);
    let new = Record {
        id: TokenId::generate()?,
        digest: secret.digest(),
        created_at: now,
        expires_at: after(now, lifetime)?,
        rotated_from: Some(id),
        ..(**token.record()).clone()
    };
    let mut old =
        if rotation.overlap.is_zero() { revoked(&token, &decision) } else { (**token.record()).clone() };
    old.rotated_to = Some(new.id.clone());
    old.expires_at = old.expires_at.min(after(now, rotation.overlap)?);
    // The new one first: a store that cannot write both at once must not end the old one without it.
    let [token, old] = inner.put([Write::new(new), Write::change_of(&token, old)]).await?;
    Ok(Rotated { issued: Issued { token, secret }, old })
}
