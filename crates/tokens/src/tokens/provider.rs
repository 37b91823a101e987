use std::sync::Arc;

use jiff::Timestamp;

use super::{Inner, Tokens, TokensError};
use crate::revocation::Credential;
use crate::{Change, Decision, Details, Revocation, RevocationId, Revoked, details};

/// Which tokens of a provider are to be revoked.
#[derive(Clone, Debug, PartialEq)]
pub struct RevocationOrder {
    /// Which.
    pub of: Revoked,
    /// Of this issuer only; `None`: of any.
    pub issuer: Option<Box<str>>,
    /// Issued before this only, and those that do not say when; `None`: all, those to come too.
    pub issued_before: Option<Timestamp>,
    /// When the last of them has ended, so that this need not be kept longer; `None`: kept until it is withdrawn.
    pub until: Option<Timestamp>,
}

impl Tokens {
    /// Revokes tokens of a provider, and with them the managed tokens that were made from them.
    pub async fn revoke_provider_tokens(
        &self,
        order: RevocationOrder,
        decision: Decision,
    ) -> Result<Arc<Revocation>, TokensError> {
        let (Revoked::Jti(text) | Revoked::ClientId(text) | Revoked::Subject(text)) = &order.of;
        details::check("the revoked jti, client or subject", text, Details::MAX_TEXT)?;
        details::check("the issuer", order.issuer.as_deref().unwrap_or_default(), Details::MAX_TEXT)?;
        self.write(move |inner| revoke(inner, order.clone(), decision.clone())).await
    }

    /// Takes a revocation back. The tokens that it was about count again; whether there was such a revocation.
    pub async fn withdraw_revocation(&self, id: &RevocationId) -> Result<bool, TokensError> {
        let id = id.clone();
        self.write(move |inner| withdraw(inner, id.clone())).await
    }

    /// All revocations of provider tokens, oldest first.
    pub fn revocations(&self) -> Vec<Arc<Revocation>> {
        let mut all: Vec<_> = self.0.revocations.load().all().cloned().collect();
        all.sort_unstable_by(|one, two| (one.decision.at, &one.id).cmp(&(two.decision.at, &two.id)));
        all
    }

    /// The revocation that concerns this provider token, if any. Cheap enough to be asked for each request.
    pub fn is_revoked(&self, credential: &Credential<'_>) -> Option<Arc<Revocation>> {
        self.0.revocations.load().of(credential).cloned()
    }
}

async fn revoke(
    inner: Arc<Inner>,
    order: RevocationOrder,
    decision: Decision,
) -> Result<Arc<Revocation>, TokensError> {
    let RevocationOrder { of, issuer, issued_before, until } = order;
    let id = RevocationId::generate()?;
    let revocation = Revocation { id, of, issuer, issued_before, until, decision };
    inner.store.commit(vec![Change::Revoke(Box::new(revocation.clone()))]).await?;
    let revocation = Arc::new(revocation);
    inner.change_revocations(|all| all.push(revocation.clone()));
    Ok(revocation)
}

async fn withdraw(inner: Arc<Inner>, id: RevocationId) -> Result<bool, TokensError> {
    if inner.revocations.load().get(&id).is_none() {
        return Ok(false);
    }
    inner.store.commit(vec![Change::Withdraw(id.clone())]).await?;
    inner.change_revocations(|all| all.retain(|revocation| revocation.id != id));
    Ok(true)
}
